"""The `--labels` file: names and numbers of the structures, for both sides at once or for each.

RV: 1                                  predictions: {RV: 1, MYO: 2, LV: 3, LAD: 4}
MYO: 2                       or        references: {LV: 1, MYO: 2, LAD: 7}
LV: 3                                  optional: [MYO]
                                       tubular: [LAD]

A list of numbers is a region, all voxels that have one of them: `heart: [1, 2, 3]`. Regions may overlap.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.core.settings import first_problem
from uumamba.core.strict_yaml import read_yaml
from uumamba.evaluation.label_match import LabelMatch, Numbers, same_labels

LARGEST_NUMBER = 65535
_LONGEST_QUOTE = 60
_EXAMPLE = "write for example `RV: 1`, `MYO: 2`, `LV: 3`"
_SIDES = ("predictions", "references")
_MARKS = ("optional", "tubular")
_KEYS = (*_SIDES, *_MARKS)
_SIDES_EXAMPLE = "write for example `references: {LV: 1, MYO: 2}`"


def read_label_match(
    path: Path, dataset_labels: LabelSet | None = None, *, tubular: Collection[str] = ()
) -> LabelMatch:
    """Read a JSON or YAML label file, of one mapping for both sides or of `predictions:` and `references:`.

    One mapping's numbers run from 1 without gaps unless it has regions; `background: 0` may be left out, `ignore` names
    voxels that do not count, and an nnU-Net `dataset.json` will do, by its `labels`. With `dataset_labels` the
    predictions have a data set's numbers, and the file gives the references' alone; `tubular` are its thin vessels,
    beside those that the file names. Raises `InputError` (a `ConfigError` for broken YAML) with what is wrong.
    """
    content = _content(path)
    two_sided = isinstance(content, Mapping) and any(side in content for side in _SIDES)
    if dataset_labels is not None and (not two_sided or "predictions" in content):
        raise InputError(
            f"{path}: with --dataset the predictions have the data set's numbers, so the file gives `references:` (and "
            "`optional:`, `tubular:`) alone; leave --dataset out to name both sides"
        )
    if not two_sided:
        match = _one_mapping(path, content)
        return _with_marks(path, match, content if isinstance(content.get("labels"), Mapping) else {})
    match = _two_sides(path, content, dataset_labels)
    return replace(match, tubular=match.tubular | {name for name in match.structures if name in tubular})


def read_structure_numbers(path: Path) -> Numbers:
    """Read a JSON or YAML mapping of structure name -> number or list of numbers, of any label map.

    Numbers may have gaps, and a structure several of them; an nnU-Net `dataset.json` will do, by its `labels`. Raises
    `InputError` (a `ConfigError` for broken YAML) with what is wrong.
    """
    content = _content(path)
    if isinstance(content, Mapping) and isinstance(content.get("labels"), Mapping):
        content = content["labels"]
    numbers, _ = _side(path, "labels", content)
    _require_own_numbers(path, "labels", numbers)
    return numbers


def _one_mapping(path: Path, content: Any) -> LabelMatch:
    """The labels of both sides, of which some may be regions."""
    labels = content.get("labels", content) if isinstance(content, Mapping) else content
    if not isinstance(labels, Mapping) or not any(isinstance(numbers, list) for numbers in labels.values()):
        return same_labels(_label_set(path, content))
    numbers, ignore = _side(path, "labels", labels)
    return LabelMatch(numbers, numbers, ignore=ignore)


def _content(path: Path) -> Any:
    return read_json(path) if path.suffix.lower() == ".json" else read_yaml(path)


def _label_set(path: Path, content: Any) -> LabelSet:
    if isinstance(content, Mapping) and isinstance(content.get("labels"), Mapping):
        content = content["labels"]
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{path}: must map structure names to numbers, got {type(content).__name__}; {_EXAMPLE}")
    numbers = {str(name): _checked_number(path, name, number) for name, number in content.items()}
    ignore = numbers.pop("ignore", None)
    numbers.setdefault("background", 0)
    names = sorted(numbers, key=numbers.__getitem__)
    if [numbers[name] for name in names] != list(range(len(names))):
        raise InputError(
            f"{path}: numbers must be 0 (background), 1, 2 ... without gap or repeat, got {numbers}; {_EXAMPLE}"
        )
    try:
        return LabelSet(names=tuple(names), ignore=ignore)
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}; {_EXAMPLE}") from None


def _checked_number(path: Path, name: Any, number: Any) -> int:
    if not _is_whole(number):
        raise InputError(f"{path}: {name}: must be one whole number, got {number!r}; {_EXAMPLE}")
    return int(number)


def _two_sides(path: Path, content: Mapping[str, Any], dataset_labels: LabelSet | None) -> LabelMatch:
    if unknown := [str(key) for key in content if key not in _KEYS]:
        raise InputError(f"{path}: {unknown[0]}: no such key; a label file with two sides has {', '.join(_KEYS)}")
    if dataset_labels is None and "predictions" not in content:
        raise InputError(
            f"{path}: predictions: is missing; name their numbers too, or give their data set by --dataset"
        )
    if "references" not in content:
        raise InputError(f"{path}: references: is missing; {_SIDES_EXAMPLE}")
    references, ignore = _side(path, "references", content["references"])
    if dataset_labels is None:
        predictions, ignored = _side(path, "predictions", content["predictions"])
        if ignored is not None:
            raise InputError(f"{path}: predictions: ignore: only references have voxels to ignore; remove the line")
    else:
        predictions = same_labels(dataset_labels).predictions
    match = LabelMatch(predictions, references, ignore=ignore)
    if not match.structures:
        raise InputError(
            f"{path}: predictions and references have no name in common ({', '.join(predictions)} against "
            f"{', '.join(references)}); give one structure one name, in letters of the same size"
        )
    return _with_marks(path, match, content)


def _side(path: Path, side: str, content: Any) -> tuple[Numbers, int | None]:
    """One side's names with their numbers, background left out, and its number to ignore."""
    if not isinstance(content, Mapping) or not content:
        raise InputError(
            f"{path}: {side}: must map structure names to numbers, got {_short(content)}; {_SIDES_EXAMPLE}"
        )
    given = {str(name): value for name, value in content.items()}
    if given.pop("background", 0) != 0:
        raise InputError(f"{path}: {side}: background: must be 0, got {content['background']!r}")
    numbers = {name: tuple(_numbers(path, f"{side}: {name}", value)) for name, value in given.items()}
    ignored = numbers.pop("ignore", None)
    if ignored is not None and len(ignored) != 1:
        raise InputError(f"{path}: {side}: ignore: must be one number, got {list(ignored)}")
    if not numbers:
        raise InputError(f"{path}: {side}: names no structure; {_SIDES_EXAMPLE}")
    _require_own_numbers(path, side, {**numbers, **({"ignore": ignored} if ignored else {})})
    return numbers, ignored[0] if ignored else None


