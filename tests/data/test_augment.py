"""Every augmentation alone, all together, and none."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import ndimage
from torch import Tensor

from uumamba.core.errors import ConfigError
from uumamba.data.augment import AugmentationSettings, default_rotation, is_anisotropic
from uumamba.data.intensity import (
    Blur,
    Brightness,
    ByChannel,
    Contrast,
    Gamma,
    IntensityTransform,
    LowResolution,
    around_one,
    gaussian_noise,
)

ALONE: dict[str, IntensityTransform] = {
    "noise": gaussian_noise(1.0, 0.1),
    "blur": ByChannel(Blur((0.5, 1.0)), 1.0),
    "brightness": ByChannel(Brightness((0.75, 1.25)), 1.0),
    "contrast": ByChannel(Contrast((0.75, 1.25)), 1.0),
    "low resolution": ByChannel(LowResolution((0.5, 1.0), in_plane=False), 1.0),
    "gamma": ByChannel(Gamma((0.7, 1.5), inverted=False), 1.0),
    "inverted gamma": ByChannel(Gamma((0.7, 1.5), inverted=True), 1.0),
}


def smooth_image(*shape: int, seed: int = 0) -> Tensor:
    """Structure rather than noise, float32 (channel, *patch), about mean 0 and deviation 1."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (0, *(2,) * (len(shape) - 1)))
    return torch.from_numpy((noise / noise.std()).astype(np.float32))


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("shape", [(2, 32, 24), (2, 3, 16, 20), (1, 1, 9, 9)])
def test_each_alone(name: str, shape: tuple[int, ...]) -> None:
    image = smooth_image(*shape)
    first = ALONE[name](image.clone(), np.random.default_rng(3))
    assert type(first) is Tensor
    assert first.shape == image.shape
    assert first.dtype == torch.float32
    assert bool(torch.isfinite(first).all())
    assert not torch.equal(first, image)
    assert torch.equal(first, ALONE[name](image.clone(), np.random.default_rng(3)))
    assert not torch.equal(first, ALONE[name](image.clone(), np.random.default_rng(4)))


@pytest.mark.parametrize("name", ALONE)
def test_constant_image_stays_finite(name: str) -> None:
    changed = ALONE[name](torch.full((1, 12, 12), 2.0), np.random.default_rng(0))
    assert bool(torch.isfinite(changed).all())


def test_noise_has_the_deviation_asked_for() -> None:
    stds = [float(gaussian_noise(1.0, 0.1)(torch.zeros(1, 64, 64), np.random.default_rng(i)).std()) for i in range(200)]
    assert 0 <= min(stds) < 0.01
    assert 0.09 < max(stds) < 0.105


def test_blur_is_the_gaussian() -> None:
    image = smooth_image(1, 20, 24)
    blurred = Blur((0.8, 0.8))(image, np.random.default_rng(0))
    expected = ndimage.gaussian_filter(image.numpy()[0], 0.8, mode="mirror")
    np.testing.assert_allclose(blurred.numpy()[0], expected, atol=1e-5)
    flat = Blur((0.5, 1.0))(torch.ones(1, 7, 9), np.random.default_rng(0))
    torch.testing.assert_close(flat, torch.ones(1, 7, 9))


def test_brightness_and_contrast_bounds() -> None:
    image = smooth_image(1, 32, 32) + 1
    random = np.random.default_rng(0)
    for _ in range(50):
        ratio = (Brightness((0.75, 1.25))(image, random) / image).mean()
        assert 0.75 <= float(ratio) <= 1.25
        stretched = Contrast((0.75, 1.25))(image, random)
        assert float(stretched.min()) >= float(image.min())
        assert float(stretched.max()) <= float(image.max())


def test_gamma_keeps_mean_deviation_and_order() -> None:
    image = smooth_image(1, 32, 32)
    order = image.flatten().argsort()
    for inverted in (False, True):
        bent = Gamma((0.7, 1.5), inverted)(image, np.random.default_rng(1))
        assert float(bent.mean()) == pytest.approx(float(image.mean()), abs=1e-4)
        assert float(bent.std()) == pytest.approx(float(image.std()), rel=1e-4)
        assert bool((bent.flatten()[order].diff() >= -1e-5).all())


def test_low_resolution_loses_detail_but_not_across_thick_slices() -> None:
    image = torch.randn((1, 6, 32, 32), generator=torch.Generator().manual_seed(0))
    poor = LowResolution((0.5, 0.5), in_plane=True)(image, np.random.default_rng(0))
    assert float(poor.std()) < 0.9 * float(image.std())
    for z in range(6):
        alone = LowResolution((0.5, 0.5), in_plane=True)(image[:, z : z + 1], np.random.default_rng(0))
        torch.testing.assert_close(poor[:, z : z + 1], alone)


