"""``ctx.facets`` on the host's side: which facets an object has is in `facets`, this is what its guest says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from durabox.engine.protocol import EVENT
from durabox.errors import DuraboxError, FacetEndedError, GuestProtocolError, StorageError
from durabox.limits import Limits
from durabox.objects.facets import MAX_DEPTH, MAX_NAME, Change, Description, Facet, Facets, FacetStub
from durabox.objects.guest_errors import WireError, thrown
from durabox.objects.storage_threads import Over
from durabox.objects.work import Work

if TYPE_CHECKING:
    import apsw

    from durabox.objects.ops import ObjectOps
    from durabox.storage.database import ObjectDatabase

T = TypeVar("T")

_FACET_START = EVENT["facet_start"]

#: Kinds of ids that a facet may have; the third is one of an object.
_INHERITED = 0
_TEXT = 1


class FacetOps:
    """
    One object's; most have no facets.

    Args:
        ops: Those of the object.
        limits: Those of its isolate.
        database: Its storage.
    """

    __slots__ = ("_changes", "_database", "_emptied", "_level", "_limits", "_ops", "_starting", "_under_way")

    def __init__(self, ops: ObjectOps, limits: Limits, database: ObjectDatabase) -> None:
        self._ops = ops
        self._limits = limits
        self._database = database
        self._level: Facets | None = None
        #: Those whose startup callback runs, by the number that its answer names.
        self._starting: dict[int, Facet] = {}
        #: Changes that begin with the next commit, and those that have begun.
        self._changes: list[Change] = []
        self._under_way: list[asyncio.Task[None]] = []
        #: Numbers of those that the next commit deletes with all that the object stores.
        self._emptied: list[int] = []

    @property
    def level(self) -> Facets:
        """The object's facets."""
        level = self._level
        if level is None:
            level = self._level = self._ops.actor.router.facets(self._ops.actor)
        return level

    def op_facet_open(self, stub: int, section: int, name: str, body: bytes) -> bool:
        """A stub of a facet is used for the first time."""
        if not name or len(name.encode()) > MAX_NAME or self.level.depth + 1 >= MAX_DEPTH:
            raise GuestProtocolError("a facet with a name or at a depth that cannot be")
        self._ops.operations.check_room(1 + len(self._starting))
        facet = _asked(lambda: self.level.find(name))
        self._ops.stubs.add(stub, FacetStub(facet))
        if facet.asked:
            return False
        facet.asked = True
        start = self._ops.incoming.number()
        self._starting[start] = facet
        # Admitted where it is used: whoever waits for the facet in a critical section waits for this.
        self._ops.actor.submit(Work(_FACET_START, [start, name, section], abandon=_ignore), section)
        return True

    def op_facet_started(
        self, start: int, class_name: str, kind: int, own_id: str | None, name: str | None, body: bytes
    ) -> None:
        """The startup callback says what the facet is."""
        facet = self._started(start)
        if kind == _INHERITED:
            is_text, own_id, name = self._own_id()
        else:
            is_text = kind == _TEXT
        if own_id is None:
            raise GuestProtocolError("a facet has no id")
        described = Description(class_name, is_text, own_id, name, bytes(body))
        tree = self.level.tree
        if tree.described + described.size > self._limits.memory_mb << 20:
            facet.end(
                FacetEndedError("Error", "The ids and props of this object's facets take too much memory.")
            )
        else:
            facet.started(described)

    def op_facet_start_failed(self, start: int, error: WireError, body: bytes) -> None:
        """The startup callback threw."""
        self._started(start).end(FacetEndedError(*error, bytes(body)))

    def op_facet_abort(self, name: str, error: WireError, body: bytes) -> None:
        """facets.abort()."""
        self.level.end(name, FacetEndedError(*error, bytes(body)))

    def op_facet_delete(self, name: str, body: bytes) -> None:
        """facets.delete()."""
        self._change(lambda: self.level.deletion(name))

    def op_facet_clone(self, source: str, target: str, body: bytes) -> None:
        """facets.clone()."""
        if len(target.encode()) > MAX_NAME:
            raise GuestProtocolError("a facet with a name that cannot be")
        self._change(lambda: self.level.cloning(source, target) if source and target else None)

    def look(self) -> None:
        """
        Make sure that `delete_all` can be done.

        Raises:
            StorageError: The index of facets cannot be read.
        """
        self.level.tree.index.below(self.level.number)

    def delete_all(self) -> None:
        """
        The object deletes all that it stores: that and the deletion of its facets are one commit.

        Raises:
            StorageError: The index of facets cannot be read.
        """
        emptied = self.level.deletion_of_all()
        if not emptied:
            return
        # There has to be a commit, even if nothing else is written.
        self._database.to_write("facets")
        tree = self.level.tree
        tree.busy += not self._emptied
        self._emptied = emptied
        # What was to be changed is deleted now.
        changes, self._changes = self._changes, []
        tree.release(len(changes))
        actor = self._ops.actor
        assert actor.storage is not None
        actor.storage.instead = self._commit_emptied

    def close(self, reason: str) -> None:
        """The isolate has ended."""
        if self._level is None:
            return
        starting, self._starting = self._starting, {}
        for facet in starting.values():
            # Nobody will say what it is; another one may have its name since it was aborted.
            if self._level.children.get(facet.name) is facet:
                self._level.end(facet.name, FacetEndedError("Error", reason))
        changes, self._changes = self._changes, []
        self._level.tree.release(len(changes) + bool(self._emptied))
        self._emptied = []

    # Inside

    def _own_id(self) -> tuple[bool, str, str | None]:
        owner = self.level.owner
        if owner is None:
            identity = self._ops.actor.identity
            assert identity is not None
            return False, identity[1], identity[2]
        assert owner.description is not None
        return owner.description.is_text, owner.description.id, owner.description.name

    def _started(self, start: int) -> Facet:
        facet = self._starting.pop(start, None)
        if facet is None:
            raise GuestProtocolError(f"facet {start} was not to be started")
        return facet

    def _change(self, make: Callable[[], Change | None]) -> None:
        """Have a change come with the next commit, which the answers wait for; at once in a transaction."""
        self._ops.operations.check_room(1 + len(self._changes) + len(self._under_way))
        change = _asked(make)
        if change is None:
            return
        # There has to be a commit, even if nothing else is written.
        _asked(lambda: self._database.to_write("facets"))
        self._ops.gate.confirmed = True
        actor = self._ops.actor
        assert actor.storage is not None
        actor.storage.afterwards = self._carry_out
        tree = self.level.tree
        tree.busy += 1
        if actor.core.in_transaction:
            self._under_way.append(tree.changes.start(change))
        else:
            self._changes.append(change)

    def _carry_out(self, over: Over) -> None:
        """What was written is durable: now the facets' files."""
        changes, self._changes = self._changes, []
        under_way, self._under_way = self._under_way, []
        under_way += [self.level.tree.changes.start(change) for change in changes]
        gathered = asyncio.gather(*under_way)
        gathered.add_done_callback(lambda done: over(done.exception()))

    def _commit_emptied(self, over: Over) -> None:
        """Make what was written durable, without the facets."""
        storage = self._ops.actor.storage
        assert storage is not None

        def failed(error: BaseException | None) -> None:
            self._emptied = []
            self.level.tree.release()
            over(error)

        storage.hand_over(partial(self._exchange, over), failed)

    def _exchange(self, over: Over, left: apsw.Connection | None) -> None:
        emptied, self._emptied = self._emptied, []
        level, actor, database = self.level, self._ops.actor, self._database
        storage = actor.storage
        assert storage is not None

        async def change() -> None:
            # It waited for other changes, and they for nothing of this object's: nothing is uncommitted in it.
            if actor.error is not None:
                return
            lent = storage.lend(over)
            try:
                await level.tree.changes.empty(emptied, level.number, database, left)
            except BaseException as error:
                lent(error)
                raise
            lent(None)

        level.tree.changes.start(change)


def _ignore(error: DuraboxError) -> None:
    """The object broke, and its facets hear of that."""


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except StorageError as error:
        raise thrown(error) from None
