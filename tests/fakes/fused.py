"""A small untrained network with FreqFusion, as a bundle, and a case for it."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes.nnunet_folder import TOPOLOGIES, small_network
from tests.fakes.plan import fake_plan
from uumamba.data.plan import Plan
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image
from uumamba.inference.bundle import BundleDescription, write_bundle
from uumamba.models.decoders.fused_upsampling import FreqFusionDecoderSettings
from uumamba.models.networks import NetworkSettings
from uumamba.models.umamba import NoMambaSettings
from uumamba.models.unet import UNet


def fused_settings(**decoder: Any) -> NoMambaSettings:
    """A network without Mamba, which is compiled for nothing, with FreqFusion in all decoder stages unless told."""
    return NoMambaSettings(decoder=FreqFusionDecoderSettings(**({"stages": "all"} | decoder)))


def fused_network(dims: int, **decoder: Any) -> UNet:
    """Decoder stages 0 and 1; patches of 16 x 16, or of 4 x 16 x 16 with strides 1, 2, 2 and 2, 2, 2."""
    return small_network(fused_settings(**decoder), dims)


def small_plan(dims: int, *, ignore: int | None = None) -> Plan:
    """The plan of such a network: 5 x 1.5 x 1.25 mm, three classes."""
    topology = TOPOLOGIES[dims]
    return fake_plan(topology.patch_size, ignore=ignore).model_copy(update={"topology": topology})


def write_small_bundle(path: Path, settings: NetworkSettings, dims: int, *, ignore: int | None = None) -> Path:
    """The bundle of an untrained network; gives its path back."""
    description = BundleDescription(plan=small_plan(dims, ignore=ignore), network=settings)
    write_bundle(path, state=small_network(settings, dims).state_dict(), description=description)
    return path


def write_ball(folder: Path) -> tuple[Path, Path]:
    """A bright ball (2) in a shell (1) on a grid finer than the patch is large, fullest in the fourth of six slices;
    image and label map."""
    shape, centre_mm = (24, 26, 6), (16.0, 18.0, 15.0)
    spacing_mm = (1.25, 1.5, 5.0)
    places = np.moveaxis(np.indices(shape), 0, -1) * spacing_mm
    distance = np.linalg.norm((places - centre_mm) / (1, 1, 1.3), axis=-1)
    labels = np.where(distance < 5, 2, np.where(distance < 9, 1, 0)).astype(np.uint8)
    noise = np.random.default_rng(0).normal(size=shape)
    image = Image((100 + 40.0 * labels + 5 * noise).astype(np.float32), np.diag([*spacing_mm, 1.0]))
    paths = folder / "ball.nii.gz", folder / "ball_gt.nii.gz"
    write_image(paths[0], image)
    write_label_map(paths[1], labels, image)
    return paths
