"""The numbers of an object's facets, in workerd's file."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durabox.errors import StorageError
from durabox.storage.directory import StateDirectory
from durabox.storage.facet_index import FacetIndex, facet_id

ID = "ab" * 32
SPACE = "demo-C"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
#: Each by its name, and in which of the earlier ones it is.
trees = st.lists(st.tuples(st.integers(0, 10), names), max_size=12)


def grow(index: FacetIndex, tree: list[tuple[int, str]]) -> dict[int, tuple[str, ...]]:
    """Number the facets of a tree; the names that lead to each."""
    paths: dict[int, tuple[str, ...]] = {0: ()}
    for place, name in tree:
        parent = sorted(paths)[place % len(paths)]
        paths[index.number(parent, name)] = (*paths[parent], name)
    del paths[0]
    return paths


@given(trees)
def test_numbers_are_found_again(tree: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = StateDirectory(Path(folder))
        index = state.facets(SPACE, ID)
        paths = grow(index, tree)
        assert index.below(0) == paths
        assert list(paths) == list(range(1, len(paths) + 1))
        if paths:
            index.keep(len(paths))
        del index
        again = state.facets(SPACE, ID)
        assert again.below(0) == paths
        assert grow(again, tree) == paths
        state.close()


@given(trees, st.integers(0, 400), st.binary(max_size=12))
def test_what_a_killed_writer_left_of_an_entry_is_cut_off(
    tree: list[tuple[int, str]], length: int, rest: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / SPACE / f"{ID}.facets"
        state = StateDirectory(Path(folder))
        index = state.facets(SPACE, ID)
        paths = grow(index, [(0, "first"), *tree])
        index.keep(len(paths))
        whole = file.read_bytes()
        file.write_bytes(whole[: max(length, 8)] + rest)
        del index
        again = state.facets(SPACE, ID)
        found = again.below(0)
        assert [*found] == [*range(1, len(found) + 1)]
        number = again.number(0, "one more")
        again.keep(number)
        kept = file.read_bytes()
        del again
        assert state.facets(SPACE, ID).find(0, "one more") == number
        assert kept.startswith(whole[:8])
        state.close()


def test_the_file_is_workerds(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    index = state.facets(SPACE, ID)
    assert (index.number(0, "a"), index.number(1, "\u20ac"), index.number(0, "a")) == (1, 2, 1)
    assert not (tmp_path / SPACE).exists(), "nothing is written before somebody stores something"
    for number in (2, 1):
        database = state.database(SPACE, facet_id(ID, number))
        database.kv.put(b"k", b"v")
        database.commit()
    state.close()
    written = (tmp_path / SPACE / f"{ID}.facets").read_bytes()
    assert written == struct.pack("<QHH1sHH3s", 0xC4CDCE5BC5B0EF57, 0, 1, b"a", 1, 3, b"\xe2\x82\xac")


def test_a_file_of_another_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / SPACE).mkdir()
    file = tmp_path / SPACE / f"{ID}.facets"
    file.write_bytes(b"something else")
    state = StateDirectory(tmp_path)
    with pytest.raises(StorageError, match="unknown format"):
        state.facets(SPACE, ID).number(0, "a")
    state.close()
    assert file.read_bytes() == b"something else"


def test_there_are_65535_at_most() -> None:
    state = StateDirectory(None)
    index = state.facets(SPACE, ID)
    for number in range(65535):
        index.number(0, str(number))
    with pytest.raises(StorageError, match="Maximum number of facets exceeded"):
        index.number(0, "one more")
    assert index.number(0, "7") == 8
    state.close()
