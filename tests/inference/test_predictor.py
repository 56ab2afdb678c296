"""A predictor is preprocessing, sliding window and the way back, the same whatever it is asked for at once."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.plan import Plan
from uumamba.data.preprocess import preprocess_case
from uumamba.data.restoration import restore_labels
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, build_network
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
    predictor.predict([make_image((9, 30, 5), seed=2)]).labels
    np.testing.assert_array_equal(predictor.predict([make_image(seed=1)]).labels, first)


def test_ensemble_is_the_mean_of_the_logits(make_bundle: MakeBundle) -> None:
    bundles = [make_bundle(seed=seed) for seed in (1, 2, 3)]
    data = torch.randn(1, 3, 20, 18)
    alone = torch.stack([Predictor([bundle]).predict_logits(data) for bundle in bundles])
    torch.testing.assert_close(Predictor(bundles).predict_logits(data), alone.mean(0), rtol=1e-5, atol=1e-5)


def test_an_ensemble_of_twins_is_one_of_them(make_bundle: MakeBundle) -> None:
    bundle, data = make_bundle(), torch.randn(1, 2, 17, 16)
    alone = Predictor([bundle]).predict_logits(data)
    torch.testing.assert_close(Predictor([bundle, bundle]).predict_logits(data), alone)


def test_mirrors_only_where_the_bundle_allows(make_bundle: MakeBundle) -> None:
    data = torch.randn(1, 2, 16, 16)
    bundle, fixed = make_bundle(mirrored_axes=(0,)), make_bundle(mirrored_axes=(2,))
    expected = predict_logits(build_network(bundle), data, patch_size=(16, 16), mirror_axes=(1,))
    torch.testing.assert_close(Predictor([bundle], mirror=True).predict_logits(data), expected)
    torch.testing.assert_close(
        Predictor([fixed], mirror=True).predict_logits(data), Predictor([fixed]).predict_logits(data)
    )


def test_members_may_have_other_patches(make_bundle: MakeBundle, plan: Plan) -> None:
    other = make_bundle(seed=1, plan=plan.model_copy(update={"topology": replace(plan.topology, patch_size=(12, 20))}))
    logits = Predictor([make_bundle(), other]).predict_logits(torch.randn(1, 2, 17, 19))
    assert logits.shape == (3, 2, 17, 19)


def test_hash_follows_what_changes_the_result(make_bundle: MakeBundle) -> None:
    first, second = make_bundle(seed=1), make_bundle(seed=2)
    reference = Predictor([first, second]).sha256
    assert Predictor([second, first], batch_size=3).sha256 == reference
    others = [Predictor([first]), Predictor([first, second], mirror=True), Predictor([first, second], overlap=0.25)]
    assert len({reference, *(other.sha256 for other in others)}) == 4


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
        Predictor([make_bundle()]).predict([make_image(), replace(make_image())]).labels


def test_training_nodes_need_no_readers_and_no_nnunet() -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('nibabel', 'SimpleITK', 'nnunetv2')));"
        "import uumamba.inference.bundle, uumamba.inference.network, uumamba.inference.sliding_window"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
