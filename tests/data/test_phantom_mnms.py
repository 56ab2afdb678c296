"""The phantom in M&Ms's layout: series with two labelled frames, its own order of labels, and its table."""

import csv
from pathlib import Path

import numpy as np

from tests.fakes.mnms import write_fake
from uumamba.data.phantom_mnms import TABLE_NAME, PhantomCounts
from uumamba.imaging.files import read_image
from uumamba.imaging.time_axis import TimeAxis


def rows(root: Path) -> list[dict[str, str]]:
    """The patients in the table."""
    with (root / TABLE_NAME).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_only_two_frames_are_labelled_and_the_cavity_shrinks_between_them(tmp_path: Path) -> None:
    write_fake(tmp_path, counts=PhantomCounts(training=3, unlabelled=1, validation=0, testing=1))
    assert len(rows(tmp_path)) == 5
    for row in rows(tmp_path):
        code = row["External code"]
        (folder,) = tmp_path.rglob(code)
        image = read_image(folder / f"{code}_sa.nii.gz", max_dimensions=4)
        labels = read_image(folder / f"{code}_sa_gt.nii.gz", max_dimensions=4).data
        assert image.data.shape == labels.shape
        assert image.time == TimeAxis(40.0, unit="msec")
        labelled = np.flatnonzero(labels.any(axis=(0, 1, 2))).tolist()
        if folder.parent.name == "Unlabeled":
            assert (labelled, row["ED"], row["ES"]) == ([], "0", "0")
            continue
        assert labelled == [int(row["ED"]), int(row["ES"])]
        left, wall, right = (labels[..., labelled[0]] == number for number in (1, 2, 3))
        assert np.count_nonzero(labels[..., labelled[1]] == 1) < np.count_nonzero(left)
        assert wall.any()
        assert right.any()
        bright = image.data[..., labelled[0]]
        assert bright[left].mean() > 1.5 * bright[wall].mean()


def test_vendors_and_centres_differ(tmp_path: Path) -> None:
    write_fake(tmp_path)
    assert {row["Vendor"] for row in rows(tmp_path)} == set("ABCD")
    assert len({row["External code"] for row in rows(tmp_path)}) == 8
