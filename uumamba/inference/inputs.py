"""Which of a user's files and folders are the images of which case."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.imaging.files import IMAGE_MARKS, IMAGE_SUFFIXES, LABEL_MARKS, find_images, image_stem, without_mark
from uumamba.inference.case_table import is_case_table, read_case_names
from uumamba.inference.input_table import TABLE_SUFFIX, ListedCase, read_input_table

ONE_CHANNEL = ("image",)
"""The channel's name of a model that takes one image, where it does not matter."""

_SERIES_ENDING, _FRAME = "_4d", "_frame"
_FRAME_NUMBER = re.compile(r"_frame[0-9]+$")
_CHANNEL_NUMBER = re.compile(r"(.+)_([0-9]{4})")


@dataclass(frozen=True)
class CaseInput:
    """A case: its name, which its outputs have too, its images, one per channel, and what a table says of it.

    A name with folders ("a/scan") is that of images of which several have one stem. Whether the images are there, and
    as many as the model takes, shows when the case is read.
    """

    case: str
    images: tuple[Path, ...]
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """The cases to predict, sorted as they were given, and the files of the folders that are left out, with why."""

    cases: tuple[CaseInput, ...]
    left_out: tuple[tuple[Path, str], ...]


@dataclass(frozen=True)
class _Draft:
    """A case before its name is known to be the only one."""

    stem: str
    folder: Path
    images: tuple[Path, ...]
    details: Mapping[str, str] = field(default_factory=dict)
    is_named: bool = False


def require_inputs(inputs: Sequence[Path]) -> None:
    """Raise `InputError` for an input that is neither a file nor a folder nor a pattern that fits one."""
    for given in inputs:
        if given.exists():
            continue
        if not _is_pattern(given):
            raise InputError(f"{given}: no such file or folder")
        if not _matches(given):
            raise InputError(f"{given}: fits no file and no folder")


def find_inputs(
    inputs: Sequence[Path], output: Path, *, channels: Sequence[str] = ONE_CHANNEL, only: Collection[str] | None = None
) -> Inputs:
    """Find the cases of `inputs`: files, folders (at any depth), patterns such as `study/*.nii.gz`, and CSV tables.

    Left out of folders and patterns: label maps (by `LABEL_MARKS`), time series (`X_4d`) beside their frames
    (`X_frame...`), hidden files, and what batches of this program wrote. A file that is named itself is always taken,
    and one that is named twice is taken once. With several `channels` the files `X_0000`, `X_0001` and so on of one
    folder are the case X; tables are read as `read_input_table` says. Where images share a stem, the folder is part of
    the case's name. `only` keeps the cases of these names: X is the image X or a marked one such as X_CTA, X_frame01
    may be the whole series X. Raises `InputError` if an input does not exist, if no case is left, if a label map would
    overwrite an image, or if two cases have one name all the same.
    """
    require_inputs(inputs)
    batches = _Batches(output)
    images: dict[Path, Path] = {}
    listed: list[_Draft] = []
    left_out: list[tuple[Path, str]] = []
    for given in inputs:
        if given.is_file() and given.suffix.lower() == TABLE_SUFFIX:
            listed += [_draft(case) for case in read_input_table(given, channels)]
            continue
        for path, is_named in _files_of(given):
            reason = None if is_named else _reason_to_leave_out(path, batches)
            if reason is None:
                images.setdefault(path.resolve(), path)
            else:
                left_out.append((path, reason))
    drafts = [*_group(list(images.values()), len(channels)), *listed]
    wanted = [draft for draft in drafts if only is None or _cases_of(draft, only)]
    if only is not None and (absent := sorted(set(only).difference(*(_cases_of(draft, only) for draft in wanted)))):
        raise InputError(f"no image of {', '.join(absent[:5])} ({len(absent)} in all) in {_in_words(inputs)}")
    if not wanted:
        reasons = sorted({reason for _, reason in left_out})
        more = f"; left out {len(left_out)} files: {', '.join(reasons)}" if left_out else ""
        raise InputError(f"no image ({', '.join(IMAGE_SUFFIXES)}) in {_in_words(inputs)}{more}")
    cases = _with_own_names(wanted)
    _require_own_outputs(cases, output)
    return Inputs(cases, tuple(left_out))


def label_map_path(case: str, output: Path) -> Path:
    """Where a case's label map goes."""
    return output / f"{case}.nii.gz"


def find_tables(folder: Path) -> tuple[Path, ...]:
    """The tables of batches, and of their shards, in a folder, sorted; a batch's own comes last."""
    found = [path for path in folder.glob("cases*.csv") if re.fullmatch(r"cases(_\d+_of_\d+)?\.csv", path.name)]
    return tuple(sorted((path for path in found if is_case_table(path)), key=lambda path: (path.stem == "cases", path)))


class _Batches:
    """What batches of this program wrote: all in the output folder or beside a table, and what a table above names."""

    def __init__(self, output: Path) -> None:
        self._output = output.resolve()
        self._known: dict[Path, frozenset[str] | None] = {}

    def wrote(self, path: Path) -> bool:
        """Whether a file is a batch's."""
        folder = path.resolve().parent
        if folder == self._output or self._cases(folder) is not None:
            return True
        for above in folder.parents:
            cases = self._cases(above)
            if cases and (folder / image_stem(path)).relative_to(above).as_posix() in cases:
                return True
        return False

    def _cases(self, folder: Path) -> frozenset[str] | None:
        if folder not in self._known:
            tables = find_tables(folder)
            names = [name for table in tables for name in read_case_names(table)]
            endings = ("", "_entropy", "_disagreement")
            self._known[folder] = frozenset(name + end for name in names for end in endings) if tables else None
        return self._known[folder]


