"""What tests of objects need: time that stands still, disks that fail, orders that repeat.

The product never imports this package. `plugin` makes it available to pytest as the fixture ``durabox_host``.
"""

from durabox.testing.clock import VirtualClock, settle
from durabox.testing.faults import Fault, FaultyFiles
from durabox.testing.files import Call, WatchedFiles
from durabox.testing.power import RecordedFiles
from durabox.testing.schedule import SeededExecutor, SeededLoop

__all__ = [
    "Call",
    "Fault",
    "FaultyFiles",
    "RecordedFiles",
    "SeededExecutor",
    "SeededLoop",
    "VirtualClock",
    "WatchedFiles",
    "settle",
]
