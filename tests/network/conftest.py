"""The fixtures that durabox's users have."""

from durabox.testing.plugin import durabox_host

__all__ = ["durabox_host"]
