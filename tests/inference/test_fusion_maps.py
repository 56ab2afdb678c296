"""FreqFusion in numbers: widths of known kernels, maps against the responses, means at known borders."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.fakes.fused import fused_network
from tests.fakes.nnunet_folder import TOPOLOGIES, small_network
from uumamba.core.errors import UumambaError
from uumamba.inference.fusion_maps import (
    UNITS,
    UNKNOWN,
    BorderRow,
    StageMaps,
    border_rows,
    find_border,
    fused_stages,
    fusion_maps,
    kernel_widths,
)
from uumamba.models.decoders.freqfusion import FreqFusion
from uumamba.models.umamba import NoMambaSettings


def patch_of(dims: int, seed: int = 0) -> Tensor:
    return torch.randn(1, *TOPOLOGIES[dims].patch_size, generator=torch.Generator().manual_seed(seed))


def kernel(taps: dict[tuple[int, ...], float], *size: int) -> Tensor:
    """One kernel (1, taps, 1, ...) with these weights."""
    weights = torch.zeros(size)
    for place, weight in taps.items():
        weights[place] = weight
    return weights.reshape(1, -1, *[1] * len(size))


@pytest.mark.parametrize(
    ("kernels", "size", "width"),
    [
        (kernel({(2, 2): 1.0}, 5, 5), (5, 5), 0.0),
        (torch.full((1, 9, 1, 1), 1 / 9), (3, 3), math.sqrt(4 / 3)),
        (torch.full((1, 25, 1, 1), 1 / 25), (5, 5), 2.0),
        (kernel({(2, 0): 1.0}, 5, 5), (5, 5), 2.0),
        (kernel({(0, 0): 0.5, (1, 2): 0.5}, 3, 5), (3, 5), math.sqrt(5 / 2)),
        (kernel({(0, 0, 2): 1.0}, 1, 3, 3), (1, 3, 3), math.sqrt(2)),
        (torch.cat((kernel({(1, 1): 1.0}, 3, 3), kernel({(1, 0): 1.0}, 3, 3)), 1), (3, 3), math.sqrt(1 / 2)),
    ],
    ids=["place alone", "flat 3 x 3", "flat 5 x 5", "one side", "two taps", "3D", "two groups' mean"],
)
def test_known_kernels_have_known_widths(kernels: Tensor, size: tuple[int, ...], width: float) -> None:
    widths = kernel_widths(kernels, size)
    assert widths.shape == (1, *[1] * len(size))
    assert widths.item() == pytest.approx(width, abs=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_every_fused_stage_is_seen_and_the_network_left_as_it_was(dims: int) -> None:
    network, patch = fused_network(dims), patch_of(dims)
    with torch.no_grad():
        before = network(patch[None])
    stages = fusion_maps(network, patch)
    sizes = TOPOLOGIES[dims].feature_maps
    assert [(stage.stage, stage.size) for stage in stages] == [(0, sizes[0]), (1, sizes[1])]
    assert [stage.stride for stage in stages] == [TOPOLOGIES[dims].strides[0], TOPOLOGIES[dims].strides[1]]
    assert [stage.scale for stage in stages] == list(TOPOLOGIES[dims].strides[1:])
    assert all(tuple(stage.maps) == tuple(UNITS) for stage in stages)
    assert all(stage.arrows is not None and stage.arrows.shape == (dims, *stage.size) for stage in stages)
    assert stages[1].name == {2: "stage 1, 8 x 8", 3: "stage 1, 4 x 8 x 8"}[dims]
    assert not any(fusion._forward_hooks for fusion in fused_stages(network).values())
    with torch.no_grad():
        assert torch.equal(network(patch[None]), before)


@pytest.mark.parametrize("dims", [2, 3])
def test_maps_are_what_the_responses_say(dims: int) -> None:
    """Voxel by voxel, from what FreqFusion was given."""
    network, patch = fused_network(dims), patch_of(dims)
    given: list[tuple[Tensor, Tensor]] = []
    fusion = fused_stages(network)[0]
    hook = fusion.register_forward_hook(lambda _module, inputs, _output: given.append(inputs))
    (found, _), (hr, lr) = fusion_maps(network, patch), given[0]
    hook.remove()
    with torch.no_grad():
        said = fusion.responses(hr, lr)
    nearest = {
        place: lr[(0, slice(None), *(index // step for index, step in zip(place, fusion.scale, strict=True)))]
        for place in np.ndindex(found.size)
    }
    whole_lr, whole_hr = (x.square().mean().sqrt() for x in (torch.stack([*nearest.values()]), hr))
    for place in list(nearest)[::13]:
        at = (0, slice(None), *place)
        change = (nearest[place] - said.smoothed_lr[at]).square().mean().sqrt() / whole_lr
        assert found.maps["low_pass_change"][place] == pytest.approx(float(100 * change), rel=1e-4)
        gain = (hr[at] - said.smoothed_hr[at]).square().mean().sqrt() / whole_hr
        assert found.maps["high_pass_gain"][place] == pytest.approx(float(100 * gain), rel=1e-4)
        offsets = said.offsets[(0, slice(None), slice(None), *place)]
        lengths = [float(offsets[:, group].norm()) for group in range(offsets.shape[1])]
        assert found.maps["offset"][place] == pytest.approx(sum(lengths) / len(lengths), rel=1e-4)
        np.testing.assert_allclose(found.arrows[(slice(None), *place)], offsets.mean(1).flip(0), rtol=1e-4, atol=1e-7)


def test_without_offsets_there_are_none() -> None:
    for stage in fusion_maps(fused_network(2, feature_resample=False), patch_of(2)):
        assert list(stage.maps) == ["kernel_width", "low_pass_change", "high_pass_gain"]
        assert stage.arrows is None


def test_without_a_high_pass_nothing_is_added() -> None:
    network = fused_network(2, stages=(1,))
    network.decoder.upsampling[0].fusion = FreqFusion(2, 8, 8, use_high_pass=False, compressed_channels=8).eval()
    (stage,) = fusion_maps(network, patch_of(2))
    assert list(stage.maps) == ["kernel_width", "low_pass_change"]


def test_only_the_stages_that_have_it() -> None:
    assert list(fused_stages(fused_network(2, stages=(1,)))) == [1]
    assert fused_stages(small_network(NoMambaSettings(), 2)) == {}
    assert fused_stages(nn.Linear(1, 1)) == {}


def test_numbers_that_are_not_finite_are_an_error_and_no_hook_stays() -> None:
    network = fused_network(2)
    with pytest.raises(UumambaError, match="stage 1: its numbers are not finite; look for extreme intensities"):
        fusion_maps(network, patch_of(2).fill_(torch.nan))
    assert not any(fusion._forward_hooks for fusion in fused_stages(network).values())


def test_a_border_is_on_both_sides_of_a_change_between_known_labels() -> None:
    row = np.array([[0, 0, 1, 1, UNKNOWN, 2, 2, 0]])
    assert find_border(row, [1]).tolist() == [[False, True, True, False, False, False, True, True]]
    assert not find_border(row, [0]).any()
    column = np.stack([row[0], np.zeros(8, int)])
    assert find_border(column, [0]).tolist() == [[False, False, True, True, False, True, True, False]] * 2
    assert not find_border(row, []).any()


def stage_with(values: np.ndarray, **changes: object) -> StageMaps:
    ones = (1,) * values.ndim
    stage = StageMaps(1, ones, ones, tuple(3 for _ in ones), {"kernel_width": values.astype(np.float32)}, None)
    return replace(stage, **changes)


def test_means_at_a_known_border_and_elsewhere() -> None:
    """Kernels twice as wide at the border; what is unknown or at the map's edge does not count."""
    labels = np.zeros((9, 10), int)
    labels[:, 5:] = 1
    values = np.where(find_border(labels, [1]), 2.0, 1.0)
    values[[0, -1]], values[:, [0, -1]] = 99, 99
    (row,) = border_rows(stage_with(values), labels)
    assert row == BorderRow("stage 1, 9 x 10", "kernel_width", 2.0, 1.0, 14, 42)
    assert row.ratio == 2.0
    labels[3] = UNKNOWN
    values[3] = 77
    (row,) = border_rows(stage_with(values), labels)
    assert row == BorderRow("stage 1, 9 x 10", "kernel_width", 2.0, 1.0, 12, 36)


