"""The fixtures of `tests/bindings_objects`: JavaScript in, plain data out."""

from tests.bindings_objects.conftest import in_object, open_module

__all__ = ["in_object", "open_module"]
