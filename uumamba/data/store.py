"""The work folder of preprocessed cases: blosc2 arrays and JSON, everything that training needs.

    <folder>/<case>/data.b2nd         float32 (channel, *network axes)
                    labels.b2nd       int8, uint8 or int16 (1, *network axes); -1 marks voxels outside the nonzero mask
                    foreground.npy    int16 (voxels, 4): class and network axes, sorted by class
                    record.json       spacing, geometry, hashes

A case appears by the renaming of its whole folder, so a killed run leaves no half case behind.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import blosc2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import hash_file, hash_json, read_json, write_json
from uumamba.core.settings import Settings, first_problem

OUTSIDE = -1
Index: TypeAlias = Sequence[int]
_BLOCK_VOXELS = 32 * 1024
_LABEL_TYPES = (np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int16))
_FILES = ("data.b2nd", "labels.b2nd", "foreground.npy")
_WAY_OUT = "delete the case's folder and run `uumamba preprocess` again"


class CaseRecord(Settings):
    """What is known of a preprocessed case beside its arrays.

    `inputs` is the hash of all that the arrays were made from (files and settings); `spacing_mm` follows the network
    axes; `geometry` is what preprocessing needs to undo itself; `details` belong to the data set (group, phase, ...).
    """

    inputs: str
    spacing_mm: tuple[float, float, float]
    geometry: dict[str, Any] = Field(default_factory=dict)
    details: dict[str, Any] = Field(default_factory=dict)


class _StoredFile(Settings):
    bytes: int
    sha256: str


class _Entry(Settings):
    """The content of record.json."""

    record: CaseRecord
    shape: tuple[int, int, int, int]
    files: dict[str, _StoredFile]


class PreprocessedStore:
    """Preprocessed cases in one folder; holds no open file, so it may be copied to other processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._entries: dict[str, _Entry] = {}

    def write(
        self,
        case: str,
        data: NDArray[np.float32],
        labels: NDArray[Any],
        record: CaseRecord,
        *,
        foreground: Mapping[int, NDArray[np.integer[Any]]],
        patch_size: Index | None = None,
    ) -> None:
        """Write a case, or replace it.

        `data` float32 (channel, *network axes), `labels` int8, uint8 or int16 (1, *network axes), `foreground` class ->
        (voxels, 3) places in network axes, one or more per class present. `patch_size` shapes the chunks: with 3 axes
        like patches, with 2 or none they are slices. Raises `InputError` for arrays that do not fit together.
        """
        _check_arrays(case, data, labels)
        target = self._case_folder(case)
        temporary, old = (target.with_name(f".{word}-{os.getpid()}-{case}") for word in ("new", "old"))
        for left_over in self.folder.glob(".*-*"):
            if left_over.name.split("-", 2)[2:] == [case]:
                shutil.rmtree(left_over)
        temporary.mkdir(parents=True)
        try:
            patch = patch_size if patch_size is not None and len(patch_size) == 3 else (1, *data.shape[2:])
            for name, array in (("data.b2nd", data), ("labels.b2nd", labels)):
                _write_array(temporary / name, array, patch)
            np.save(temporary / "foreground.npy", _stack_foreground(foreground), allow_pickle=False)
            files = {name: _describe(temporary / name) for name in _FILES}
            entry = _Entry(record=record, shape=data.shape, files=files)
            write_json(temporary / "record.json", entry.model_dump(mode="json"))
            if target.exists():
                target.rename(old)
            temporary.rename(target)
        finally:
            for folder in (temporary, old):
                shutil.rmtree(folder, ignore_errors=True)
            self._entries.pop(case, None)

    def cases(self) -> tuple[str, ...]:
        """Names of the cases that are whole, sorted; empty without a folder."""
        found = (path.parent.name for path in self.folder.glob("*/record.json"))
        return tuple(sorted(name for name in found if not name.startswith(".")))

    def is_current(self, case: str, inputs: str) -> bool:
        """Whether the case is whole and was made from just these inputs (`CaseRecord.inputs`)."""
        try:
            entry = self._entry(case)
            for name in _FILES:
                self._file(case, name)
        except InputError:
            return False
        return entry.record.inputs == inputs

    def record(self, case: str) -> CaseRecord:
        """The case's record; raises `InputError` if it is missing or broken."""
        return self._entry(case).record

    def shape(self, case: str) -> tuple[int, int, int, int]:
        """Shape of the data: (channel, *network axes)."""
        return self._entry(case).shape

    def content_hash(self, cases: Sequence[str]) -> str:
        """One hash of all these cases' arrays, for the run record; independent of their order and of the folder."""
        return hash_json(
            {case: {name: file.sha256 for name, file in self._entry(case).files.items()} for case in cases}
        )

    def foreground(self, case: str) -> dict[int, NDArray[np.int16]]:
        """Class -> (voxels, 3) places in network axes where it was found; a class that is absent has no key."""
        path = self._file(case, "foreground.npy")
        try:
            table = np.load(path, mmap_mode="r", allow_pickle=False)
            classes = np.asarray(table[:, 0])
        except (OSError, ValueError, EOFError, IndexError) as error:
            raise InputError(f"{path}: not a table of foreground voxels ({error}); {_WAY_OUT}") from None
        bounds = np.concatenate(([0], np.flatnonzero(np.diff(classes)) + 1, [len(classes)]))
        return {int(classes[first]): table[first:last, 1:] for first, last in pairwise(bounds) if last > first}

    def read_patch(self, case: str, lower: Index, upper: Index) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        """Read the box `lower <= voxel < upper` (network axes); it may reach beyond the array.

        Returns data float32 (channel, *box) and labels int16 (1, *box). Beyond the array data are 0, the mean after
        normalisation, and labels are -1, as in nnU-Net; after augmentation the loader makes background of -1, so every
        target is a class that the loss knows, and beyond the image the network learns background.
        """
        shape = self.shape(case)[1:]
        inside = tuple(slice(max(low, 0), min(high, size)) for low, high, size in zip(lower, upper, shape, strict=True))
        box = [high - low for low, high in zip(lower, upper, strict=True)]
        data = np.zeros((self.shape(case)[0], *box), np.float32)
        labels = np.full((1, *box), OUTSIDE, np.int16)
        if all(part.start < part.stop for part in inside):
            here = tuple(slice(part.start - low, part.stop - low) for part, low in zip(inside, lower, strict=True))
            data[(slice(None), *here)] = self._read(case, "data.b2nd", inside)
            labels[(slice(None), *here)] = self._read(case, "labels.b2nd", inside)
        return data, labels

    def read_case(self, case: str) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
        """The whole case: data float32 (channel, *network axes), labels int16 (1, *network axes)."""
        return self.read_patch(case, (0, 0, 0), self.shape(case)[1:])

    def _read(self, case: str, name: str, inside: tuple[slice, ...]) -> NDArray[Any]:
        path = self._file(case, name)
        try:
            array = blosc2.open(urlpath=str(path), mode="r", dparams={"nthreads": 1}, mmap_mode="r")
            return np.asarray(array[(slice(None), *inside)])
        except (RuntimeError, OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}); {_WAY_OUT}") from None

    def _entry(self, case: str) -> _Entry:
        if case not in self._entries:
            path = self._case_folder(case) / "record.json"
            if not path.is_file():
                raise InputError(f"{path}: the case {case!r} is not preprocessed; run `uumamba preprocess`")
            try:
                self._entries[case] = _Entry.model_validate(read_json(path))
            except ValidationError as error:
                raise InputError(
                    f"{path}: not a record of a preprocessed case ({first_problem(error)}); {_WAY_OUT}"
                ) from None
        return self._entries[case]

    def _file(self, case: str, name: str) -> Path:
        """The path of one of the case's files, if it is there in full."""
        path = self._case_folder(case) / name
        stored = self._entry(case).files.get(name)
        size = path.stat().st_size if path.is_file() else None
        if stored is None or size is None:
            raise InputError(f"{path}: no such file, but the record names it; {_WAY_OUT}")
        if size != stored.bytes:
            raise InputError(f"{path}: {size} bytes, but {stored.bytes} were written; {_WAY_OUT}")
        return path

    def _case_folder(self, case: str) -> Path:
        if not case or case.startswith(".") or Path(case).name != case:
            raise InputError(
                f"case name {case!r} must be a plain file name that does not begin with a dot; rename the case"
            )
        return self.folder / case


