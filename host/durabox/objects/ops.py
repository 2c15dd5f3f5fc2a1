"""What a guest of `objects/` may ask of the host: the areas, put together.

Every method ``op_…`` is one row of `engine.protocol.OPS` and runs inside a turn, on the guest's fiber: shallow, synchronous,
its arguments checked as hostile. What must not be seen before the commit goes to the output gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from durabox.console import Console
from durabox.engine.ops import EndIsolate, GuestError
from durabox.engine.platform_ops import LongWork, PlatformOps
from durabox.engine.text import decode_text
from durabox.engine.webcrypto import CryptoRequest
from durabox.errors import GuestProtocolError, JavaScriptError
from durabox.limits import Limits
from durabox.objects.alarm_ops import AlarmOps
from durabox.objects.call_ops import CallOps
from durabox.objects.capabilities import Lending
from durabox.objects.core import Failure
from durabox.objects.facet_ops import FacetOps
from durabox.objects.guest_errors import WireError, from_wire
from durabox.objects.incoming import Incoming
from durabox.objects.network_ops import NetworkOps
from durabox.objects.object_alarm import ObjectAlarm
from durabox.objects.operations import Operations
from durabox.objects.output_gate import OutputGate
from durabox.objects.section_ops import SectionOps
from durabox.objects.socket_ops import SocketOps
from durabox.objects.sql_ops import SqlOps
from durabox.objects.storage_ops import StorageOps
from durabox.objects.stream_ops import StreamOps
from durabox.objects.stub_ops import StubOps
from durabox.objects.timer_ops import TimerOps
from durabox.storage.database import ObjectDatabase

if TYPE_CHECKING:
    from durabox.objects.actor import Actor


class ActorOps(PlatformOps):
    """
    Ops that Worker isolates and objects share.

    Args:
        actor: The Worker or object.
        limits: Those of its isolate.
    """

    areas: ClassVar = {
        "operations": Operations,
        "sections": SectionOps,
        "streams": StreamOps,
        "timers": TimerOps,
        "stubs": StubOps,
        "sockets": SocketOps,
        "network": NetworkOps,
        "calls": CallOps,
        "incoming": Incoming,
    }

    def __init__(self, actor: Actor, limits: Limits) -> None:
        self.actor = actor
        self._limits = limits
        #: Made with the first line; the actor begins it anew with each turn.
        self.console: Console | None = None
        self._lending: Lending | None = None
        self._long_work: LongWork | None = None
        # Each finds here those before it.
        self.gate = OutputGate(limits)
        self.operations = Operations(self, limits)
        self.sections = SectionOps(self)
        self.streams = StreamOps(self)
        self.timers = TimerOps(self)
        self.stubs = StubOps(self)
        self.sockets = SocketOps(self)
        self.network = NetworkOps(self)
        self.calls = CallOps(self)
        self.incoming = Incoming(self)

    @property
    def lending(self) -> Lending:
        """What this isolate and others lend each other; most never do."""
        lending = self._lending
        if lending is None:
            lending = self._lending = Lending(self)
        return lending

    @property
    def kept(self) -> int:
        """Stubs, streams and handles that the host keeps for the guest."""
        handles = 0 if self._lending is None else len(self._lending)
        return len(self.stubs) + len(self.streams) + handles

    def close(self, reason: str) -> None:
        """The isolate has ended."""
        self.timers.close()
        self.operations.close()
        self.stubs.close()
        if self._lending is not None:
            self._lending.close()
        if self._long_work is not None:
            self._long_work.close()
        self.streams.close(reason)

    def clock(self) -> float:
        """Milliseconds since the epoch, for ``Date.now()``."""
        return self.actor.clock.now()

    def log(self, level: str, text: str) -> None:
        """A line of the console."""
        if self.console is None:
            self.console = Console(self.actor.label, self._limits.log_kb)
        self.console.write(level, text)

    def op_constructed(self, body: bytes) -> None:
        """The constructor returned."""

    def op_construct_failed(self, error: WireError, body: bytes) -> None:
        """The constructor threw: the object is broken."""
        self.log("error", f"Uncaught {from_wire(error).trace}")
        self.actor.core.break_with(Failure(error[0], error[1], error[2], value=bytes(body)))

    def op_log(self, level: str, text: str, body: bytes) -> None:
        """Console output."""
        self.log(level, text)

    def op_abort(self, reason: str, retry_alarm: bool, body: bytes) -> None:
        """ctx.abort(): ends the isolate here and now."""
        raise EndIsolate(
            JavaScriptError("Error", reason or "Application called abort() to reset Durable Object.")
        )

    def op_decode_text(self, label: str, fatal: bool, more: bool, body: bytes) -> str | list[str | int]:
        """TextDecoder for legacy encodings."""
        return decode_text(label, fatal, more, body)

    def op_uncaught(self, error: WireError, body: bytes) -> None:
        """What nobody was there to catch is logged."""
        self.log("error", f"Uncaught {from_wire(error).trace}")

    def op_unhandled_rejection(self, error: WireError, body: bytes) -> None:
        """A rejection that nobody handled is logged, as on the platform."""
        self.log("error", f"Uncaught (in promise) {from_wire(error).trace}")

    def start_long(self, operation: int, section: int, request: CryptoRequest) -> None:
        """crypto.subtle: what takes long."""
        operations = self.operations
        operations.check_room()
        if self._long_work is None:
            self._long_work = LongWork()
        self._long_work.check_room(request)
        if operations.under_way(operation):
            raise GuestProtocolError(f"operation {operation} is under way already")
        counted = operations.start(operation, section)

        def ended(result: bytes, error: GuestError | None, cpu_ns: int) -> None:
            operations.use(operation, cpu_ns)
            operations.complete(operation, counted, error, body=result)

        self._long_work.start(request, ended)


class ObjectOps(ActorOps):
    """
    `ActorOps` plus those of an object's own storage.

    Args:
        actor: The object.
        limits: Those of its isolate.
        database: Its storage.
        alarm: Its alarm.
    """

    areas: ClassVar = {
        **ActorOps.areas,
        "alarms": AlarmOps,
        "facets": FacetOps,
        "sql": SqlOps,
        "storage": StorageOps,
    }

    def __init__(self, actor: Actor, limits: Limits, database: ObjectDatabase, alarm: ObjectAlarm) -> None:
        super().__init__(actor, limits)
        self.alarms = AlarmOps(self, alarm)
        self.facets = FacetOps(self, limits, database)
        self.sql = SqlOps(self, database)
        self.storage = StorageOps(self, database, alarm)

    def op_abort(self, reason: str, retry_alarm: bool, body: bytes) -> None:
        """ctx.abort(): ends the isolate here and now."""
        if self.alarms.alarm.run is not None:
            self.alarms.alarm.run.wanted = retry_alarm
        super().op_abort(reason, retry_alarm, body)

    def close(self, reason: str) -> None:
        """The isolate has ended."""
        super().close(reason)
        self.facets.close(reason)