def _is_pattern(given: Path) -> bool:
    return any(mark in str(given) for mark in "*?[")


def _matches(pattern: Path) -> list[Path]:
    start = Path(pattern.anchor)
    found = start.glob(str(pattern.relative_to(start)))
    return sorted(path for path in found if not path.name.startswith("."))


def _files_of(given: Path) -> Iterator[tuple[Path, bool]]:
    """The images of an input, and whether each is named itself."""
    if not given.exists():
        for match in _matches(given):
            if match.is_dir():
                yield from _files_of(match)
            elif match.name.lower().endswith(IMAGE_SUFFIXES):
                yield match, False
    elif given.is_dir():
        yield from ((path, False) for path in find_images(given))
    else:
        image_stem(given)
        yield given, True


def _reason_to_leave_out(path: Path, batches: _Batches) -> str | None:
    stem = image_stem(path)
    if batches.wrote(path):
        return "label map of a batch"
    if without_mark(stem, LABEL_MARKS) != stem:
        return "label map by its name"
    if stem.lower().endswith(_SERIES_ENDING) and _has_frames(path, stem[: -len(_SERIES_ENDING)]):
        return "time series beside its frames"
    return None


def _has_frames(series: Path, case: str) -> bool:
    beside = (path for path in series.parent.iterdir() if path.name.lower().endswith(IMAGE_SUFFIXES))
    stems = [image_stem(path) for path in beside]
    return any(
        stem.lower().startswith((case + _FRAME).lower()) and without_mark(stem, LABEL_MARKS) == stem for stem in stems
    )


def _group(images: Sequence[Path], channels: int) -> list[_Draft]:
    """One draft per image; with several channels one for the numbered files of a folder that differ in the number.

    A channel that is not there is named all the same, so that reading says what is missing.
    """
    grouped: dict[tuple[Path, str], dict[int, Path]] = {}
    drafts: list[_Draft | tuple[Path, str]] = []
    for path in images:
        numbered = _CHANNEL_NUMBER.fullmatch(image_stem(path)) if channels > 1 else None
        if numbered is None:
            drafts.append(_Draft(image_stem(path), path.parent, (path,)))
            continue
        key = (path.parent, numbered[1])
        if key not in grouped:
            grouped[key] = {}
            drafts.append(key)
        grouped[key][int(numbered[2])] = path
    return [draft if isinstance(draft, _Draft) else _numbered(*draft, grouped[draft], channels) for draft in drafts]


def _numbered(folder: Path, stem: str, found: Mapping[int, Path], channels: int) -> _Draft:
    first = next(iter(found.values()))
    suffix = first.name[len(image_stem(first)) :]
    numbers = sorted({*found, *range(channels)})
    return _Draft(stem, folder, tuple(found.get(number, folder / f"{stem}_{number:04}{suffix}") for number in numbers))


def _draft(listed: ListedCase) -> _Draft:
    if not listed.images:
        return _Draft(listed.case or f"line_{listed.line}", Path(), (), listed.details, is_named=True)
    first = listed.images[0]
    stem = image_stem(first) if first.name.lower().endswith(IMAGE_SUFFIXES) else first.name
    numbered = _CHANNEL_NUMBER.fullmatch(stem) if len(listed.images) > 1 else None
    stem = listed.case or (numbered[1] if numbered else stem)
    return _Draft(stem, first.parent, listed.images, listed.details, is_named=bool(listed.case))


def _with_own_names(drafts: Sequence[_Draft]) -> tuple[CaseInput, ...]:
    """Cases named by their stems, and where those are shared, by folder and stem, from where the folders part."""
    often = Counter(draft.stem for draft in drafts)
    shared = {draft.stem for draft in drafts if often[draft.stem] > 1 and not draft.is_named}
    folders = [draft.folder.resolve() for draft in drafts if not draft.is_named]
    root = Path(os.path.commonpath(folders)) if shared else Path()
    cases = []
    for draft in drafts:
        name = draft.stem
        if draft.stem in shared and not draft.is_named:
            name = (draft.folder.resolve() / draft.stem).relative_to(root).as_posix()
        cases.append(CaseInput(name, draft.images, draft.details))
    return tuple(cases)


def _require_own_outputs(cases: Sequence[CaseInput], output: Path) -> None:
    taken: dict[str, CaseInput] = {}
    for case in cases:
        target = label_map_path(case.case, output)
        for image in case.images:
            if target.resolve() == image.resolve():
                raise InputError(
                    f"{image}: its label map would overwrite it; give another --output folder than {output}"
                )
        other = taken.setdefault(case.case, case)
        if other is not case:
            raise InputError(
                f"{_in_words(other.images)} and {_in_words(case.images)} would both be written to {target}; rename "
                f"one, or predict them into two folders"
            )


def _cases_of(draft: _Draft, names: Collection[str]) -> set[str]:
    """Those of the names that are of this image."""
    plain = {draft.stem, without_mark(draft.stem, IMAGE_MARKS)}
    return {name for name in names if name in plain or _FRAME_NUMBER.sub("", name) in plain}


def _in_words(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths)) or "a case without image"
