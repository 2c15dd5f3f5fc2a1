"""What one isolate may use."""

from __future__ import annotations

from dataclasses import dataclass

from durabox.errors import DuraboxError


class InvalidLimitError(DuraboxError, ValueError):
    """A limit that cannot be."""

    code = "invalid-limit"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Limits of one isolate; going past one ends the isolate, unless said otherwise.

    Args:
        memory_mb: Memory of the guest in MiB, 4 to 1024. JavaScript gets a catchable error a little below it.
        cpu_ms: Processor time of one event with everything that follows from it, in milliseconds; that of threads that work
            for it (cryptography) counts. An object's next event gives it the time again.
        wall_ms: Time that one event may take until its microtasks are done, in milliseconds; ``None`` for no limit.
        stack_kb: Stack of JavaScript in KiB, 64 to 928; deeper recursion throws ``RangeError``.
        pending: Timers, stubs, streams and other operations under way at once; one more throws.
        message_mb: Largest argument or body of one op in MiB.
        log_kb: Console output of one event in KiB; the rest is dropped.
        subrequests: Requests to other servers that one event may make; one more is refused.
    Raises:
        InvalidLimitError: A value out of its range.
    """

    memory_mb: int = 128
    cpu_ms: float = 30_000.0
    wall_ms: float | None = None
    stack_kb: int = 512
    pending: int = 65_536
    message_mb: int = 128
    log_kb: int = 256
    subrequests: int = 1000

    def __post_init__(self) -> None:
        self._check("memory_mb", self.memory_mb, 4, 1024)
        self._check("cpu_ms", self.cpu_ms, 1, 3_600_000)
        if self.wall_ms is not None:
            self._check("wall_ms", self.wall_ms, 1, 3_600_000)
        self._check("stack_kb", self.stack_kb, 64, 928)
        self._check("pending", self.pending, 1, 1 << 24)
        self._check("message_mb", self.message_mb, 1, 1024)
        self._check("log_kb", self.log_kb, 0, 1 << 20)
        self._check("subrequests", self.subrequests, 0, 1 << 24)

    @staticmethod
    def _check(name: str, value: float, least: float, most: float) -> None:
        if not least <= value <= most:
            raise InvalidLimitError(
                f"{name} is {value:.15g}, but must lie between {least:.15g} and {most:.15g}."
            )
