"""Facets: objects below an object, each with a class, an isolate and a database of its own, in a tree of few levels.

A `Facet` is what a name means from its first use until it breaks, is aborted, deleted or replaced; the next use of the name
begins another one. Like an object it may leave memory and come back in between: what it is was asked of the object above it
once, and is kept here as long as anything in the tree lives or has sockets. A `Facets` is one level: those of one object.

Deleting and copying are *changes* to files, see `facet_changes`. They take effect with the commit of the object that asks
for them, or at once within a transaction, which could not wait for its own end; the answers of that object wait for them,
and so do facets that begin meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from durabox.errors import FacetEndedError, GuestProtocolError, ObjectBrokenError
from durabox.objects.capabilities import Stub
from durabox.objects.facet_changes import FacetChanges

if TYPE_CHECKING:
    from durabox.objects.actor import Actor
    from durabox.objects.facet_actor import FacetActor
    from durabox.objects.router import Router
    from durabox.objects.sockets import SocketTable
    from durabox.objects.storage_threads import Threads
    from durabox.storage.database import ObjectDatabase
    from durabox.storage.exchange import Exchange
    from durabox.storage.facet_index import FacetIndex

#: Objects above one another, the one that is no facet included; the platform's limit.
MAX_DEPTH: Final = 4
#: Bytes of a name in UTF-8, as on the platform.
MAX_NAME: Final = 256

DELETED: Final = "Facet was deleted."
REPLACED: Final = "Facet was cloned-over."

#: Something to do with the facets' files.
Change: TypeAlias = Callable[[], Awaitable[None]]


class Description(Struct, frozen=True):
    """
    What a facet is, as its startup callback says.

    Args:
        class_name: The export that is its class.
        is_text: Whether its ``ctx.id`` is a text instead of an id.
        id: That.
        name: What the id was made from, if known.
        props: Its ``ctx.props``, V8-serialized.
    """

    class_name: str
    is_text: bool
    id: str
    name: str | None
    props: bytes

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.class_name) + len(self.id) + len(self.name or "") + len(self.props)


class Facet:
    """
    See the module's head.

    Args:
        of: The level that it is on.
        name: Its name there.
        number: Its number in the object's index.
    """

    __slots__ = ("_held", "actor", "asked", "below", "description", "error", "name", "of", "sockets")

    def __init__(self, of: Facets, name: str, number: int) -> None:
        self.of = of
        self.name = name
        self.below = Facets(of.tree, number, of.depth + 1, self)
        self.actor: FacetActor | None = None
        #: ``None`` until the startup callback has answered.
        self.description: Description | None = None
        #: Whether that was asked for an answer.
        self.asked = False
        #: Why it broke.
        self.error: ObjectBrokenError | None = None
        #: Its WebSockets, which may outlive the actor.
        self.sockets: SocketTable | None = None
        self._held = False

    @property
    def path(self) -> tuple[str, ...]:
        """The names that lead to it from the object."""
        above = self.of.owner
        return (self.name,) if above is None else (*above.path, self.name)

    def connect(self) -> FacetActor:
        """
        Its actor, made if need be.

        Raises:
            ObjectBrokenError: It is broken.
            HostClosedError: The host is closing.
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        actor = self.actor
        if actor is None:
            self._held = True
            actor = self.actor = self.of.tree.make(self)
            self.wake()
        return actor

    def wake(self) -> None:
        """Let the actor begin, if nothing keeps it from that."""
        if self._held and self.actor is not None and self.description is not None and not self.of.tree.busy:
            self._held = False
            self.actor.resume()

    def started(self, description: Description) -> None:
        """The startup callback has answered."""
        if self.error is None:
            self.description = description
            self.of.tree.described += description.size
            self.wake()

    def end(self, error: ObjectBrokenError) -> None:
        """It breaks, with all below it."""
        if self.error is None:
            self.error = error
            if self.actor is not None:
                self.actor.end(error)
            else:
                self._over(error)

    def gone(self, actor: Actor, *, closed: bool) -> None:
        """
        The actor has ended.

        Args:
            actor: The actor.
            closed: Whether the host ends, too.
        """
        self.actor = None
        if actor.evicted and not closed:
            if self.sockets is not None:
                self.sockets.evicted()
                if not self.sockets.ends and self.sockets.auto is None:
                    self.sockets = None
        else:
            error = actor.error
            assert error is not None
            self.error = error
            self._over(error)

    def _over(self, error: ObjectBrokenError) -> None:
        if self.description is not None:
            self.of.tree.described -= self.description.size
        # One that did not even start stays what the name means, until somebody aborts it.
        if self.description is not None and self.of.children.get(self.name) is self:
            del self.of.children[self.name]
        self.below.end_all(error)
        if self.sockets is not None:
            self.sockets.lose()
            self.sockets = None


