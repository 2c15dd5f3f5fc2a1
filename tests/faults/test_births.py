"""Births that share a log: on a disk that fails, when the process is killed and when the power goes, in the log, in what is
settled later and in the replay.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import struct
import threading
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durabox.errors import StorageError
from durabox.storage.birth_log import BirthLog
from durabox.storage.database import ObjectDatabase
from durabox.storage.directory import StateDirectory
from durabox.storage.durability import Durability
from durabox.storage.history.retention import Retention
from durabox.testing import Call, Fault, FaultyFiles, RecordedFiles, WatchedFiles
from tests.faults.conftest import TEND

KEY = "demo-C"
#: What an object goes through: each letter is a commit.
WAYS = ("b", "bc", "bd", "bdb", "br", "bl", "bcv")
OBJECTS = 14
HISTORIES = [pytest.param(Retention(), id="history"), pytest.param(None, id="no history")]


def _id(number: int) -> str:
    return f"{number:064x}"


def _do(step: str, database: ObjectDatabase) -> None:
    """One commit: birth, change, death, rebirth, so large a one that there is a checkpoint; or a vacuum."""
    match step:
        case "b":
            database.kv.put(b"born", b"1")
        case "c":
            database.kv.put(b"changed", b"1")
        case "d":
            database.delete_all()
        case "r":
            database.delete_all()
            database.kv.put(b"again", b"1")
        case "l":
            database.kv.put(b"large", bytes(2_500_000))
        case "v":
            database.vacuum()
    database.commit()


def _after(step: str, before: frozenset[bytes]) -> frozenset[bytes]:
    """The keys that are there then."""
    match step:
        case "d":
            return frozenset()
        case "r":
            return frozenset([b"again"])
        case "v":
            return before
    return before | {{"b": b"born", "c": b"changed", "l": b"large"}[step]}


def _keys(database: ObjectDatabase) -> frozenset[bytes]:
    return frozenset(database.kv.list(None, None, None, False, -1)[::2])


def _found(folder: Path, history: Retention | None = None) -> dict[int, frozenset[bytes]]:
    """What all objects hold, as the next start finds it."""
    state = StateDirectory(folder, history=history)
    try:
        return {number: _keys(state.database(KEY, _id(number))) for number in range(OBJECTS)}
    finally:
        state.close()


def _live(
    state: StateDirectory, told: Callable[[int, frozenset[bytes]], object], settle: Callable[[], None]
) -> None:
    """All objects go their ways, several at once; now and then what was born is settled."""

    def live(number: int) -> None:
        database = state.database(KEY, _id(number))
        keys: frozenset[bytes] = frozenset()
        for step in WAYS[number % len(WAYS)]:
            _do(step, database)
            keys = _after(step, keys)
            told(number, keys)
        database.close()
        if number % 5 == 4:
            settle()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(live, range(OBJECTS)))


def _settler(state: StateDirectory) -> Callable[[], None]:
    births = state._births
    assert births is not None
    return births._settle


@pytest.fixture(scope="module", params=HISTORIES)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[RecordedFiles, Retention | None]:
    root = tmp_path_factory.mktemp("recorded") / "state"
    files = RecordedFiles(root)
    state = StateDirectory(root, files=files, history=request.param)
    _live(state, lambda number, keys: files.mark((number, keys)), _settler(state))
    state.close()
    return files, request.param


def _check(files: RecordedFiles, steps: int, folder: Path, history: Retention | None, chance: Any) -> None:
    files.after_crash(steps, folder, chance)
    known: dict[int, list[frozenset[bytes]]] = {number: [frozenset()] for number in range(OBJECTS)}
    for number, keys in files.marks(steps):  # type: ignore[misc]
        known[number].append(keys)
    # A crash amid the replay, or after it and before anything was settled, changes nothing.
    for found in (_found(folder, history), _found(folder, history)):
        for number, keys in found.items():
            done = known[number]
            under_way = WAYS[number % len(WAYS)][len(done) - 1 : len(done)]
            assert keys in (done[-1], *(_after(step, done[-1]) for step in under_way)), (
                f"object {number}, crash after {files.steps[:steps][-1:]}"
            )
    # There are thousands of them.
    shutil.rmtree(folder)


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_what_was_acknowledged_outlives_a_crash_after_any_call(
    recorded: tuple[RecordedFiles, Retention | None], seed: int | None, tmp_path: Path
) -> None:
    files, history = recorded
    labels = [step.label for step in files.steps if isinstance(step, Call)]
    assert {"write log of births", "sync log of births", "remove log of births"} <= {*labels}
    chance = None if seed is None else random.Random(seed)
    for steps in range(seed or 0, len(files.steps) + 1, 29):
        _check(files, steps, tmp_path / str(steps), history, chance)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(10, 16))
def test_what_was_acknowledged_outlives_a_power_cut_after_every_call(
    recorded: tuple[RecordedFiles, Retention | None], seed: int, tmp_path: Path
) -> None:
    files, history = recorded
    for steps in range(len(files.steps) + 1):
        _check(files, steps, tmp_path / str(steps), history, random.Random(seed * 10_000 + steps))


def test_births_that_come_together_share_their_waits(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow(RecordedFiles):
        """The first sync of the log takes until all others wait."""

        def carry_out(self, call: Call, really: Callable[[], Any], half: Any = None) -> Any:
            if call.label == "sync log of births" and not entered.is_set():
                entered.set()
                go_on.wait(30)
            return super().carry_out(call, really, half)

    files = Slow(tmp_path / "state")
    state = StateDirectory(tmp_path / "state", files=files)
    births = state._births
    assert births is not None

    def bear(number: int) -> None:
        _do("b", state.database(KEY, _id(number)))

    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(bear, 0)
        assert entered.wait(30)
        others = [threads.submit(bear, number) for number in range(1, 8)]
        while len(births._waiting) < 7:
            assert not any(other.done() for other in others)
        go_on.set()
        for birth in (first, *others):
            birth.result(30)
    labels = [step.label for step in files.steps if isinstance(step, Call)]
    assert labels.count("sync log of births") == 2
    assert "sync birth" not in labels
    state.close()
    assert _found(tmp_path / "state") == {
        number: frozenset([b"born"] if number < 8 else []) for number in range(OBJECTS)
    }


FAULTS = [
    pytest.param(Fault(0), id="input/output error"),
    pytest.param(Fault(0, errno.ENOSPC, lasting=True, partly=True), id="no space"),
    pytest.param(Fault(0, lasting=True, partly=True), id="lasting input/output error"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_birth_that_fails_is_told_so_and_does_not_come_back(fault: Fault, tmp_path: Path) -> None:
    hits: set[str] = set()
    for at in range(1, 160):
        folder = tmp_path / str(at)
        files = FaultyFiles()
        state = StateDirectory(folder, files=files)
        _do("b", state.database(KEY, _id(99)))
        files.fail(replace(fault, at=at))
        known: dict[int, frozenset[bytes]] = dict.fromkeys(range(OBJECTS), frozenset())

        def live(
            number: int,
            state: StateDirectory = state,
            known: dict[int, frozenset[bytes]] = known,
        ) -> None:
            database = state.database(KEY, _id(number))
            for step in "bc":
                try:
                    _do(step, database)
                except StorageError:
                    break
                known[number] = _after(step, known[number])
            database.close()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(live, range(6)))
        hits |= {call.label for call in files.failed}
        missed = not files.failed
        files.mend()
        # Space is back: whoever failed succeeds now, and what it says from then on is what counts.
        for number in range(6):
            database = state.database(KEY, _id(number))
            found = _keys(database)
            # A commit to the WAL that failed may be found all the same; a birth that failed is not there.
            assert found in (known[number], known[number] | {b"changed"} if known[number] else found)
            known[number] = found
            database.close()
        _do("b", state.database(KEY, _id(7)))
        known[7] = frozenset([b"born"])
        # Not closed: the process is killed.
        assert _dead(state, folder) == known
        if missed:
            break
    else:
        raise AssertionError("there is no end of calls")
    assert {"write log of births", "write database"} <= hits
    if fault.error != errno.ENOSPC:
        assert {"sync log of births", "date database"} <= hits


def _dead(state: StateDirectory, folder: Path) -> dict[int, frozenset[bytes]]:
    """What the next owner finds after this one was killed."""
    for database in [*state._live.values()]:
        database.close()
    _let_go(state)
    try:
        return _found(folder, Retention())
    finally:
        state._births = None
        state.close()


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_replay_that_fails_is_done_again(error: int, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    state = StateDirectory(killed)
    for number in range(3):
        _do("b", state.database(KEY, _id(number)))
    _kill(state)
    # One file is there, one is short, one is gone.
    path = killed / KEY / f"{_id(1)}.sqlite"
    modified = path.stat().st_mtime_ns
    path.write_bytes(b"SQLite")
    os.utime(path, ns=(modified, modified))
    (killed / KEY / f"{_id(2)}.sqlite").unlink()
    failures: set[str] = set()
    for at in range(1, 100):
        folder = tmp_path / str(at)
        shutil.copytree(killed, folder)
        files = FaultyFiles()
        files.fail(Fault(at, error, lasting=error == errno.ENOSPC, partly=True))
        try:
            StateDirectory(folder, files=files).close()
        except StorageError as failure:
            assert str(folder) in str(failure)
            failures |= {call.label for call in files.failed}
        found = _found(folder)
        assert [found[number] for number in range(3)] == [{b"born"}] * 3
        if not files.failed:
            break
    else:
        raise AssertionError("there is no end of calls")
    assert "write birth" in failures
    if error == errno.EIO:
        assert {"date birth", "sync birth", "rename database", "sync database"} <= failures
        assert {"sync_folder folder", "remove log of births"} <= failures


def _recorded_object(folder: Path, *steps: str, **options: Any) -> Path:
    """A directory whose owner was killed after an object's commits, all of them in a log; the object's file."""
    state = StateDirectory(folder, **options)
    database = state.database(KEY, _id(1))
    for step in steps:
        _do(step, database)
    _kill(state)
    return folder / KEY / f"{_id(1)}.sqlite"


def _let_go(state: StateDirectory) -> None:
    """Give back what the end of a process does."""
    assert state._births is not None and state._lock is not None
    for log in state._births._logs():
        log.close()
    state._lock.release()
    state._lock = None


def _kill(state: StateDirectory) -> None:
    """Have the directory's owner be killed, with all files in place and nothing settled."""
    assert state._births is not None
    state._births.place_all()
    _let_go(state)


