"""What a finished commit has survived."""

from __future__ import annotations

from enum import Enum


class Durability(Enum):
    """What a commit guarantees when it returns. As long as the machine keeps its power, all are the same."""

    FULL = "full"  # on disk: it survives power loss
    NORMAL = "normal"  # power loss may take the last commits, and damages nothing
    OFF = "off"  # power loss may damage files