class FacetStub(Stub):
    """
    A reference to a facet, tied to it until it breaks.

    Args:
        facet: The facet.
    """

    __slots__ = ("_facet",)

    def __init__(self, facet: Facet) -> None:
        super().__init__(-1, "", None)
        self._facet = facet

    def connect(self, router: Router) -> Actor:
        """See `Stub`."""
        return self._facet.connect()

    def copy(self) -> Stub:
        """See `Stub`: the guest has refused it in the platform's words."""
        raise GuestProtocolError("a stub of a facet was lent")


class Facets:
    """
    The facets of one object, or of one of its facets.

    Args:
        tree: All of the object's.
        number: Of whose facets they are; 0 for the object.
        depth: How many objects that one is below.
        owner: That one, ``None`` for the object.
    """

    __slots__ = ("children", "depth", "number", "owner", "tree")

    def __init__(self, tree: FacetTree, number: int, depth: int, owner: Facet | None) -> None:
        self.tree = tree
        self.number = number
        self.depth = depth
        self.owner = owner
        self.children: dict[str, Facet] = {}

    def find(self, name: str) -> Facet:
        """
        What a name means.

        Raises:
            StorageError: There are too many, or the index of facets cannot be read.
        """
        facet = self.children.get(name)
        if facet is None:
            number = self.tree.index.number(self.number, name)
            facet = self.children[name] = Facet(self, name, number)
        return facet

    def end(self, name: str, error: ObjectBrokenError) -> None:
        """What the name means breaks, and the name means nothing any more."""
        facet = self.children.pop(name, None)
        if facet is not None:
            facet.end(error)

    def end_all(self, error: ObjectBrokenError) -> None:
        """All of them break."""
        for name in list(self.children):
            self.end(name, error)

    def all(self) -> Iterator[Facet]:
        """They and all below them."""
        for facet in list(self.children.values()):
            yield facet
            yield from facet.below.all()

    def deletion(self, name: str) -> Change | None:
        """
        Delete a facet: it breaks now, and what is returned removes what it and those below it store.

        Raises:
            StorageError: The index of facets cannot be read.
        """
        self.end(name, FacetEndedError("Error", DELETED))
        number = self.tree.index.find(self.number, name)
        if number is None:
            return None
        return partial(self.tree.changes.replace, [number, *self.tree.index.below(number)], {})

    def deletion_of_all(self) -> list[int]:
        """
        All of them break; the numbers of those that are to store nothing any more, and of all below them.

        Raises:
            StorageError: The index of facets cannot be read.
        """
        numbers = list(self.tree.index.below(self.number))
        if numbers:
            self.end_all(FacetEndedError("Error", DELETED))
        return numbers

    def cloning(self, source: str, target: str) -> Change | None:
        """
        Have a facet store what another one does: it breaks now, and what is returned copies, with all below them.

        Raises:
            StorageError: There are too many, or the index of facets cannot be read.
        """
        self.end(target, FacetEndedError("Error", REPLACED))
        index = self.tree.index
        number = index.find(self.number, source)
        if source == target or (number is None and index.find(self.number, target) is None):
            return None
        own = index.number(self.number, target)
        copies: dict[int, int] = {}
        if number is not None:
            copies[number] = own
            for below, path in index.below(number).items():
                at = own
                for name in path:
                    at = index.number(at, name)
                copies[below] = at
        return partial(self.tree.changes.replace, [own, *index.below(own)], copies)


class FacetTree:
    """
    All facets of one object. For the thread of the event loop.

    Args:
        index: Their numbers.
        make: Makes the actor of one.
        open_database: Opens the database of the one with that number.
        make_exchange: Begins an exchange of databases.
        threads: Where is waited for the disk.
    """

    def __init__(
        self,
        index: FacetIndex,
        make: Callable[[Facet], FacetActor],
        open_database: Callable[[int], ObjectDatabase],
        make_exchange: Callable[[], Exchange],
        threads: Threads,
    ) -> None:
        self.index = index
        self.make = make
        self.changes = FacetChanges(self, open_database, make_exchange, threads)
        self.root = Facets(self, 0, 0, None)
        #: Changes that are to come or under way, and visits from outside: no facet may begin.
        self.busy = 0
        #: Bytes that what is known of them takes.
        self.described = 0

    @property
    def in_use(self) -> bool:
        """Whether a facet lives, has sockets or is being changed."""
        return (
            self.busy > 0
            or self.changes.under_way
            or any(facet.actor is not None or facet.sockets is not None for facet in self.root.all())
        )

    def facet(self, number: int) -> Facet | None:
        """The one with that number, if anything is known of it."""
        return next((facet for facet in self.root.all() if facet.below.number == number), None)

    def actors(self) -> list[FacetActor]:
        """Those in memory."""
        return [facet.actor for facet in self.root.all() if facet.actor is not None]

    def release(self, times: int = 1) -> None:
        """So many of what made it `busy` are over."""
        self.busy -= times
        if not self.busy:
            for facet in self.root.all():
                facet.wake()
