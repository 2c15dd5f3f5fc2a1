"""Namespaces and stubs for Python: how tests and the server reach an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from durabox.errors import UnknownObjectClassError
from durabox.objects.ids import IdFactory
from durabox.objects.messages import BodyStream, Request, Response

if TYPE_CHECKING:
    from durabox.objects.actors import Actors
    from durabox.objects.loading import LoadedProject


class Namespace:
    """
    All objects of one class. Made by `Host.namespace`.

    Args:
        actors: Where they live.
        class_name: The exported class.
        unique_key: The key that ids and the state folder derive from.
    """

    def __init__(self, actors: Actors, class_name: str, unique_key: str) -> None:
        self._actors = actors
        self.class_name = class_name
        self.unique_key = unique_key
        self.ids = IdFactory(unique_key)

    def get_by_name(self, name: str) -> Stub:
        """The object of that name; it comes into being on first use."""
        return Stub(self._actors, self, self.ids.from_name(name), name)

    def get(self, object_id: str) -> Stub:
        """
        The object with that id.

        Raises:
            InvalidObjectIdError: Not 64 hex digits, or an id of another namespace.
        """
        return Stub(self._actors, self, self.ids.check(object_id), None)

    def new_unique_id(self) -> str:
        """A random id of this namespace."""
        return self.ids.new()


class Stub:
    """One object, seen from Python."""

    __slots__ = ("_actors", "id", "name", "namespace")

    def __init__(self, actors: Actors, namespace: Namespace, object_id: str, name: str | None) -> None:
        self._actors = actors
        self.namespace = namespace
        self.id = object_id
        self.name = name

    async def request(self, request: Request) -> Response:
        """
        Call the object's fetch handler; what `fetch` is made of, for callers that have a `Request`.

        Raises:
            JavaScriptError: The handler threw, or the object broke (`ObjectBrokenError`).
            HostClosedError: The host is closing.
        """
        return await self._actors.get(self.namespace, self.id, self.name).incoming.fetch(request)

    async def fetch(
        self,
        url: str = "/",
        method: str = "GET",
        headers: list[tuple[str, str]] | dict[str, str] | None = None,
        body: bytes | str | BodyStream | None = None,
    ) -> Response:
        """
        Call the object's fetch handler.

        Args:
            url: Absolute, or a path that is put on ``http://durabox``.
            method: HTTP method.
            headers: Pairs or a mapping.
            body: Bytes, text (UTF-8) or a stream.
        Returns:
            The response; ``await response.text()`` and the like read its body.
        Raises:
            JavaScriptError: The handler threw, or the object broke (`ObjectBrokenError`).
        """
        if url.startswith("/"):
            url = "http://durabox" + url
        pairs = headers.items() if isinstance(headers, dict) else headers or ()
        flat = [text for pair in pairs for text in pair]
        if isinstance(body, str):
            body = body.encode()
        return await self.request(Request(method, url, flat, body))

    async def call(self, method: str, *arguments: object) -> Any:
        """
        Call a method of the object's class, as other objects do through RPC.

        Args:
            method: Its name.
            arguments: Plain data: ``None``, booleans, numbers, strings, bytes, lists and dictionaries with string keys.
        Returns:
            The method's result as plain data, a ``Map`` as a dictionary, a ``Set`` as a list, a ``Date`` as text.
        Raises:
            JavaScriptError: The method threw, there is none of that name, or its result is not plain.
            HostClosedError: The host is closing.
        """
        return await self._actors.get(self.namespace, self.id, self.name).incoming.ask(method, arguments)


class Namespaces:
    """
    Those of a project.

    Args:
        actors: Where their objects live.
        loaded: The project.
    """

    def __init__(self, actors: Actors, loaded: LoadedProject) -> None:
        project = loaded.project
        self._all = tuple(Namespace(actors, name, project.unique_key(name)) for name in loaded.classes)
        self._by_name = {space.class_name: space for space in self._all}
        self._by_key = {space.unique_key: space for space in self._all}
        for binding in project.bindings:
            self._by_name.setdefault(binding.name, self._by_name[binding.class_name])

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._all)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that `named` takes: classes and bindings."""
        return tuple(self._by_name)

    @property
    def unique_keys(self) -> tuple[str, ...]:
        """Every key that `keyed` takes."""
        return tuple(self._by_key)

    def named(self, name: str) -> Namespace:
        """
        The namespace of a class or binding.

        Raises:
            UnknownObjectClassError: There is none of that name.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownObjectClassError(name, list(self._by_name)) from None

    def numbered(self, number: int) -> Namespace:
        """
        The same by the number that guests know a class by.

        Raises:
            UnknownObjectClassError: There is none of that number.
        """
        if not 0 <= number < len(self._all):
            raise UnknownObjectClassError(str(number), list(self._by_name))
        return self._all[number]

    def keyed(self, unique_key: str) -> Namespace | None:
        """The same by its unique key; ``None`` if it is of no class of the project."""
        return self._by_key.get(unique_key)
