"""A small plan, bundles of small untrained networks, and images on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from uumamba.core.labels import LabelSet
from uumamba.core.topology import Topology
from uumamba.data.plan import Channel, IntensityStatistics, Plan
from uumamba.imaging.files import write_image
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, BundleDescription, Origin, TrainingRecord, read_bundle, write_bundle
from uumamba.inference.network import network_of
from uumamba.models.umamba import UMambaSettings

STATISTICS = IntensityStatistics(mean=0, median=0, std=1, min=-3, max=3, percentile_00_5=-2, percentile_99_5=2)


@pytest.fixture
def plan() -> Plan:
    """Two-dimensional, three stages, three classes; 1.5 mm in plane."""
    return Plan(
        dataset="acdc",
        configuration="2d",
        labels=LabelSet(names=("background", "cavity", "wall")),
        channels=(Channel(name="MRI", normalization="z-score", mask_for_normalization=False, statistics=STATISTICS),),
        axes=(2, 1, 0),
        spacing_mm=(8.0, 1.5, 1.5),
        median_shape=(4, 20, 20),
        batch_size=2,
        batch_dice=True,
        topology=Topology(
            patch_size=(16, 16),
            features=(4, 8, 8),
            kernels=((3, 3), (3, 3), (3, 3)),
            strides=((1, 1), (2, 2), (2, 2)),
            blocks_encoder=(1, 1, 1),
            blocks_decoder=(1, 1),
        ),
    )


@pytest.fixture
def description(plan: Plan) -> BundleDescription:
    """A description with every field filled."""
    return BundleDescription(
        plan=plan,
        network=UMambaSettings(mamba="none"),
        mirrored_axes=(0, 1),
        training=TrainingRecord(
            seed=7,
            epochs=3,
            fold=0,
            cases=("a", "b"),
            data_hash="0f",
            scores={"Dice wall": 0.81234, "Dice cavity": None},
        ),
        origin=Origin(
            folder="a__b__2d",
            checkpoint="fold_0/checkpoint_final.pth",
            checkpoint_sha256="ab12",
            trainer="nnUNetTrainer",
            plans="nnUNetPlans",
            configuration="2d",
            nnunet="2",
            contradictions=("The folder says one thing, the weights another.",),
        ),
        versions={"torch": "2.13"},
        licence="CC BY-NC-SA 4.0",
        citation="Bernard et al., 2018",
        limitations=("Never seen a child's heart.",),
    )


@pytest.fixture
def make_bundle(tmp_path: Path, description: BundleDescription) -> Callable[..., Bundle]:
    """Write and read a bundle with weights from a seed; other keyword arguments change the description."""

    def make(seed: int = 0, *, deep_supervision: bool = True, **changes: object) -> Bundle:
        changed = description.model_copy(update=changes)
        torch.manual_seed(seed)
        network = network_of(changed.plan, changed.network, deep_supervision=deep_supervision)
        path = tmp_path / "bundles" / f"{len(list(tmp_path.glob('bundles/*')))}.safetensors"
        write_bundle(path, state=network.state_dict(), description=changed)
        return read_bundle(path)

    return make


@pytest.fixture
def make_image() -> Callable[..., Image]:
    """A noisy image (x, y, z) with a bright disc; 1.5 x 1.2 x 8 mm unless told."""

    def make(
        shape: tuple[int, int, int] = (18, 22, 3), spacing_mm: tuple[float, ...] = (1.5, 1.2, 8.0), seed: int = 0
    ) -> Image:
        grid = np.indices(shape)
        centre = (np.array(shape)[:2, None, None, None] - 1) / 2
        disc = ((grid[:2] - centre) ** 2).sum(0) < 25
        noise = np.random.default_rng(seed).normal(size=shape)
        return Image((100 + 50 * disc + 10 * noise).astype(np.float32), np.diag([*spacing_mm, 1.0]))

    return make


@pytest.fixture
def write_case(make_image: Callable[..., Image]) -> Callable[..., Path]:
    """Write an image file and give its path back."""

    def write(path: Path, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, make_image(seed=seed))
        return path

    return write
