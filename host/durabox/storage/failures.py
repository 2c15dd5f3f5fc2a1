"""SQLite's and the file system's failures as `StorageError`, worded as on the platform: JavaScript sees them.

The platform shows SQLite's message, where in the statement it arose, the name of its primary result code and that of its extended
one. Where the file itself is
at fault the message names it, relative to the state directory: the guest must not learn host paths.
"""

from __future__ import annotations

import errno
from typing import Final

import apsw

from durabox.errors import StorageError

#: After these the same operation may succeed later: another user of the file leaves, space is made.
_PASSING: Final = frozenset(
    {
        apsw.SQLITE_BUSY,
        apsw.SQLITE_FULL,
        apsw.SQLITE_NOMEM,
        apsw.SQLITE_INTERRUPT,
        apsw.SQLITE_CANTOPEN,
    }
)
#: The file's fault, not the statement's.
_FILE_AT_FAULT: Final = frozenset(
    {
        apsw.SQLITE_CORRUPT,
        apsw.SQLITE_NOTADB,
        apsw.SQLITE_CANTOPEN,
        apsw.SQLITE_READONLY,
        apsw.SQLITE_PERM,
        apsw.SQLITE_BUSY,
    }
)
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_ACCESS: Final = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EMFILE,
        errno.ENFILE,
        errno.EISDIR,
    }
)

#: SQLite's messages for what the disk does; of a failed backup it says "not an error".
_TEXTS: Final = {
    apsw.SQLITE_FULL: "database or disk is full",
    apsw.SQLITE_CANTOPEN: "unable to open database file",
    apsw.SQLITE_IOERR: "disk I/O error",
}

NO_LONGER_ACCESSIBLE: Final = "Durable Object storage is no longer accessible."
#: A deferred constraint is only looked at by the commit.
_CONSTRAINTS_VIOLATED: Final = (
    "Durable Object was reset and rolled back to its last known good state because the application left the database in a state "
    "where constraints were violated: "
)


def storage_error(operation: str, cause: apsw.Error | OSError, file: str) -> StorageError:
    """
    The error for a failed operation.

    Args:
        operation: What was being done.
        cause: What SQLite or the operating system said.
        file: The database file, relative to the state directory.
    """
    code = (
        _of_system(cause)
        if isinstance(cause, OSError)
        else getattr(cause, "extendedresult", apsw.SQLITE_ERROR)
    )
    primary = code & 0xFF
    text = _TEXTS.get(primary) or str(cause)
    offset = getattr(cause, "error_offset", -1)
    if offset >= 0:
        text += f" at offset {offset}"
    message = f"{text}: {apsw.mapping_result_codes.get(primary, 'SQLITE_ERROR')}"
    if code != primary and code in apsw.mapping_extended_result_codes:
        message += f" (extended: {apsw.mapping_extended_result_codes[code]})"
    if operation == "commit" and primary == apsw.SQLITE_CONSTRAINT:
        message = _CONSTRAINTS_VIOLATED + message
    # A virtual table may contradict itself by what the object's own SQL did to it.
    if primary in _FILE_AT_FAULT and code != apsw.SQLITE_CORRUPT_VTAB:
        message = f"{file}: {message}"
    return StorageError(operation, message, code, primary in _PASSING)


def _of_system(cause: OSError) -> int:
    """The SQLite code for the same failure, so that it reads alike wherever it happens."""
    if cause.errno in _NO_SPACE:
        return apsw.SQLITE_FULL
    if cause.errno in _NO_ACCESS:
        return apsw.SQLITE_CANTOPEN
    return apsw.SQLITE_IOERR
