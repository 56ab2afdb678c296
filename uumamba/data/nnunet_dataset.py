"""nnU-Net's `dataset.json`: labels and channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import first_problem

_IGNORE = "ignore"


@dataclass(frozen=True)
class NnunetDataset:
    """What a network's outputs and inputs are, and the data's licence and reference, empty if it does not say."""

    labels: LabelSet
    channels: tuple[str, ...]
    licence: str = ""
    reference: str = ""


def read_nnunet_dataset(content: Mapping[str, Any], where: str) -> NnunetDataset:
    """Labels and channels of a `dataset.json`; `where` names it in errors.

    Raises `InputError` for regions (several labels in one output) and for numbers that are not consecutive from 0.
    """
    labels = _object(content, ("labels",), where)
    channels = _object(content, ("channel_names", "modality"), where)
    if channels.keys() != {str(number) for number in range(len(channels))}:
        raise InputError(f"{where}: channels must be numbered from 0, got {', '.join(channels)}")
    return NnunetDataset(
        labels=read_label_set(labels, where),
        channels=tuple(str(channels[str(number)]) for number in range(len(channels))),
        licence=str(content.get("licence") or content.get("license") or ""),
        reference=str(content.get("reference") or ""),
    )


def read_label_set(labels: Mapping[str, Any], where: str) -> LabelSet:
    """Labels as nnU-Net writes them, name -> number, `ignore` among them; `where` names them in errors.

    Raises `InputError` for regions (several labels in one output) and for numbers that are not consecutive from 0.
    """
    regions = [name for name, number in labels.items() if isinstance(number, list | tuple)]
    if regions:
        raise InputError(
            f"{where}: labels {', '.join(regions)} are regions (several numbers each); only networks with one output "
            "per label can be imported"
        )
    structures = {name: number for name, number in labels.items() if name != _IGNORE}
    numbers = list(structures.values())
    if not all(type(number) is int for number in labels.values()) or sorted(numbers) != list(range(len(numbers))):
        listed = ", ".join(f"{name} {number!r}" for name, number in labels.items())
        raise InputError(f"{where}: label numbers must be consecutive whole numbers from 0, got {listed}")
    try:
        return LabelSet(names=tuple(sorted(structures, key=structures.__getitem__)), ignore=labels.get(_IGNORE))
    except ValidationError as error:
        raise InputError(f"{where}: labels: {first_problem(error)}") from None


def nnunet_labels(labels: LabelSet) -> dict[str, int]:
    """Labels as `dataset.json` holds them; `InputError` if the ignore label is not the number behind the last."""
    if labels.ignore not in (None, labels.classes):
        raise InputError(
            f"nnU-Net needs the ignore label right behind the last structure, {labels.classes}, not {labels.ignore}; "
            f"number it so in the training data"
        )
    ignored = {} if labels.ignore is None else {_IGNORE: labels.ignore}
    return {name: number for number, name in enumerate(labels.names)} | ignored


def _object(content: Mapping[str, Any], keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The value of the first of `keys` that is there; it must be a JSON object."""
    for key in keys:
        if isinstance(content.get(key), dict):
            return dict(content[key])
    raise InputError(f"{where}: no object {' or '.join(keys)}; take the dataset.json that the network was trained with")
