"""The store gives back what was put in, in whole or in parts, and says clearly when it cannot."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.store import fake_store
from uumamba.core.errors import InputError
from uumamba.data.store import CaseRecord, PreprocessedStore

SHAPE = (5, 17, 12)
RECORD = CaseRecord(inputs="abc", spacing_mm=(5.0, 1.0, 1.5), geometry={"shape": [1, 2]}, details={"group": "DCM"})


def arrays(channels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.integers(-1, 3, size=(1, *SHAPE)).astype(np.int8)
    return random.normal(size=(channels, *SHAPE)).astype(np.float32), labels


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> PreprocessedStore:
    store = PreprocessedStore(tmp_path_factory.mktemp("store"))
    data, labels = arrays()
    places = {2: np.array([[1, 2, 3], [4, 16, 11]]), 1: np.array([[0, 0, 0]])}
    store.write("patient001_frame01", data, labels, RECORD, foreground=places, patch_size=(4, 8, 8))
    return store


def test_round_trip(store: PreprocessedStore) -> None:
    data, labels = arrays()
    read_data, read_labels = store.read_case("patient001_frame01")
    np.testing.assert_array_equal(read_data, data)
    np.testing.assert_array_equal(read_labels, labels)
    assert (read_data.dtype, read_labels.dtype) == (np.float32, np.int16)
    assert store.cases() == ("patient001_frame01",)
    assert store.shape("patient001_frame01") == (2, *SHAPE)
    assert PreprocessedStore(store.folder).record("patient001_frame01") == RECORD


def test_foreground_round_trip(store: PreprocessedStore) -> None:
    found = store.foreground("patient001_frame01")
    assert sorted(found) == [1, 2]
    np.testing.assert_array_equal(found[1], [[0, 0, 0]])
    np.testing.assert_array_equal(found[2], [[1, 2, 3], [4, 16, 11]])


def test_case_without_foreground(tmp_path: Path) -> None:
    store = PreprocessedStore(tmp_path)
    data, labels = arrays()
    store.write("empty", data, labels * 0, RECORD, foreground={})
    assert store.foreground("empty") == {}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_box_equals_the_padded_case(store: PreprocessedStore, draw: st.DataObject) -> None:
    lower = [draw.draw(st.integers(-6, size + 4)) for size in SHAPE]
    upper = [low + draw.draw(st.integers(1, 20)) for low in lower]
    data, labels = store.read_patch("patient001_frame01", lower, upper)
    whole_data, whole_labels = arrays()
    around = [(0, 0), (30, 30), (30, 30), (30, 30)]
    box = (slice(None), *(slice(low + 30, high + 30) for low, high in zip(lower, upper, strict=True)))
    np.testing.assert_array_equal(data, np.pad(whole_data, around)[box])
    np.testing.assert_array_equal(labels, np.pad(whole_labels.astype(np.int16), around, constant_values=-1)[box])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
@pytest.mark.parametrize("patch", [None, (8, 8), (4, 8, 8), (99, 99, 99)])
def test_every_label_type_and_chunk(tmp_path: Path, dtype: type, patch: tuple[int, ...] | None) -> None:
    store = PreprocessedStore(tmp_path)
    data, labels = arrays(channels=1)
    store.write("a", data, np.abs(labels).astype(dtype), RECORD, foreground={}, patch_size=patch)
    np.testing.assert_array_equal(store.read_patch("a", (1, 2, 3), (4, 5, 6))[1], np.abs(labels)[:, 1:4, 2:5, 3:6])


def test_is_current_only_for_the_same_inputs(tmp_path: Path) -> None:
    store = fake_store(tmp_path, cases=1)
    assert store.is_current("case0", "made of 0")
    assert not store.is_current("case0", "made of something else")
    assert not store.is_current("case1", "made of 1")
    (tmp_path / "case0" / "labels.b2nd").unlink()
    assert not store.is_current("case0", "made of 0")


def test_rewriting_replaces_the_case(tmp_path: Path) -> None:
    store = fake_store(tmp_path, cases=1)
    before = store.content_hash(["case0"])
    data, labels = arrays()
    store.write("case0", data, labels, RECORD, foreground={})
    assert store.record("case0") == RECORD
    assert store.shape("case0") == data.shape
    assert store.content_hash(["case0"]) != before
    assert [path.name for path in tmp_path.iterdir()] == ["case0"]


def test_content_hash_knows_content_not_place(tmp_path: Path) -> None:
    first, second = fake_store(tmp_path / "a"), fake_store(tmp_path / "b")
    assert first.content_hash(["case0", "case1"]) == second.content_hash(["case1", "case0"])
    assert first.content_hash(["case0"]) != first.content_hash(["case1"])


def test_killed_run_leaves_no_half_case(tmp_path: Path) -> None:
    store = fake_store(tmp_path, cases=1)
    data, labels = arrays()
    with pytest.raises(ValueError, match="reshape"):
        store.write("case0", data, labels, RECORD, foreground={1: np.zeros((2, 2), int)})
    assert store.is_current("case0", "made of 0")
    assert [path.name for path in tmp_path.iterdir()] == ["case0"]
    # What a killed process leaves lies under a hidden name: it is no case, and the next run clears it away.
    left_over = tmp_path / ".new-123-case1"
    left_over.mkdir()
    (left_over / "record.json").write_text("{}")
    assert store.cases() == ("case0",)
    store.write("case1", data, labels, RECORD, foreground={})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case0", "case1"]


def test_other_cases_being_written_are_left_alone(tmp_path: Path) -> None:
    store = PreprocessedStore(tmp_path)
    data, labels = arrays()
    (tmp_path / ".new-123-a-1").mkdir(parents=True)
    store.write("1", data, labels, RECORD, foreground={})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new-123-a-1", "1"]


def test_store_travels_to_other_processes(store: PreprocessedStore) -> None:
    copy = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(copy.read_case("patient001_frame01")[0], store.read_case("patient001_frame01")[0])


def test_empty_folder_has_no_cases(tmp_path: Path) -> None:
    assert PreprocessedStore(tmp_path / "nothing").cases() == ()


@pytest.mark.parametrize("name", ["data.b2nd", "labels.b2nd"])
def test_missing_cut_or_garbled_array(tmp_path: Path, name: str) -> None:
    store = fake_store(tmp_path, cases=1)
    path = tmp_path / "case0" / name
    content = path.read_bytes()
    path.write_bytes(b"\0" * len(content))
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: cannot be read .* run `uumamba preprocess` again"):
        store.read_case("case0")
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=rf"{len(content) // 2} bytes, but {len(content)} were written; .* preprocess"):
        store.read_case("case0")
    path.unlink()
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: no such file, but the record names it; .* prep"):
        store.read_case("case0")


def test_garbled_foreground(tmp_path: Path) -> None:
    store = fake_store(tmp_path, cases=1)
    path = tmp_path / "case0" / "foreground.npy"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(InputError, match=r"foreground.npy: not a table of foreground voxels .* preprocess` again"):
        store.foreground("case0")


def test_broken_or_missing_record(tmp_path: Path) -> None:
    fake_store(tmp_path, cases=1)
    store = PreprocessedStore(tmp_path)
    with pytest.raises(InputError, match=r"case7' is not preprocessed; run `uumamba preprocess`"):
        store.record("case7")
    (tmp_path / "case0" / "record.json").write_text('{"shape": [1, 2, 3, 4]}')
    with pytest.raises(InputError, match=r"record.json: not a record of a preprocessed case \(record: Field req"):
        store.record("case0")


def test_arrays_that_do_not_fit(tmp_path: Path) -> None:
    store = PreprocessedStore(tmp_path)
    data, labels = arrays()
    with pytest.raises(InputError, match=r"case a: data must be float32 \(channel, z, y, x\), not empty; got float64"):
        store.write("a", data.astype(np.float64), labels, RECORD, foreground={})
    with pytest.raises(InputError, match=r"case a: labels must be int8, uint8 or int16 of shape .*; got int64"):
        store.write("a", data, labels.astype(np.int64), RECORD, foreground={})
    with pytest.raises(InputError, match=r"got int8 \(1, 2, 17, 12\)"):
        store.write("a", data, labels[:, :2], RECORD, foreground={})
    assert store.cases() == ()


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
def test_case_names_that_are_no_file_names(tmp_path: Path, name: str) -> None:
    data, labels = arrays()
    with pytest.raises(InputError, match="must be a plain file name that does not begin with a dot; rename the case"):
        PreprocessedStore(tmp_path).write(name, data, labels, RECORD, foreground={})
