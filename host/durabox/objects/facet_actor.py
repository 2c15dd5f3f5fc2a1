"""A live facet: what of an object's life is otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from durabox.engine.protocol import EVENT
from durabox.errors import FacetEndedError, ObjectBrokenError, StorageError
from durabox.objects.actor import Actor, Surroundings
from durabox.objects.alarms import Outcome
from durabox.objects.object_alarm import ObjectAlarm

if TYPE_CHECKING:
    from durabox.objects.facets import Facet
    from durabox.storage.database import ObjectDatabase

_CONSTRUCT_FACET: Final = EVENT["construct_facet"]


class NoAlarmsError(StorageError):
    """A commit with an alarm in it."""

    def __init__(self) -> None:
        super().__init__("setAlarm", "Facets currently cannot set alarms.")


class FacetAlarm(ObjectAlarm):
    """A facet's alarm: it can be set, and a commit with one fails."""

    __slots__ = ()

    def before_commit(self) -> Future[None] | None:
        """See `ObjectAlarm`."""
        if self._database.metadata.alarm() is not None:
            raise NoAlarmsError
        return super().before_commit()


class FacetActor(Actor):
    """
    A live facet. It takes in work and does none of it until the facet is described and nothing changes its files.

    Args:
        facet: Whose life it is.
        around: See `Actor`, as for the rest.
    """

    def __init__(
        self,
        facet: Facet,
        around: Surroundings,
        *,
        identity: tuple[str, str, None],
        database: ObjectDatabase,
        alarm: FacetAlarm,
        on_gone: Callable[[Actor], None],
    ) -> None:
        super().__init__(around, identity=identity, database=database, alarm=alarm, on_gone=on_gone)
        self.facet = facet
        self.hold()

    @property
    def label(self) -> str:
        """See `Actor`: that of the object, and the names that lead from there."""
        names = (name if name.isprintable() else json.dumps(name) for name in self.facet.path)
        return "/".join([super().label, *names])

    def end(self, error: ObjectBrokenError) -> None:
        """Break it from outside."""
        self._dispose(error, Outcome.INTERRUPTED)

    def _construct(self, identity: tuple[str, str, str | None]) -> bool:
        what = self.facet.description
        assert what is not None
        args: list[object] = [what.class_name, what.is_text, what.id, what.name, self.facet.below.depth]
        return self._enter(_CONSTRUCT_FACET, args, what.props)

    def _storage_failed(self, what: str, error: BaseException) -> None:
        if isinstance(error, NoAlarmsError):
            self.end(FacetEndedError("Error", error.message))
        else:
            super()._storage_failed(what, error)
