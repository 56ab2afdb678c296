"""A ball of noise in canonical axes, plans that resample it, and what nnU-Net itself makes of it."""

from itertools import permutations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.data.plan import Plan
from uumamba.data.planning import CaseFingerprint, plan_dataset
from uumamba.imaging.image import Image
from uumamba.imaging.orientation import Orientation

Configuration = Literal["2d", "3d_fullres"]
LABELS = LabelSet(names=("background", "shell", "ball"))
ORIENTATIONS = [
    Orientation.model_validate({"axes": axes, "flipped": flipped})
    for axes, flipped in product(permutations(range(3)), product((False, True), repeat=3))
]
CASES = {
    "thick slices": ((40, 44, 9), (1.5, 1.5, 8.0), (5.0, 1.7, 1.3), "MRI", 1.0),
    "cubes, large empty border": ((30, 34, 38), (1.0, 1.2, 1.1), (1.0, 1.0, 1.0), "MRI", 0.4),
    "CT": ((32, 30, 28), (1.0, 1.0, 2.0), (1.5, 0.9, 0.9), "CT", 1.0),
    "another axis is coarse": ((20, 36, 40), (2.4, 1.3, 1.3), (1.2, 1.2, 2.0), "MRI", 1.0),
    "nothing to resample": ((30, 34, 20), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), "MRI", 1.0),
}


def ball(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], border: int = 0) -> tuple[Image, Image]:
    """Noise with a bright ball in a shell, in canonical orientation; `border` voxels around are zero."""
    random = np.random.default_rng(sum(shape))
    points = np.indices(shape).reshape(3, -1).T * spacing_mm
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1).reshape(shape)
    reach = min(np.array(shape) * spacing_mm) / 2
    labels = np.digitize(-distance, [-0.8 * reach, -0.5 * reach]).astype(np.uint8)
    data = (100 * labels + random.normal(300, 20, shape)).astype(np.float32)
    outside = np.ones(shape, dtype=bool)
    outside[border : shape[0] - border, border : shape[1] - border, border : shape[2] - border] = False
    data[outside] = 0
    affine = np.diag([*spacing_mm, 1.0])
    return Image(data, affine), Image(labels, affine)


def plans_for(
    spacing_zyx: tuple[float, float, float], folder: Path, channel: str, relative_size: float = 1.0
) -> dict[str, Plan]:
    """Plans that resample to a spacing."""
    case = CaseFingerprint((40, 48, 52), spacing_zyx, np.linspace(250, 550, 200, dtype=np.float32)[None], relative_size)
    return plan_dataset([case] * 2, folder, dataset="fake", labels=LABELS, channels=(channel,))


def two_channels(folder: Path, relative_size: float = 1.0) -> Plan:
    """A plan in three dimensions for two channels of 1 mm cubes."""
    case = CaseFingerprint(
        (24, 22, 20), (1.0, 1.0, 1.0), np.arange(200, dtype=np.float32).reshape(2, 100), relative_size
    )
    return plan_dataset([case], folder, dataset="fake", labels=LABELS, channels=("T1", "T2"))["3d_fullres"]


def nnunet_case(
    image: Image, labels: Image | None, folder: Path, configuration: Configuration
) -> tuple[np.ndarray, np.ndarray, dict[str, Any], PlansManager]:
    """What nnU-Net's preprocessor makes of canonical arrays with the plans in `folder`."""
    manager = PlansManager(read_json(folder / "plans.json"))
    properties = {"spacing": list(image.spacing_mm[::-1])}
    reference = None if labels is None else labels.data.T[None].astype(np.float32)
    data, seg, properties = DefaultPreprocessor(verbose=False).run_case_npy(
        image.data.T[None],
        reference,
        properties,
        manager,
        manager.get_configuration(configuration),
        read_json(folder / "dataset.json"),
    )
    return data, seg, properties, manager
