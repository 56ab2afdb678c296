"""nnU-Net's `dataset.json`: labels and channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import first_problem

_IGNORE = "ignore"
MOST_LABELS = 256
"""As many numbers as a label map of a byte per voxel holds, background included."""


@dataclass(frozen=True)
class NnunetDataset:
    """What a network's outputs and inputs are, and the data's licence and reference, empty if it does not say."""

    labels: LabelSet
    channels: tuple[str, ...]
    licence: str = ""
    reference: str = ""


def read_nnunet_dataset(content: Mapping[str, Any], where: str) -> NnunetDataset:
    """Labels and channels of a `dataset.json`; `where` names it in errors.

    Labels that are lists of several numbers are regions, in the order in which they stand there. Raises `InputError`
    for numbers that are not consecutive from 0, and for regions without `regions_class_order`.
    """
    labels = _object(content, ("labels",), where)
    channels = _object(content, ("channel_names", "modality"), where)
    if channels.keys() != {str(number) for number in range(len(channels))}:
        raise InputError(f"{where}: channels must be numbered from 0, got {', '.join(channels)}")
    return NnunetDataset(
        labels=read_label_set(labels, where, order=content.get("regions_class_order")),
        channels=tuple(str(channels[str(number)]) for number in range(len(channels))),
        licence=str(content.get("licence") or content.get("license") or ""),
        reference=str(content.get("reference") or ""),
    )


def read_label_set(labels: Mapping[str, Any], where: str, *, order: Any = None) -> LabelSet:
    """Labels as nnU-Net writes them, name -> number, `ignore` among them; `where` names them in errors.

    A list of several numbers makes regions of all, in the order in which they stand there; `order` is then the list of
    the numbers that they write, `regions_class_order`. Raises `InputError` for numbers that are not consecutive from 0,
    for more than `MOST_LABELS` of them, and for regions without an order.
    """
    listed = {name: tuple(number) for name, number in labels.items() if isinstance(number, list | tuple)}
    if any(len(numbers) > 1 for numbers in listed.values()):
        return _regions(dict(labels) | listed, order, where)
    labels = {name: listed[name][0] if listed.get(name) else value for name, value in labels.items()}
    structures = {name: number for name, number in labels.items() if name != _IGNORE}
    numbers = list(structures.values())
    if not all(type(number) is int for number in labels.values()) or sorted(numbers) != list(range(len(numbers))):
        got = ", ".join(f"{name} {number!r}" for name, number in labels.items())
        raise InputError(f"{where}: label numbers must be consecutive whole numbers from 0, got {got}")
    if len(numbers) > MOST_LABELS:
        raise InputError(
            f"{where}: {len(numbers)} labels, and a label map that is written holds {MOST_LABELS} at most (0 to 255); "
            "train on fewer at a time"
        )
    try:
        return LabelSet(names=tuple(sorted(structures, key=structures.__getitem__)), ignore=labels.get(_IGNORE))
    except ValidationError as error:
        raise InputError(f"{where}: labels: {first_problem(error)}") from None


def nnunet_labels(labels: LabelSet) -> dict[str, Any]:
    """The keys of `dataset.json` that hold labels: `labels`, and for regions `regions_class_order`.

    Raises `InputError` if the ignore label is not the number behind the last.
    """
    if labels.ignore not in (None, labels.classes):
        raise InputError(
            f"nnU-Net needs the ignore label right behind the last structure, {labels.classes}, not {labels.ignore}; "
            f"number it so in the training data"
        )
    ignored = {} if labels.ignore is None else {_IGNORE: labels.ignore}
    if labels.regions is None:
        return {"labels": {name: number for number, name in enumerate(labels.names)} | ignored}
    regions = {name: numbers[0] if len(numbers) == 1 else list(numbers) for name, numbers in labels.members.items()}
    return {"labels": {"background": 0, **regions, **ignored}, "regions_class_order": list(labels.written)}


def _object(content: Mapping[str, Any], keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The value of the first of `keys` that is there; it must be a JSON object."""
    for key in keys:
        if isinstance(content.get(key), dict):
            return dict(content[key])
    raise InputError(f"{where}: no object {' or '.join(keys)}; take the dataset.json that the network was trained with")


def _regions(labels: dict[str, Any], order: Any, where: str) -> LabelSet:
    """A label set with regions, in the order in which `dataset.json` has them."""
    background, ignore = labels.pop("background", None), labels.pop(_IGNORE, None)
    regions = {name: numbers if isinstance(numbers, tuple) else (numbers,) for name, numbers in labels.items()}
    numbers = [background, *(number for region in regions.values() for number in region)]
    if background != 0 or not all(type(number) is int for number in numbers):
        raise InputError(f"{where}: background must be 0 and regions lists of whole numbers, got {labels}")
    if not isinstance(order, list) or not all(type(number) is int for number in order):
        raise InputError(
            f"{where}: labels have regions ({', '.join(regions)}), so regions_class_order must list the number that "
            f"each of them writes, got {order!r}; add it, as in `regions_class_order: [1, 2, 3]`"
        )
    try:
        return LabelSet(
            names=("background", *regions), ignore=ignore, regions=tuple(regions.values()), written=tuple(order)
        )
    except ValidationError as error:
        raise InputError(f"{where}: labels: {first_problem(error)}") from None