def _logs(folder: Path) -> list[Path]:
    return sorted((folder / ".durabox" / "newborns").iterdir())


@pytest.mark.parametrize("damage", ["absent", "short", "empty", "zeros"])
def test_a_file_that_a_power_cut_damaged_is_written_anew(damage: str, tmp_path: Path) -> None:
    path = _recorded_object(tmp_path, "b", "c")
    content, modified = path.read_bytes(), path.stat().st_mtime_ns
    match damage:
        case "absent":
            path.unlink()
        case "short":
            path.write_bytes(content[:4096])
        case "empty":
            path.write_bytes(b"")
        case "zeros":
            path.write_bytes(bytes(len(content)))
    if path.exists():
        os.utime(path, ns=(modified, modified))
    state = StateDirectory(tmp_path)
    assert path.read_bytes() == content
    assert path.stat().st_mtime_ns == modified
    assert _keys(state.database(KEY, _id(1))) == {b"born", b"changed"}
    state.close()
    assert _logs(tmp_path) == []


def test_a_history_goes_on_over_a_replay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = StateDirectory(tmp_path)
    database = state.database(KEY, _id(1))
    _do("b", database)
    before = database.bookmarks.current()
    _do("c", database)
    _kill(state)
    path = tmp_path / KEY / f"{_id(1)}.sqlite"
    modified = path.stat().st_mtime_ns
    path.write_bytes(b"")
    os.utime(path, ns=(modified, modified))
    state = StateDirectory(tmp_path)
    database = state.database(KEY, _id(1))
    database.bookmarks.restore_next(before)
    database.restore()
    assert _keys(database) == {b"born"}
    state.close()
    assert "another program" not in caplog.text