def test_channels_draw_for_themselves() -> None:
    image = torch.ones(400, 2, 2)
    factors = ByChannel(Brightness((0.75, 1.25)), 1.0, channel_probability=0.5)(image, np.random.default_rng(0))[
        :, 0, 0
    ]
    untouched = int((factors == 1).sum())
    assert 150 < untouched < 250
    assert len(factors.unique()) == 400 - untouched + 1


def test_probability_of_an_image() -> None:
    random = np.random.default_rng(0)
    for transform in (ByChannel(Brightness((2, 3)), 0.15), gaussian_noise(0.15, 1.0)):
        changed = sum(not torch.equal(transform(torch.ones(1, 4, 4), random), torch.ones(1, 4, 4)) for _ in range(2000))
        assert 240 < changed < 360


@given(st.floats(0.1, 3), st.floats(0.1, 3), st.integers(0, 100))
def test_factor_within_bounds(one: float, other: float, seed: int) -> None:
    low, high = sorted((one, other))
    assert low <= around_one((low, high), np.random.default_rng(seed)) <= high


def test_factors_are_balanced() -> None:
    random = np.random.default_rng(0)
    drawn = np.array([around_one((0.7, 1.5), random) for _ in range(4000)])
    assert 0.47 < (drawn < 1).mean() < 0.53


def test_mirroring_keeps_image_and_labels_together() -> None:
    settings_ = AugmentationSettings(**{f"{kind}_probability": 0.0 for kind in INTENSITIES})
    augmentation = settings_.build(patch_size=(6, 8, 10), mirror_axes=(0, 2))
    assert augmentation is not None
    labels = torch.arange(6 * 8 * 10, dtype=torch.int16).reshape(1, 6, 8, 10)
    random = np.random.default_rng(0)
    seen = []
    for _ in range(400):
        image, mirrored = augmentation(labels.float(), labels, random)
        assert torch.equal(image, mirrored.float())
        seen.append(int(mirrored[0, 0, 0, 0]))
    corners = {0, 5 * 80, 9, 5 * 80 + 9}
    assert set(seen) == corners
    assert min(seen.count(corner) for corner in corners) > 60


INTENSITIES = ("noise", "blur", "brightness", "contrast", "low_resolution", "inverted_gamma", "gamma")


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_all_together_is_finite_and_repeatable(seed: int) -> None:
    augmentation = AugmentationSettings(**{f"{kind}_probability": 0.6 for kind in INTENSITIES}).build(
        patch_size=(24, 20), mirror_axes=(0, 1)
    )
    assert augmentation is not None
    image, labels = smooth_image(2, 24, 20), torch.ones((1, 24, 20), dtype=torch.int16)
    first = augmentation(image.clone(), labels.clone(), np.random.default_rng(seed))
    second = augmentation(image.clone(), labels.clone(), np.random.default_rng(seed))
    assert torch.equal(first[0], second[0])
    assert bool(torch.isfinite(first[0]).all())
    assert torch.equal(first[1], labels)


def test_all_probabilities_zero_changes_nothing() -> None:
    names = (*INTENSITIES, "rotation", "scaling", "mirror")
    augmentation = AugmentationSettings(**{f"{name}_probability": 0.0 for name in names}).build(
        patch_size=(16, 16), mirror_axes=(0, 1)
    )
    assert augmentation is not None
    image, labels = smooth_image(1, 16, 16), torch.ones((1, 16, 16), dtype=torch.int16)
    random = np.random.default_rng(0)
    for _ in range(20):
        assert augmentation.affine.draw(random) is None
        assert torch.equal(augmentation(image.clone(), labels, random)[0], image)


def test_disabled_builds_nothing() -> None:
    assert AugmentationSettings(enabled=False).build(patch_size=(16, 16), mirror_axes=(0, 1)) is None


@pytest.mark.parametrize(
    ("patch", "anisotropic", "degrees"),
    [
        ((256, 224), False, 180.0),
        ((256, 128), False, 15.0),
        ((20, 256, 224), True, 180.0),
        ((20, 256, 112), True, 15.0),
        ((96, 160, 160), False, 30.0),
    ],
)
def test_rotation_follows_the_patch(patch: tuple[int, ...], anisotropic: bool, degrees: float) -> None:
    assert is_anisotropic(patch) is anisotropic
    assert default_rotation(patch) == degrees
    built = AugmentationSettings().build(patch_size=patch, mirror_axes=())
    assert built is not None
    assert (built.affine.in_plane, built.affine.rotation_degrees) == (anisotropic, degrees)


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match=r"gamma must be \(lowest, highest\), got \(1.5, 0.7\)"):
        AugmentationSettings(gamma=(1.5, 0.7))
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        AugmentationSettings(noise_probability=2)
    with pytest.raises(ConfigError, match=r"mirror axes must be among \(0, 1\) for patch size \(8, 8\); got \(2,\)"):
        AugmentationSettings().build(patch_size=(8, 8), mirror_axes=(2,))
