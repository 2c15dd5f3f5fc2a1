"""What is known of an object's SQL texts that are run again and again; `sql` says what for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from durabox.storage.sql_program import Program

#: How many texts, and how long ones, are known.
_TEXTS: Final = 64
_LENGTH: Final = 16 * 1024


class Repeated(NamedTuple):
    """A text that is run by a number."""

    number: int
    #: Entries of tables and indexes that a changed row takes.
    entries: int


class Texts:
    """The texts of one connection, and the numbers that some have."""

    __slots__ = (
        "_last_number",
        "_numbers",
        "_reading",
        "_rowless",
        "certain",
        "known",
        "lookups",
        "numbered",
        "plain",
    )

    def __init__(self) -> None:
        #: Texts of one statement that writes and has no rows.
        self.known: set[str] = set()
        #: Those of them that have a number, by it; which of these are plain, and which certain.
        self.numbered: dict[int, str] = {}
        self.plain: dict[int, str] = {}
        self.certain: dict[int, str] = {}
        #: Texts of one statement that looks up some rows, by a number.
        self.lookups: dict[int, str] = {}
        self._numbers: dict[str, Repeated] = {}
        #: Texts of one statement that reads, and what they are run by: a number, 0 for none, ``None`` while nobody has looked.
        self._reading: dict[str, int | None] = {}
        #: Columns of statements that gave no row.
        self._rowless: dict[str, list[str]] = {}
        self._last_number = 0

    def know(self, text: str) -> None:
        """A text is one statement that writes and has no rows."""
        if len(text) <= _LENGTH:
            if len(self.known) >= _TEXTS:
                self.known.clear()
            self.known.add(text)

    def number_to_read(self, text: str, program: Callable[[], Program]) -> int:
        """
        How to run a text by a number, once it has been run twice.

        Args:
            text: One statement that only reads.
            program: Tells what it compiles to.
        Returns:
            A number; 0 for none.
        """
        if len(text) > _LENGTH:
            return 0
        if text not in self._reading:
            if len(self._reading) >= _TEXTS:
                self._reading.clear()
                self.lookups.clear()
            self._reading[text] = None
            return 0
        number = self._reading[text]
        if number is None:
            number = 0
            if program().lookup:
                self._last_number = number = self._last_number + 1
                self.lookups[number] = text
            self._reading[text] = number
        return number

    def refuse_to_read(self, number: int) -> None:
        """A text is not run by its number any more."""
        text = self.lookups.pop(number, None)
        if text is not None:
            self._reading[text] = 0

    def number_of(self, text: str) -> Repeated | None:
        """How a text is run by a number, if it has one."""
        return self._numbers.get(text)

    @property
    def full(self) -> bool:
        """Whether no other text can have a number before all are forgotten."""
        return len(self.numbered) >= _TEXTS

    def give_number(self, text: str, program: Program) -> Repeated:
        """Have a text run by a number from now on."""
        self._last_number = number = self._last_number + 1
        found = self._numbers[text] = Repeated(number, program.entries)
        self.numbered[number] = text
        if program.plain:
            self.plain[number] = text
        if program.certain:
            self.certain[number] = text
        return found

    def columns_of(self, statement: str) -> list[str] | None:
        """The columns of a statement that gave no row when it ran before."""
        return self._rowless.get(statement)

    def keep_columns(self, statement: str, columns: list[str]) -> None:
        """A statement that gave no row has these columns."""
        if len(statement) <= _LENGTH:
            if len(self._rowless) >= _TEXTS:
                self._rowless.clear()
            self._rowless[statement] = columns

    def forget(self) -> None:
        """What a text compiles to may have changed."""
        self.numbered.clear()
        self.plain.clear()
        self.certain.clear()
        self.lookups.clear()
        self._numbers.clear()
        self._reading.clear()
        self._rowless.clear()
