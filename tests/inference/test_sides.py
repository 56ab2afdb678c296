"""A model of structures with sides sees no image mirrored from left to right, whichever axis of the patch that is."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from uumamba.core.topology import Topology
from uumamba.data.plan import Plan
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, build_network
from uumamba.inference.predictor import Predictor

MakeBundle = Callable[..., Bundle]
STEPS = (1.0, 30.0, 900.0)
AXES = [(2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)]


def rising() -> Image:
    """An image that rises along x, y and z, in voxels of 1 mm."""
    steps = [step * place for step, place in zip(STEPS, np.indices((16, 18, 20)), strict=True)]
    return Image(np.sum(steps, axis=0).astype(np.float32), np.eye(4))


def planned(plan: Plan, axes: tuple[int, int, int], configuration: str) -> Plan:
    """The plan for patches of this configuration, network axes in this order."""
    dims = 2 if configuration == "2d" else 3
    topology = Topology(
        patch_size=(16,) * dims, features=(4, 8), kernels=((3,) * dims,) * 2, strides=((1,) * dims, (2,) * dims),
        blocks_encoder=(1, 1), blocks_decoder=(1,),
    )  # fmt: skip
    return plan.model_copy(
        update={"configuration": configuration, "axes": axes, "spacing_mm": (1.0,) * 3, "topology": topology}
    )


def directions(bundle: Bundle, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> dict[int, set[float]]:
    """The signs of the slope along each image axis in all windows that the bundle's network sees."""
    seen: dict[int, set[float]] = {}

    def look(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        for axis, canonical in enumerate(plan.seen_axes, 1):
            middle = arguments[0][:, 0].movedim(axis, -1)[..., 7:9].diff(dim=-1)
            seen.setdefault(canonical, set()).update(torch.unique(torch.sign(middle)).tolist())

    def build(bundle: Bundle) -> nn.Module:
        network = build_network(bundle)
        network.register_forward_pre_hook(look)
        return network

    monkeypatch.setattr("uumamba.inference.predictor.build_network", build)
    Predictor([bundle], mirror=True).predict([rising()])
    return seen


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
@pytest.mark.parametrize("axes", AXES)
def test_windows_keep_their_sides(
    make_bundle: MakeBundle,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    axes: tuple[int, int, int],
    configuration: str,
) -> None:
    changed = planned(plan, axes, configuration)
    seen = directions(make_bundle(plan=changed, mirrored_axes=(1, 2)), changed, monkeypatch)
    assert set(seen) == set(changed.seen_axes)
    for axis, signs in seen.items():
        assert signs == ({1.0} if axis == 0 else {1.0, -1.0})


def test_without_sides_x_is_mirrored_too(make_bundle: MakeBundle, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = planned(plan, (2, 1, 0), "3d_fullres")
    plain = make_bundle(plan=changed, mirrored_axes=(0, 1, 2))
    assert directions(plain, changed, monkeypatch)[0] == {1.0, -1.0}
