"""What `--dataset` says: a data set's name, or a layout and a place such as `csv:cases.csv`."""

from pathlib import Path

from uumamba.core.errors import InputError


def split_spec(spec: str) -> tuple[str, Path | None]:
    """The name of a data set in the table and None, or a layout and the place where a data set lies in it."""
    name, colon, place = spec.partition(":")
    if colon and not place:
        raise InputError(f"--dataset {spec}: names no place behind the colon; write for example csv:cases.csv")
    return name, Path(place) if colon else None


def own_name(place: Path) -> str:
    """What a data set at a place is called, and so its work folder: as the folder, or as the file without suffix."""
    return place.resolve().name.removesuffix(".csv")


def dataset_name(spec: str) -> str:
    """The data set's name, whether it is there or not; `InputError` if it could be no folder's name."""
    layout, place = split_spec(spec)
    name = layout if place is None else own_name(place)
    if name in ("", ".", "..") or Path(name).name != name:
        raise InputError(f"--dataset {spec}: must be a data set's name, or layout:place as for `uumamba preprocess`")
    return name
