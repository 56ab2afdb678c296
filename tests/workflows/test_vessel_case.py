"""The vessels of a label map as rows: every structure has a name of its own."""

import numpy as np

from uumamba.imaging.image import Image
from uumamba.workflows.vessel_case import ALL, measure_vessels


def test_the_whole_has_a_name_that_no_zone_has() -> None:
    labels = np.zeros((12, 12, 40), np.uint8)
    labels[3:9, 3:9, 2:38] = 1
    labels[3:9, 3:9, 26:38] = 2
    image = Image(labels, np.eye(4))
    for first, whole in (("aorta", ALL), ("Zone 0", "aorta")):
        measured = measure_vessels(image, {first: (1,), "Zone 1": (2,)}, kind="aorta", title="case 7")
        assert [row["structure"] for row in measured.rows] == [whole, first, "Zone 1"]
        assert [part["name"] for part in measured.document["parts"]] == [whole, first, "Zone 1"]
    alone = measure_vessels(image, {"tube": (1, 2)}, kind="aorta", title="case 7")
    assert [row["structure"] for row in alone.rows] == ["tube"]


def test_both_projections_have_one_scale() -> None:
    labels = np.zeros((60, 26, 30), np.uint8)
    labels[2:58, 3:9, 12:18] = labels[50:58, 3:23, 12:18] = 1
    figure = measure_vessels(Image(labels, np.eye(4)), {"tube": (1,)}, kind="aorta", title="case 7").figure
    figure.canvas.draw()
    scales = [
        axes.get_window_extent().width / abs(np.subtract(*axes.get_xlim()))
        for axes in figure.axes
        if axes.get_title().startswith(("coronal", "sagittal"))
    ]
    assert len(scales) == 2
    assert max(scales) < 1.2 * min(scales), scales  # the numbers beside an axis take room too