def test_labels_are_taken_at_the_stages_resolution() -> None:
    labels = np.repeat(np.repeat(np.arange(8) >= 4, 2)[None], 16, 0).astype(int)
    values = np.where(find_border(labels[::2, ::2], [1]), 3.0, 1.5)
    (row,) = border_rows(stage_with(values, stride=(2, 2)), labels)
    assert (row.border, row.elsewhere, row.ratio) == (3.0, 1.5, 2.0)
    assert (row.border_voxels, row.elsewhere_voxels) == (12, 24)


def test_kernels_are_cut_where_their_taps_leave_the_coarse_map() -> None:
    labels = np.zeros((1, 10, 10), int)
    (row,) = border_rows(stage_with(np.ones((1, 10, 10)), scale=(1, 2, 2), kernel_size=(1, 5, 3)), labels)
    assert (row.border, row.elsewhere) == (None, 1.0)
    assert (row.border_voxels, row.elsewhere_voxels) == (0, 2 * 6)
    assert row.ratio is None


def test_axes_without_taps_have_no_border() -> None:
    labels = np.zeros((2, 8, 8), int)
    labels[1] = 1
    (flat,) = border_rows(stage_with(np.ones(labels.shape), kernel_size=(1, 3, 3)), labels)
    assert (flat.border_voxels, flat.elsewhere_voxels) == (0, 72)


@pytest.mark.parametrize(
    ("quantity", "border", "elsewhere", "words"),
    [
        ("kernel_width", 0.92, 1.0, "8 % narrower at borders"),
        ("kernel_width", 1.08, 1.0, "8 % wider at borders"),
        ("kernel_width", 1.001, 1.0, "as wide at borders as elsewhere"),
        ("high_pass_gain", 6.2, 2.0, "3.1 times as much at borders"),
        ("low_pass_change", 1.0, 2.0, "50 % less at borders"),
        ("offset", 1.5, 1.0, "50 % longer at borders"),
        ("offset", 1.5, 0.0, "nothing elsewhere"),
    ],
)
def test_a_ratio_in_words(quantity: str, border: float, elsewhere: float, words: str) -> None:
    assert BorderRow("stage 0", quantity, border, elsewhere, 20, 20).words == words


@pytest.mark.parametrize(("border", "places"), [(None, (0, 40)), (1.0, (19, 40)), (1.0, (40, 3))])
def test_few_places_say_nothing(border: float | None, places: tuple[int, int]) -> None:
    words = BorderRow("stage 0", "offset", border, 2.0, *places).words
    assert words == f"too few places to compare: {places[0]} and {places[1]}"