def test_a_file_that_another_program_has_changed_since_is_left_alone(tmp_path: Path) -> None:
    path = _recorded_object(tmp_path, "b")
    path.write_bytes(b"not ours any more")
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))
    StateDirectory(tmp_path).close()
    assert path.read_bytes() == b"not ours any more"
    assert _logs(tmp_path) == []


class _Order(WatchedFiles):
    """Notes what happens to files."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: list[str] = []

    def carry_out(self, call: Call, really: Callable[[], Any], half: Any = None) -> Any:
        self.labels.append(call.label)
        return really()


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("step", ["d", "r", "l", "v"])
def test_a_file_is_settled_before_it_is_touched(step: str, history: Retention | None, tmp_path: Path) -> None:
    files = _Order()
    state = StateDirectory(tmp_path, files=files, history=history)
    database = state.database(KEY, _id(1))
    _do("b", database)
    _do("c", database)
    assert files.labels.count("write database") == 1
    assert "remove log of births" not in files.labels
    files.labels.clear()
    _do(step, database)
    touched = {"write database", "truncate database", "remove database", "rename database", "remove wal"}
    first = next(at for at, label in enumerate(files.labels) if label in touched)
    assert files.labels.index("sync database") < files.labels.index("remove log of births") < first
    assert "sync_folder folder" in files.labels[files.labels.index("remove log of births") : first]
    state.close()


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("step", ["d", "r", "v"])
def test_what_cannot_be_settled_is_not_touched(step: str, history: Retention | None, tmp_path: Path) -> None:
    files = FaultyFiles()
    state = StateDirectory(tmp_path, files=files, history=history)
    database = state.database(KEY, _id(1))
    _do("b", database)
    _do("c", database)
    # What comes first is a new file for what is stored again.
    files.fail(Fault(1 + (step == "r") * 3, lasting=True))
    with pytest.raises(StorageError):
        _do(step, database)
    files.mend()
    assert _keys(database) == {b"born", b"changed"}
    assert _dead(state, tmp_path)[1] == {b"born", b"changed"}


def test_a_log_that_cannot_be_settled_takes_no_more_births_than_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("durabox.storage.birth_log._MOST_BYTES", 30_000)
    files = _Order()
    state = StateDirectory(tmp_path, files=files)
    for number in range(6):
        _do("b", state.database(KEY, _id(number)))
    assert files.labels.count("sync log of births") < 6
    assert files.labels.count("sync birth") == 6 - files.labels.count("sync log of births")
    assert sum(keys == {b"born"} for keys in _dead(state, tmp_path).values()) == 6


def test_what_was_born_is_settled_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durabox.storage.birth_log.SETTLE_AFTER_S", 0.0)
    monkeypatch.setattr(BirthLog, "_tend", TEND)
    state = StateDirectory(tmp_path)
    births = state._births
    assert births is not None
    for number in range(3):
        _do("b", state.database(KEY, _id(number)))
        tender = births._tender
        if tender is not None:
            tender.join(30)
        assert not births.holds(f"{tmp_path}/{KEY}/{_id(number)}.sqlite")
    assert _logs(tmp_path) == []
    state.close()


class _Meeting(WatchedFiles):
    """Tells of a file that is in place, and waits before the next."""

    in_order = False

    def __init__(self) -> None:
        super().__init__()
        self.placed: SimpleQueue[str] = SimpleQueue()
        self.go_on = threading.Semaphore(0)

    def carry_out(self, call: Call, really: Callable[[], Any], half: Any = None) -> Any:
        done = really()
        if call.label == "sync database":
            self.placed.put(call.path)
            self.go_on.acquire(timeout=30)
        return done


def test_files_are_placed_at_once_and_settled_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durabox.storage.birth_log.SETTLE_AFTER_S", threading.TIMEOUT_MAX)
    monkeypatch.setattr(BirthLog, "_tend", TEND)
    files = _Meeting()
    state = StateDirectory(tmp_path, files=files)
    paths = [f"{tmp_path}/{KEY}/{_id(number)}.sqlite" for number in range(3)]
    for number in range(3):
        _do("b", state.database(KEY, _id(number)))
    # Nobody asked for the first one; another is asked for before its turn has come.
    assert files.placed.get(timeout=30) == paths[0]
    # It is used while its sync is under way.
    assert _keys(state.database(KEY, _id(0))) == {b"born"}
    assert not Path(paths[2]).exists()
    assert _keys(state.database(KEY, _id(2))) == {b"born"}
    files.go_on.release()
    assert files.placed.get(timeout=30) == paths[1]
    files.go_on.release(99)
    assert len(_logs(tmp_path)) == 1
    state.close()
    assert _logs(tmp_path) == []


def test_files_that_a_test_watches_are_placed_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BirthLog, "_tend", TEND)
    files = FaultyFiles()
    state = StateDirectory(tmp_path, files=files)
    _do("b", state.database(KEY, _id(1)))
    assert (tmp_path / KEY / f"{_id(1)}.sqlite").exists()
    calls = len(files.calls)
    assert _keys(state.database(KEY, _id(1))) == {b"born"}
    assert "write database" not in {call.label for call in files.calls[calls:]}
    state.close()


def test_a_file_that_cannot_be_placed_is_not_lost(tmp_path: Path) -> None:
    files = FaultyFiles()
    state = StateDirectory(tmp_path, files=files)
    database = state.database(KEY, _id(1))
    _do("b", database)
    files.fail(Fault(1, errno.ENOSPC, lasting=True, partly=True))
    for _ in range(2):
        with pytest.raises(StorageError, match=r"SQLITE_FULL|No space"):
            _keys(database)
    # Who looks from outside does not find half a file either.
    assert [*state.catalog(KEY).shelf.ids()] in ([], [_id(1)])
    with pytest.raises(StorageError):
        state.catalog(KEY).shelf.glance(_id(1))
    files.mend()
    assert _keys(database) == {b"born"}
    assert _dead(state, tmp_path)[1] == {b"born"}


@pytest.mark.parametrize("kept", [0, 1, 4096, 5000])
def test_a_process_that_is_killed_while_it_places_a_file_loses_nothing(kept: int, tmp_path: Path) -> None:
    path = _recorded_object(tmp_path, "b")
    content = path.read_bytes()
    # As the kernel leaves it: changed later than the record says.
    path.write_bytes(content[:kept])
    assert path.stat().st_mtime_ns > 0
    state = StateDirectory(tmp_path)
    assert path.read_bytes() == content
    assert _keys(state.database(KEY, _id(1))) == {b"born"}
    state.close()


def test_what_is_left_of_a_removed_file_does_not_become_part_of_another(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    database = state.database(KEY, _id(1))
    _do("b", database)
    _do("c", database)
    wal = tmp_path / KEY / f"{_id(1)}.sqlite-wal"
    left = wal.read_bytes()
    database.close()
    state.close()
    assert left
    (tmp_path / KEY / f"{_id(1)}.sqlite").unlink()
    shutil.rmtree(tmp_path / ".durabox" / "history")
    wal.write_bytes(left)
    state = StateDirectory(tmp_path)
    _do("b", state.database(KEY, _id(1)))
    assert not wal.exists()
    assert _dead(state, tmp_path)[1] == {b"born"}


@pytest.mark.parametrize("durability", [Durability.NORMAL, Durability.OFF])
def test_other_durabilities_have_no_log(durability: Durability, tmp_path: Path) -> None:
    files = _Order()
    state = StateDirectory(tmp_path, files=files, durability=durability)
    _do("b", state.database(KEY, _id(1)))
    assert not any("log of births" in label for label in files.labels)
    assert files.labels.count("sync birth") == (durability is Durability.NORMAL)
    state.close()


# Damaged and hostile logs


def _write_log(folder: Path, number: int, records: Iterable[bytes]) -> Path:
    log = folder / ".durabox" / "newborns" / str(number)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"".join(records))
    return log


def _record(name: bytes, content: bytes, modified_ns: int = 1 << 62) -> bytes:
    return struct.pack("<qIH", modified_ns, len(content), len(name)) + name + content


def _group(number: int, *records: bytes) -> bytes:
    checked = struct.pack("<QQ", number, sum(map(len, records))) + b"".join(records)
    return b"born" + struct.pack("<I", zlib.crc32(checked)) + checked


def test_a_record_is_what_its_layout_says(tmp_path: Path) -> None:
    path = _recorded_object(tmp_path, "b")
    (log,) = _logs(tmp_path)
    name = f"{KEY}/{_id(1)}.sqlite".encode()
    record = _record(name, path.read_bytes(), path.stat().st_mtime_ns)
    assert log.read_bytes() == _group(int(log.name), record)


@pytest.mark.parametrize(
    "name",
    [
        b"../outside.sqlite",
        b"demo-C/../../outside.sqlite",
        b"/outside.sqlite",
        b".durabox/" + _id(1).encode() + b".sqlite",
        b"demo-C/other.sqlite",
        b"demo-C/" + _id(1).encode() + b".sqlite-wal",
        b"demo-C/" + _id(1).encode() + b".sqlite\n",
        b"demo-C/" + _id(1).encode() + b".facets",
        b"",
    ],
)
def test_a_record_names_nothing_but_a_database(
    name: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    _write_log(folder, 7, [_group(7, _record(name, b"content"))])
    StateDirectory(folder).close()
    assert "newborns/7: no record at byte 24" in caplog.text
    assert {*tmp_path.iterdir()} == {folder}
    assert [entry.name for entry in folder.iterdir()] == [".durabox"]
    assert _logs(folder) == []


def test_a_record_of_another_log_does_not_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    name = f"{KEY}/{_id(1)}.sqlite".encode()
    _write_log(tmp_path, 8, [_group(7, _record(name, b"of a log that was removed"))])
    StateDirectory(tmp_path).close()
    assert not (tmp_path / KEY).exists()
    assert "newborns/8: no group at byte 0" in caplog.text


def test_later_logs_and_records_win(tmp_path: Path) -> None:
    name = f"{KEY}/{_id(1)}.sqlite".encode()
    _write_log(tmp_path, 10, [_group(10, _record(name, b"third", 30), _record(name, b"fourth", 40))])
    _write_log(tmp_path, 9, [_group(9, _record(name, b"first", 10)), _group(9, _record(name, b"second", 20))])
    StateDirectory(tmp_path).close()
    assert (tmp_path / KEY / f"{_id(1)}.sqlite").read_bytes() == b"fourth"


def test_what_is_no_log_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / ".durabox" / "newborns"
    (folder / "12").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    path = _recorded_object(tmp_path, "b")
    path.unlink()
    caplog.clear()
    StateDirectory(tmp_path).close()
    assert path.exists()
    assert [entry.name for entry in _logs(tmp_path)] == ["12", "notes.txt"]
    assert "newborns/12 is no log of new objects" in caplog.text


@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_log_damages_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    names = [f"{KEY}/{_id(number)}.sqlite".encode() for number in range(3)]
    contents = [b"first" * 30, b"second" * 30, b"third" * 30]
    log = _write_log(folder, 5, [_group(5, _record(*pair)) for pair in zip(names, contents, strict=True)])
    whole = bytearray(log.read_bytes())
    cut = data.draw(st.integers(0, len(whole)))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:cut]
    if at < cut:
        damaged[at] ^= data.draw(st.integers(1, 255))
    log.write_bytes(damaged + data.draw(st.binary(max_size=40)))
    StateDirectory(folder).close()
    intact = min(at, cut) * 3 // len(whole)
    for number, (name, content) in enumerate(zip(names, contents, strict=True)):
        path = folder / name.decode()
        if number < intact or path.exists():
            assert path.read_bytes() == content
    assert _logs(folder) == []
