"""AortaSeg24: CT angiography with 23 zones and branches of the aorta, 50 of 100 patients public (Imran et al., 2025).

images/subject001_CTA.mha, masks/subject001_label.mha ...; numbers have gaps
"""

import re
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.datasets.anatomy import Anatomy
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.description import DatasetDescription
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.pairs import pair_files
from uumamba.data.datasets.sides import mirrored_axes_of
from uumamba.data.problem import Problem

_SUFFIX = r"\.(?:mha|nrrd|nii|nii\.gz)"
_IMAGE = re.compile(rf"(subject\d+)_CTA{_SUFFIX}", re.ASCII)
_LABEL_MAP = re.compile(rf"(subject\d+)_label{_SUFFIX}", re.ASCII)
_LAYOUT = "give the folder that holds images/subject001_CTA.mha and masks/subject001_label.mha"

LABELS = LabelSet(
    names=(
        "background",
        "Zone 0",
        "Innominate",
        "Zone 1",
        "Left common carotid",
        "Zone 2",
        "Left subclavian",
        "Zone 3",
        "Zone 4",
        "Zone 5",
        "Zone 6",
        "Celiac",
        "Zone 7",
        "SMA",
        "Zone 8",
        "Right renal",
        "Left renal",
        "Zone 9",
        "Zone 10 R",
        "Zone 10 L",
        "Right internal iliac",
        "Left internal iliac",
        "Zone 11 R",
        "Zone 11 L",
    )
)
"""Zones 10 are the common iliac arteries, zones 11 the external ones."""


def index(root: Path) -> Listing:
    """The pairs below `root`; an image or a label map alone is left out, and told. There are no official folds."""
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; {_LAYOUT}")
    pairs = pair_files(root, _IMAGE, _LABEL_MAP)
    cases = tuple(Case(name, name, (image,), label_map) for name, (image, label_map) in pairs.files.items())
    nothing = () if cases else (Problem(root, "no pair of AortaSeg24 here", _LAYOUT),)
    return Listing(cases, problems=(*pairs.problems, *nothing))


_DESCRIPTION = DatasetDescription(
    name="aorta",
    title="AortaSeg24, CT angiography of the aorta",
    labels=LABELS,
    channels=("CT",),
    mirrored_axes=mirrored_axes_of(LABELS.names),
    surface_tolerance_mm=2.0,
    anatomy=Anatomy(
        pieces=dict.fromkeys(LABELS.structures, 1),
        pieces_together=1,
        touches={
            "Innominate": ("Zone 0", "Zone 1"),
            "Left common carotid": ("Zone 1", "Zone 2"),
            "Left subclavian": ("Zone 2", "Zone 3"),
            "Celiac": ("Zone 5", "Zone 6"),
            "SMA": ("Zone 6", "Zone 7"),
            "Right renal": ("Zone 8",),
            "Left renal": ("Zone 8",),
            "Right internal iliac": ("Zone 10 R",),
            "Left internal iliac": ("Zone 10 L",),
        },
    ),
    licence="for research, by the access agreement of aortaseg24.grand-challenge.org",
    citation=(
        "M. Imran, J. R. Krebs, V. B. Sivaraman, T. Zhang, A. Kumar, W. R. Ueland et al. Multi-Class Segmentation of "
        "Aortic Branches and Zones in Computed Tomography Angiography: The AortaSeg24 Challenge. arXiv:2502.05330, "
        "2025. doi:10.48550/arXiv.2502.05330"
    ),
    tubular=LABELS.names[1:],
)

AORTA = Dataset(_DESCRIPTION, index)
