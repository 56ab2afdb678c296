"""A predictor is preprocessing, sliding window and the way back, the same whatever it is asked for at once."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes.restored import restore_labels
from uumamba.core.errors import ConfigError, InputError
from uumamba.core.labels import LabelSet
from uumamba.data.plan import Plan
from uumamba.data.preprocess import preprocess_case
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, build_network
from uumamba.inference.calibration import Calibration
from uumamba.inference.postprocessing import LargestComponents, Postprocessing
from uumamba.inference.predictor import Predictor
from uumamba.inference.sliding_window import predict_logits

MakeBundle = Callable[..., Bundle]
MakeImage = Callable[..., Image]


def test_label_map_is_on_the_grid_of_the_image(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    image = make_image((18, 25, 3))
    labels = Predictor([make_bundle()]).predict([image]).labels
    assert labels.dtype == np.uint8
    assert labels.shape == image.shape
    assert labels.max() <= 2


def test_equals_its_parts(make_bundle: MakeBundle, make_image: MakeImage, plan: Plan) -> None:
    bundle, image = make_bundle(), make_image()
    prepared = preprocess_case([image], plan)
    logits = predict_logits(build_network(bundle), torch.from_numpy(prepared.data), patch_size=plan.patch_size)
    expected = restore_labels(logits.numpy(), prepared.geometry, plan)
    assert len(np.unique(expected)) > 1
    np.testing.assert_array_equal(Predictor([bundle]).predict([image]).labels, expected)


def test_flipped_image_gives_the_flipped_label_map(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    image = make_image()
    affine = image.affine.copy()
    affine[:3, 0] *= -1
    affine[:3, 3] += image.affine[:3, 0] * (image.shape[0] - 1)
    flipped = Image(image.data[::-1].copy(), affine)
    predictor = Predictor([make_bundle()])
    np.testing.assert_array_equal(predictor.predict([flipped]).labels, predictor.predict([image]).labels[::-1])


def test_cases_do_not_disturb_each_other(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    predictor = Predictor([make_bundle()])
    first = predictor.predict([make_image(seed=1)]).labels
    predictor.predict([make_image((9, 30, 5), seed=2)])
    np.testing.assert_array_equal(predictor.predict([make_image(seed=1)]).labels, first)


def scores_of(predictor: Predictor, data: Tensor, *, disagreement: bool = False) -> Tensor:
    return torch.cat(list(predictor.score_slabs(data, disagreement=disagreement)), dim=1)


def test_ensemble_is_the_weighted_mean_of_calibrated_probabilities(make_bundle: MakeBundle) -> None:
    temperatures = (1.0, 2.0, 0.5)
    bundles = [
        make_bundle(seed=seed, calibration=Calibration(temperature=temperature))
        for seed, temperature in enumerate(temperatures)
    ]
    data = torch.randn(1, 11, 20, 18)
    alone = [
        torch.softmax(scores_of(Predictor([bundle]), data) / temperature, 0)
        for bundle, temperature in zip(bundles, temperatures, strict=True)
    ]
    ensemble = Predictor(bundles, weights=[1, 2, 1])
    expected = (alone[0] + 2 * alone[1] + alone[2]) / 4
    torch.testing.assert_close(scores_of(ensemble, data).exp(), expected)
    assert ensemble.temperature == 1
    assert Predictor(bundles[1:2]).temperature == 2


def test_an_ensemble_of_twins_is_one_of_them(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    bundle, image = make_bundle(), make_image()
    alone, twins = Predictor([bundle]).predict([image], maps=True), Predictor([bundle] * 2).predict([image], maps=True)
    np.testing.assert_array_equal(twins.labels, alone.labels)
    np.testing.assert_allclose(twins.entropy, alone.entropy, atol=1e-5)
    assert alone.disagreement is None
    np.testing.assert_allclose(twins.disagreement, 0, atol=1e-6)


def test_maps_lie_where_the_labels_lie(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    image = make_image((21, 18, 4))
    prediction = Predictor([make_bundle(seed=seed) for seed in (1, 2)]).predict([image], maps=True)
    assert prediction.entropy is not None
    assert prediction.disagreement is not None
    assert prediction.entropy.shape == prediction.disagreement.shape == prediction.labels.shape == image.shape
    assert prediction.entropy.dtype == prediction.disagreement.dtype == np.float32
    assert 0 < prediction.entropy.max() <= 1
    assert 0 < prediction.disagreement.max() <= np.log(3)
    plain = Predictor([make_bundle(seed=1)], mirror=True).predict([image])
    assert plain.entropy is None
    assert plain.disagreement is None


def test_mirrored_copies_are_opinions_too(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    predictor = Predictor([make_bundle(mirrored_axes=(0, 1))], mirror=True)
    assert predictor.opinions == 4
    prediction = predictor.predict([make_image()], maps=True)
    assert prediction.disagreement is not None
    assert prediction.disagreement.max() > 0
    np.testing.assert_array_equal(prediction.labels, predictor.predict([make_image()]).labels)


def test_confidence_is_the_expected_dice_of_the_calibrated_probabilities(
    make_bundle: MakeBundle, make_image: MakeImage, plan: Plan
) -> None:
    image = make_image(spacing_mm=(1.5, 1.5, 8.0))  # the plan's grid: nothing is resampled
    bundle = make_bundle(calibration=Calibration(temperature=1.7))
    prediction = Predictor([bundle]).predict([image])
    prepared = preprocess_case([image], plan)
    probabilities = torch.softmax(scores_of(Predictor([bundle]), torch.from_numpy(prepared.data)) / 1.7, 0)
    labels = probabilities.argmax(0)
    for number, name in enumerate(("cavity", "wall"), start=1):
        mask, of_class = labels == number, probabilities[number]
        expected = (2 * of_class[mask].sum() / (mask.sum() + of_class.sum())).item() if mask.any() else None
        assert prediction.confidence[name] == pytest.approx(expected, rel=1e-5)
    assert any(value is not None for value in prediction.confidence.values())


REGIONS = LabelSet(names=("background", "all", "inner"), regions=((1, 2), (2,)), written=(1, 2))


@pytest.mark.parametrize("members", [1, 2])
def test_confidence_of_regions_is_that_of_the_regions_in_the_label_map(
    members: int, make_bundle: MakeBundle, make_image: MakeImage, plan: Plan
) -> None:
    image = make_image(spacing_mm=(1.5, 1.5, 8.0))  # the plan's grid: nothing is resampled
    regions = plan.model_copy(update={"labels": REGIONS})
    calibration = Calibration(temperature=1.7)
    bundles = [make_bundle(seed=seed, plan=regions, calibration=calibration) for seed in range(members)]
    prediction = Predictor(bundles).predict([image], maps=True)
    data = torch.from_numpy(preprocess_case([image], plan).data)
    alone = [torch.sigmoid(scores_of(Predictor([bundle]), data) / 1.7) for bundle in bundles]
    outer, inner = probabilities = sum(alone) / members
    labels = torch.where(inner > 0.5, 2, torch.where(outer > 0.5, 1, 0))
    np.testing.assert_array_equal(prediction.labels.transpose(2, 1, 0), labels)
    for probability, mask, name in zip(probabilities, (labels > 0, labels == 2), ("all", "inner"), strict=True):
        expected = (2 * probability[mask].sum() / (mask.sum() + probability.sum())).item() if mask.any() else None
        assert prediction.confidence[name] == pytest.approx(expected, rel=1e-4)
    assert any(value is not None for value in prediction.confidence.values())
    assert prediction.entropy is not None
    assert 0 < prediction.entropy.max() <= 1
    assert (prediction.disagreement is None) == (members == 1)


def test_regions_and_post_processing_do_not_go_together(make_bundle: MakeBundle, plan: Plan) -> None:
    steps = Postprocessing(steps=(LargestComponents(structures=("inner",)),))
    bundle = make_bundle(plan=plan.model_copy(update={"labels": REGIONS}), postprocessing=steps)
    with pytest.raises(ConfigError, match=r"the model has regions \(1\+2 all, 2 inner\); leave the steps out"):
        Predictor([bundle])


def test_mirrors_only_where_the_bundle_allows(make_bundle: MakeBundle) -> None:
    data = torch.randn(1, 2, 16, 16)
    bundle, fixed = make_bundle(mirrored_axes=(0,)), make_bundle(mirrored_axes=(2,))
    expected = predict_logits(build_network(bundle), data, patch_size=(16, 16), mirror_axes=(1,))
    torch.testing.assert_close(scores_of(Predictor([bundle], mirror=True), data), expected)
    torch.testing.assert_close(scores_of(Predictor([fixed], mirror=True), data), scores_of(Predictor([fixed]), data))


def test_members_may_have_other_patches(make_bundle: MakeBundle, plan: Plan) -> None:
    other = make_bundle(seed=1, plan=plan.model_copy(update={"topology": replace(plan.topology, patch_size=(12, 20))}))
    data = torch.randn(1, 10, 17, 19)
    assert scores_of(Predictor([make_bundle(), other]), data).shape == (3, 10, 17, 19)
    assert scores_of(Predictor([make_bundle(), other]), data, disagreement=True).shape == (4, 10, 17, 19)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.0), (1.0, -2.0), (1.0, float("nan"))])
def test_weights_that_do_not_fit(weights: tuple[float, ...], make_bundle: MakeBundle) -> None:
    with pytest.raises(InputError, match=r"for 2 model\(s\): give none, or one number above 0 for each"):
        Predictor([make_bundle(), make_bundle()], weights=weights)


def test_hash_follows_what_changes_the_result(make_bundle: MakeBundle) -> None:
    first, second = make_bundle(seed=1), make_bundle(seed=2)
    reference = Predictor([first, second]).sha256
    assert Predictor([second, first], batch_size=3).sha256 == reference
    both = [first, second]
    others = [
        Predictor([first]),
        Predictor(both, mirror=True),
        Predictor(both, overlap=0.25),
        Predictor(both, weights=[1, 2]),
    ]
    assert len({reference, *(other.sha256 for other in others)}) == 5


def test_no_bundle() -> None:
    with pytest.raises(InputError, match="at least one bundle; give a bundle or a finished run's folder"):
        Predictor([])


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"labels": LabelSet(names=("background", "wall", "cavity"))}, "labels"),
        ({"spacing_mm": (8.0, 1.25, 1.25)}, "spacing_mm"),
        ({"axes": (0, 2, 1)}, "axes"),
        ({"orientation": "stored"}, "orientation"),
    ],
)
def test_bundles_that_disagree(changes: dict[str, object], differing: str, make_bundle: MakeBundle, plan: Plan) -> None:
    first, other = make_bundle(), make_bundle(plan=plan.model_copy(update=changes))
    with pytest.raises(InputError, match=rf"0\.safetensors and .*1\.safetensors cannot be .* differ in {differing}"):
        Predictor([first, other])


def test_wrong_number_of_images(make_bundle: MakeBundle, make_image: MakeImage) -> None:
    with pytest.raises(InputError, match=r"takes 1 image\(s\) per case \(MRI\), got 2"):
        Predictor([make_bundle()]).predict([make_image(), replace(make_image())])


def test_training_nodes_need_no_readers_and_no_nnunet() -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('nibabel', 'SimpleITK', 'nnunetv2')));"
        "import uumamba.inference.bundle, uumamba.inference.network, uumamba.inference.sliding_window"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