def _numbers(path: Path, place: str, value: Any) -> Iterator[int]:
    for number in value if isinstance(value, list) and value else [value]:
        if not _is_whole(number) or not 1 <= number <= LARGEST_NUMBER:
            raise InputError(
                f"{path}: {place}: must be a whole number from 1 to {LARGEST_NUMBER}, or a list of them, got {value!r}"
            )
        yield int(number)


def _require_own_numbers(path: Path, side: str, numbers: Numbers) -> None:
    """A number may be part of several lists; two names for the same voxels are a slip, and so is any use of ignore."""
    seen: dict[frozenset[int], str] = {}
    for name, of_it in numbers.items():
        other = seen.setdefault(frozenset(of_it), name)
        if other != name:
            raise InputError(f"{path}: {side}: {other} and {name} have the same number {_listed(of_it)}; change one")
    ignored = set(numbers.get("ignore", ()))
    for name, of_it in numbers.items():
        if name != "ignore" and ignored & set(of_it):
            raise InputError(
                f"{path}: {side}: {name}: its number {_listed(tuple(ignored))} is to be ignored; change one"
            )


def _with_marks(path: Path, match: LabelMatch, content: Mapping[str, Any]) -> LabelMatch:
    """Mark what the file's lists name as optional and as tubular."""
    marked: dict[str, Any] = {}
    for mark in _MARKS:
        names = content.get(mark, [])
        if not isinstance(names, list):
            example = match.structures[0]
            raise InputError(f"{path}: {mark}: must be a list of names, got {names!r}; write for example `[{example}]`")
        if unknown := [str(name) for name in names if name not in match.structures]:
            compared = ", ".join(match.structures)
            raise InputError(f"{path}: {mark}: {unknown[0]} is not compared; compared are {compared}")
        marked[mark] = frozenset(map(str, names))
    return replace(match, **marked)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _short(content: Any) -> str:
    text = repr(content)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]} ..."


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
