"""What an isolate's ops need from the host around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from durabox.objects.actor import Actor
    from durabox.objects.cache import Caches
    from durabox.objects.facets import Facets
    from durabox.objects.outbound import Network
    from durabox.objects.sockets import SocketTable


class Router(Protocol):
    """Where namespaces, other isolates and servers are found; the host is one."""

    #: Who carries out requests to other servers.
    network: Network
    #: What `caches` keep.
    caches: Caches
    #: Whether errors tell other isolates where they were thrown.
    dev: bool

    def id_from_name(self, namespace: int, name: str) -> str:
        """See ``op id_from_name``."""
        ...

    def id_from_string(self, namespace: int, text: str) -> str:
        """See ``op id_from_string``."""
        ...

    def new_id(self, namespace: int) -> str:
        """See ``op id_new``."""
        ...

    def locate(self, namespace: int, object_id: str, name: str | None) -> Actor:
        """The live object with that id, made if need be."""
        ...

    def worker(self) -> Actor:
        """The Worker's isolate, made if need be."""
        ...

    def sockets(self, actor: Actor) -> SocketTable:
        """The WebSockets of an isolate; those of an object may outlive it."""
        ...

    def facets(self, actor: Actor) -> Facets:
        """The facets of an object or facet."""
        ...
