"""Three lines of Python: the same label map as the command's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import uumamba
from uumamba.core.errors import InputError
from uumamba.imaging.files import read_image, write_image
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle
from uumamba.inference.predictor import Predictor
from uumamba.inference.segment import load_predictor


def test_a_path_an_image_a_predictor_and_a_series(
    make_bundle: Callable[..., Bundle], make_image: Callable[..., Image], tmp_path: Path
) -> None:
    bundle, path = make_bundle(), tmp_path / "study 1.nii.gz"
    write_image(path, make_image())
    image = read_image(path)
    expected = Predictor([bundle]).predict([image]).labels
    labels = uumamba.segment(path, bundle.path)
    np.testing.assert_array_equal(labels.data, expected)
    np.testing.assert_array_equal(labels.affine, image.affine)
    assert labels.data.dtype == np.uint8
    predictor = load_predictor(str(bundle.path), device="cpu")
    for given in (str(path), image, Image(image.data, image.affine)):
        np.testing.assert_array_equal(uumamba.segment(given, predictor).data, expected)
    series = Image(np.repeat(image.data[..., None], 2, axis=3), image.affine)
    np.testing.assert_array_equal(uumamba.segment(series, predictor).data, np.stack([expected] * 2, axis=3))


def test_several_bundles_are_an_ensemble(make_bundle: Callable[..., Bundle], make_image: Callable[..., Image]) -> None:
    bundles, image = [make_bundle(seed=seed) for seed in (1, 2)], make_image()
    expected = Predictor(bundles).predict([image]).labels
    np.testing.assert_array_equal(uumamba.segment(image, [bundle.path for bundle in bundles]).data, expected)


def test_what_is_not_there(make_bundle: Callable[..., Bundle], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder; give a bundle"):
        uumamba.segment(tmp_path / "image.nii", tmp_path / "nothing")
    with pytest.raises(InputError, match="no such file"):
        uumamba.segment(tmp_path / "image.nii", make_bundle().path)
