"""Pictures of the predictions that a person should look at first."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from uumamba.core.errors import InputError
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.orientation import reorient, to_canonical
from uumamba.inference.bundle import read_description
from uumamba.reporting.html.inference_page import cases_to_look_at
from uumamba.reporting.html.page import Block, Note, Picture
from uumamba.reporting.html.picture_file import embed_picture
from uumamba.reporting.overlay import overlay_figure, spread_slices
from uumamba.reporting.style import write_figure

_CASES = 6
_SLICES = 6
_MOST_VOXELS = 64_000_000
_JOINT = "; "


def overlays_of_predictions(folder: Path) -> tuple[Block, ...]:
    """Six slices of each of at most six cases, most urgent first, or the reason why there is no picture of one.

    The images are read from where they were predicted. Structures have the names of the bundle, if it is still there.
    """
    rows = cases_to_look_at(folder, _CASES)
    known = _labels_of(folder / "run.json") if rows else None
    return tuple(_block(row, known) for row in rows)


def _labels_of(record: Path) -> LabelSet | None:
    """The labels of the first model that can still be read; None otherwise."""
    if not record.is_file():
        return None
    for model in read_json(record).get("models", ()):
        try:
            return read_description(Path(model["path"])).labels
        except InputError:
            continue
    return None


def _block(row: Mapping[str, str], known: LabelSet | None) -> Block:
    case = row["case"]
    try:
        return _picture(case, _first_image(row["input"]), Path(row["output"]), known)
    except (InputError, OSError) as error:
        return Note(f"{case}: no picture: {error}", "warn")


def _first_image(joined: str) -> Path:
    """The first of a case's images, whose names may hold what joins them."""
    whole = Path(joined)
    return whole if whole.is_file() else Path(joined.split(_JOINT)[0])


def _picture(case: str, image_path: Path, prediction_path: Path, known: LabelSet | None) -> Picture:
    label_map = read_label_map(prediction_path)
    if label_map.data.size > _MOST_VOXELS:
        shape = " x ".join(map(str, label_map.shape))
        raise InputError(f"{shape} voxels are too many to draw in a report; open {prediction_path} in a viewer")
    image, orientation = to_canonical(read_image(image_path))
    predicted = reorient(label_map, orientation).data
    figure = overlay_figure(
        image.data,
        predicted,
        spacing_mm=image.spacing_mm,
        labels=_labels(known, predicted),
        title=case,
        slices=spread_slices(predicted > 0, _SLICES),
    )
    file = io.BytesIO()
    write_figure(figure, file)
    return embed_picture(file.getvalue(), caption="Prediction", where=str(prediction_path))


def _labels(known: LabelSet | None, predicted: np.ndarray[Any, Any]) -> LabelSet:
    """The labels that are known, and numbers for those beyond them; beyond regions there are none."""
    if known is not None and known.regions is not None:
        return known
    highest = max(int(predicted.max(initial=0)), 1)
    names = ("background",) if known is None else known.names
    return LabelSet(names=(*names, *(f"label {number}" for number in range(len(names), highest + 1))))