def _check_arrays(case: str, data: NDArray[Any], labels: NDArray[Any]) -> None:
    if data.ndim != 4 or data.dtype != np.float32 or 0 in data.shape:
        raise InputError(
            f"case {case}: data must be float32 (channel, z, y, x), not empty; got {data.dtype} {data.shape}"
        )
    if labels.dtype not in _LABEL_TYPES or labels.shape != (1, *data.shape[1:]):
        raise InputError(
            f"case {case}: labels must be int8, uint8 or int16 of shape {(1, *data.shape[1:])}, as the data are; "
            f"got {labels.dtype} {labels.shape}"
        )


def _write_array(path: Path, array: NDArray[Any], patch: Index) -> None:
    """Chunks of about a patch, in blocks (the unit that is decompressed) of at most 32 Ki voxels; channels apart."""
    chunk = [min(size, length) for size, length in zip(array.shape[1:], patch, strict=True)]
    block = list(chunk)
    while int(np.prod(block)) > _BLOCK_VOXELS:
        longest = int(np.argmax(block))
        block[longest] = (block[longest] + 1) // 2
    stored = blosc2.empty(
        array.shape,
        array.dtype,
        urlpath=str(path),
        mode="w",
        chunks=(1, *chunk),
        blocks=(1, *block),
        cparams={"codec": blosc2.Codec.ZSTD, "clevel": 5, "nthreads": 1},
    )
    # Layer by layer: an array that does not lie in the order of its axes would be copied as a whole.
    for channel in range(array.shape[0]):
        for first in range(0, array.shape[1], chunk[0]):
            layer = slice(channel, channel + 1), slice(first, first + chunk[0])
            stored[layer] = np.ascontiguousarray(array[layer])


def _stack_foreground(foreground: Mapping[int, NDArray[np.integer[Any]]]) -> NDArray[np.int16]:
    pieces = [np.empty((0, 4), np.int16)]
    for number in sorted(foreground):
        places = np.asarray(foreground[number]).reshape(-1, 3)
        pieces.append(np.insert(places, 0, number, axis=1).astype(np.int16))
    return np.concatenate(pieces)


def _describe(path: Path) -> _StoredFile:
    """Size and hash of a file that was just written, once it is safely on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return _StoredFile(bytes=path.stat().st_size, sha256=hash_file(path))
