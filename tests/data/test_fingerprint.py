"""A fingerprint holds the ranges of its cases, whatever their order, and reads a store as an image is read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.plan import fake_plan
from tests.fakes.store import fake_store
from uumamba.core.errors import InputError
from uumamba.data.case_features import CaseFeatures, StructureFeatures, describe_case, structures_of
from uumamba.data.fingerprint import Fingerprint, Range, fingerprint_of_store, uprightness
from uumamba.data.preprocess import preprocess_case
from uumamba.data.store import CaseRecord, PreprocessedStore
from uumamba.imaging.image import Image

PLAN = fake_plan((16, 16))


def case(seed: int = 0, *, z_mm: float = 5.0, slices: int = 6, volume_ml: float | None = 40.0) -> CaseFeatures:
    """A bright wedge in noise, so that only one orientation is upright."""
    random = np.random.default_rng(seed)
    wedge = np.add.outer(np.arange(40.0), 3.0 * np.arange(36)) / 40
    data = (wedge + random.normal(size=(1, slices, 40, 36))).astype(np.float32)
    found = {} if volume_ml is None else {"ball": StructureFeatures(volume_ml, frozenset({"z-"}))}
    return describe_case(data, PLAN, spacing_mm=(z_mm, 1.5, 1.25), shape=data.shape[1:], structures=found)


def test_ranges_hold_the_cases() -> None:
    cases = [case(0), case(1, z_mm=8, slices=10), case(2, volume_ml=90), case(3, volume_ml=None)]
    fingerprint = Fingerprint.of(cases)
    assert fingerprint.cases == 4
    assert fingerprint.spacing_mm[2] == Range(low=5, high=8)
    assert fingerprint.size_mm[2] == Range(low=30, high=80)
    assert fingerprint.slices == Range(low=6, high=10)
    ball = fingerprint.structures["ball"]
    assert (ball.present, ball.volume_ml, ball.borders) == (3, Range(low=40, high=90), {"z-": 3})
    medians = [found.channels[0].median for found in cases]
    assert fingerprint.channels[0]["median"] == Range(low=min(medians), high=max(medians))


def test_order_does_not_matter_and_json_keeps_it() -> None:
    cases = [case(seed) for seed in range(5)]
    fingerprint = Fingerprint.of(cases)
    backwards = Fingerprint.of(iter(cases[::-1]))
    assert backwards.model_copy(update={"picture": (), "upright": None}) == fingerprint.model_copy(
        update={"picture": (), "upright": None}
    )
    np.testing.assert_allclose(backwards.picture, fingerprint.picture, atol=2e-4)
    assert Fingerprint.model_validate_json(fingerprint.model_dump_json()) == fingerprint


def test_a_feature_that_no_case_has_is_left_out() -> None:
    flat = describe_case(np.ones((1, 2, 8, 8), np.float32), PLAN, spacing_mm=(5, 1, 1), shape=(2, 8, 8))
    fingerprint = Fingerprint.of([flat])
    assert "skewness" not in fingerprint.channels[0]
    assert fingerprint.channels[0]["median"] == Range(low=1, high=1)
    assert fingerprint.structures == {}


def test_no_case_is_no_fingerprint() -> None:
    with pytest.raises(InputError, match="at least one training case, got none; name the training cases"):
        Fingerprint.of([])


def test_a_picture_needs_three_cases() -> None:
    two, three = (Fingerprint.of([case(seed) for seed in range(cases)]) for cases in (2, 3))
    assert (two.mean_picture, two.upright) == (None, None)
    assert three.mean_picture is not None
    assert three.mean_picture.shape == (1, 12, 12)
    assert three.upright is not None
    assert three.upright.low > 0


def test_an_upright_picture_is_most_like_itself() -> None:
    picture = np.random.default_rng(0).normal(size=(4, 4, 4)).astype(np.float32)
    upright = uprightness(picture, picture)
    assert upright is not None
    assert upright > 0
    for turned in (picture[::-1], picture.transpose(1, 0, 2), picture.transpose(2, 0, 1)[:, ::-1]):
        lower = uprightness(turned, picture)
        assert lower is not None
        assert lower <= -upright + 1e-6
    assert uprightness(picture * 0, picture) is None
    assert uprightness(picture, picture * 0) is None


def test_words_for_the_model_card() -> None:
    lines = "\n".join(Fingerprint.of([case(0), case(1, z_mm=8, volume_ml=90)]).in_words)
    assert "2 training cases" in lines
    assert "Spacing: x 1.25, y 1.5, z 5 to 8 mm." in lines
    assert "Slices: 6." in lines
    assert "Volumes: ball 40 to 90 ml." in lines
    assert "Volumes: unknown." in Fingerprint.of([replace(case(0), structures=None)]).in_words


def image_of(seed: int) -> tuple[Image, Image]:
    random = np.random.default_rng(seed)
    labels = np.zeros((36, 40, 5 + seed), np.uint8)
    labels[10:20, 12:30, : 2 + seed] = 1
    labels[12:15, 15:20, 1:2] = 2
    affine = np.diag([-1.25, 1.4, 6.0 + seed, 1])
    return Image((labels * 50 + random.gamma(2, 20, labels.shape)).astype(np.float32), affine), Image(labels, affine)


def test_a_store_tells_what_the_images_tell(tmp_path: Path) -> None:
    store, features = PreprocessedStore(tmp_path), []
    for seed in range(3):
        image, label_map = image_of(seed)
        prepared = preprocess_case([image], PLAN, label_map)
        geometry = prepared.geometry
        assert prepared.labels is not None
        grid_mm = (geometry.spacing_mm[0], *PLAN.spacing_mm[1:])
        record = CaseRecord(inputs=str(seed), spacing_mm=grid_mm, geometry=geometry.model_dump(mode="json"))
        store.write(f"case{seed}", prepared.data, prepared.labels, record, foreground={})
        features.append(
            describe_case(
                prepared.data,
                PLAN,
                spacing_mm=geometry.spacing_mm,
                shape=geometry.shape_before_crop,
                structures=structures_of(prepared.labels[0], PLAN, spacing_mm=grid_mm),
            )
        )
    fingerprint = fingerprint_of_store(store, store.cases(), PLAN)
    assert fingerprint == Fingerprint.of(features)
    assert fingerprint.spacing_mm[2] == Range(low=6, high=8)
    assert fingerprint.structures["shell"].borders == {"z-": 3}


def test_a_store_without_grids_says_so(tmp_path: Path) -> None:
    store = fake_store(tmp_path, cases=1)
    with pytest.raises(
        InputError, match=r"case0: .* does not tell the image's shape_before_crop and spacing_mm.*again"
    ):
        fingerprint_of_store(store, ["case0"], PLAN)


def test_of_label_maps_that_are_partly_left_open_no_volume_is_known(tmp_path: Path) -> None:
    """The other cases' ranges are kept, and how many these are."""
    store = fake_store(tmp_path)
    data, labels = store.read_case("case1")
    sparse = labels.copy()
    sparse[:, ::2] = 3
    store.write("case1", data, sparse, store.record("case1"), foreground={})
    records = {name: store.record(name) for name in store.cases()}
    for name, record in records.items():
        data, labels = store.read_case(name)
        grid = {"spacing_mm": record.spacing_mm, "shape_before_crop": data.shape[1:]}
        store.write(name, data, labels, record.model_copy(update={"geometry": grid}), foreground={})
    fingerprint = fingerprint_of_store(store, store.cases(), fake_plan((16, 16), ignore=3))
    whole = fingerprint_of_store(store, ("case0", "case2"), PLAN)
    assert (fingerprint.cases, fingerprint.labelled, whole.labelled) == (3, 2, 2)
    assert fingerprint.structures == whole.structures
    nothing = fingerprint_of_store(store, ("case1",), fake_plan((16, 16), ignore=3))
    assert (nothing.structures, nothing.labelled) == ({}, 0)
