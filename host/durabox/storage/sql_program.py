"""What SQLite compiles a statement to, as far as that says how it can be run and counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

#: Opcodes that write a row of a table.
_TABLE_WRITES: Final = frozenset({"Insert", "Delete", "Clear", "VUpdate"})
#: Flag of such an opcode that is there for hooks alone.
_NO_OPERATION: Final = 0x40
#: Opcodes of plain statements: they move values between registers, tables and indexes. None calls a function, sorts, keeps
#: rows aside, runs a trigger or asks a module.
_SIMPLE_OPCODES: Final = """
    Init Transaction Goto Halt HaltIfNull Noop Once OpenRead OpenWrite Close ReopenIdx Integer Int64 Real String String8 Blob
    Null SoftNull Variable Move Copy SCopy IntCopy MemMax Cast MustBeInt Affinity RealAffinity TypeCheck Eq Ne Lt Le Gt Ge
    ElseEq If IfNot IfPos IfNotZero IsNull NotNull ZeroOrNull Add Subtract Multiply Divide Remainder BitAnd BitOr ShiftLeft
    ShiftRight BitNot Not And Or IsTrue AddImm Column Rowid NewRowid NullRow MakeRecord Insert Delete IdxInsert IdxDelete
    IdxRowid DeferredSeek FinishSeek SeekRowid SeekGE SeekGT SeekLE SeekLT SeekScan SeekHit NotExists Found NotFound NoConflict
    IfNoHope IdxGE IdxGT IdxLE IdxLT Rewind Last Next Prev Sequence Clear FkCheck FkCounter FkIfZero ReleaseReg CursorHint
    """
_PLAIN: Final = frozenset(_SIMPLE_OPCODES.split())
#: What plain statements that read have besides, and the opcodes that put a value of any size into a register.
_READING: Final = _PLAIN | {"ResultRow", "DecrJumpZero", "OffsetLimit", "Count"}
_KEEPING: Final = frozenset({"Column", "Copy", "Variable"})
#: How many such values a lookup may hold at once: 8 MiB each, so no more than other statements may take.
_VALUES: Final = 30
#: Flag of an opcode that goes on to a table's next row, for want of an index.
_FULL_SCAN: Final = 1
#: Opcodes of certain statements: none of them looks whether the row may be there, or goes back.
_CERTAIN: Final = frozenset(
    {"Init", "Transaction", "Goto", "Halt", "OpenWrite", "NewRowid", "Integer", "Int64", "Real", "String8", "Null", "SoftNull"}
    | {"Variable", "Copy", "SCopy", "Affinity", "RealAffinity", "MakeRecord", "Insert", "IdxInsert", "Noop", "ReleaseReg"}
)  # fmt: skip


class Program(NamedTuple):
    """What a statement compiles to."""

    #: Entries of tables and indexes that a changed row takes.
    entries: int = 1
    #: See `sql`.
    plain: bool = False
    certain: bool = False
    #: Reads, without a step that `sql` would have to count or to limit.
    lookup: bool = False


def program_of(rows: Iterable[tuple[Any, ...]]) -> Program:
    """
    What a program does.

    Args:
        rows: As ``EXPLAIN`` gives it.
    """
    tables = indexes = read = values = 0
    plain = certain = lookup = True
    for _, opcode, first, _, _, _, flags, _ in rows:
        tables += opcode in _TABLE_WRITES and not flags & _NO_OPERATION
        indexes += opcode == "IdxInsert"
        plain &= opcode in _PLAIN
        read += opcode == "OpenRead"
        values += opcode in _KEEPING
        lookup &= opcode in _READING and not (opcode in ("Next", "Prev") and flags & _FULL_SCAN)
        # Some halts are errors.
        certain &= opcode in _CERTAIN and not (opcode == "Halt" and first)
    entries = max(1, (tables > 0) + indexes)
    return Program(entries, plain, certain and tables == 1, lookup and read > 0 and values <= _VALUES)
