"""What is like the training cases is never flagged; what is not is, by one code, with the numbers."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uumamba.data.case_features import INTENSITIES, CaseFeatures, ChannelFeatures, StructureFeatures
from uumamba.data.fingerprint import Fingerprint
from uumamba.data.plan import Plan
from uumamba.data.preprocess import preprocess_case
from uumamba.imaging.image import Image
from uumamba.inference.bundle import Bundle, read_bundle, write_bundle
from uumamba.inference.input_check import (
    LOW_CONFIDENCE,
    check_confidence,
    check_input,
    check_labels,
    features_of,
    flags_of,
)
from uumamba.inference.prediction import Flag

WEDGE = (np.arange(12)[:, None] + 3 * np.arange(12) ** 1.5)[None].astype(np.float32)
LOW = dict(zip(INTENSITIES, (-1.4, -0.5, 1.8, 0.7, 0.0, 0.1), strict=True))
HIGH = dict(zip(INTENSITIES, (-0.7, -0.1, 4.4, 8.0, 0.1, 0.2), strict=True))
SPACING, SIZE = ((0.7, 0.7, 5.0), (1.9, 1.9, 10.0)), ((230, 240, 60), (430, 480, 110))
SLICES, VOLUME = (6, 18), (20, 370)


def made(share: float, seed: int = 0) -> CaseFeatures:
    """A case at `share` of the way from every range's low end to its high end."""

    def between(low: float, high: float) -> float:
        return low + share * (high - low)

    channel = ChannelFeatures(name="MRI", **{name: between(LOW[name], HIGH[name]) for name in INTENSITIES})
    x, y, z = (between(*span) for span in zip(*SPACING, strict=True))
    along_x, along_y, along_z = (between(*span) for span in zip(*SIZE, strict=True))
    picture = WEDGE + np.random.default_rng(seed).normal(size=WEDGE.shape).astype(np.float32)
    found = {"LV": StructureFeatures(between(*VOLUME), frozenset({"z+"}))}
    return CaseFeatures((x, y, z), (along_x, along_y, along_z), round(between(*SLICES)), (channel,), picture, found)


TRAINING = [made(index / 39, index) for index in range(40)]
FINGERPRINT = Fingerprint.of(TRAINING)


def codes(flags: tuple[Flag, ...]) -> list[str]:
    return [flag.code for flag in flags]


def test_no_training_case_is_flagged() -> None:
    for case in TRAINING:
        assert check_input(FINGERPRINT, case) == ()
        assert case.structures is not None
        assert check_labels(FINGERPRINT, case.structures) == ()


def test_a_fingerprint_of_one_case_takes_the_case_itself() -> None:
    assert check_input(Fingerprint.of(TRAINING[:1]), TRAINING[0]) == ()


@given(st.lists(st.floats(0, 1), min_size=14, max_size=14))
def test_inside_all_ranges_is_no_flag(shares: list[float]) -> None:
    """Whatever the combination: each feature lies somewhere of its own in its range."""
    cases = [made(share) for share in shares]
    mixed = CaseFeatures(
        spacing_mm=tuple(case.spacing_mm[axis] for axis, case in enumerate(cases[:3])),
        size_mm=tuple(case.size_mm[axis] for axis, case in enumerate(cases[3:6])),
        slices=cases[6].slices,
        channels=(
            ChannelFeatures(
                "MRI", **{n: getattr(case.channels[0], n) for n, case in zip(INTENSITIES, cases[7:13], strict=True)}
            ),
        ),
        picture=TRAINING[round(shares[13] * 39)].picture,
    )
    assert check_input(FINGERPRINT, mixed) == ()


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("field", "code"), [("spacing_mm", "spacing"), ("size_mm", "field_of_view")])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_lengths_are_flagged(field: str, code: str, axis: int, factor: float) -> None:
    lengths = [length * (factor if axis == index else 1) for index, length in enumerate(getattr(made(0.5), field))]
    (flag,) = check_input(FINGERPRINT, replace(made(0.5), **{field: tuple(lengths)}))
    assert flag.code == code
    span = getattr(FINGERPRINT, field)[axis]
    assert f"along {'xyz'[axis]} {lengths[axis]:.3g} mm, in the 40 training cases {span} mm" in flag.sentence


@pytest.mark.parametrize("slices", [3, 40])
def test_slices_are_flagged(slices: int) -> None:
    (flag,) = check_input(FINGERPRINT, replace(made(0.5), slices=slices))
    assert flag == Flag("slices", f"number of slices {slices}, in the 40 training cases 6 to 18")


@pytest.mark.parametrize("name", INTENSITIES)
@pytest.mark.parametrize("side", [-1, 1])
def test_intensities_are_flagged(name: str, side: int) -> None:
    length = HIGH[name] - LOW[name]
    value = (HIGH[name] if side > 0 else LOW[name]) + side * 0.2 * length
    case = made(0.5)
    (flag,) = check_input(FINGERPRINT, replace(case, channels=(replace(case.channels[0], **{name: value}),)))
    assert flag.code == "intensity"
    assert f"{INTENSITIES[name]} {value:.3g}, in the 40 training cases" in flag.sentence


def test_the_margin_is_a_tenth_and_one_case() -> None:
    case, length = made(0.5), HIGH["median"] - LOW["median"]
    for share, flags in ((0.12, 0), (0.13, 1)):
        channel = replace(case.channels[0], median=HIGH["median"] + share * length)
        assert len(check_input(FINGERPRINT, replace(case, channels=(channel,)))) == flags


def test_a_number_that_is_missing_is_not_compared() -> None:
    case = made(0.5)
    assert check_input(FINGERPRINT, replace(case, channels=(replace(case.channels[0], skewness=None),))) == ()


@pytest.mark.parametrize(("lowest", "flagged"), [(-3024, False), (-1000, False), (-54, True), (0, True)])
def test_a_ct_without_hounsfield_units_is_flagged(lowest: float, flagged: bool) -> None:
    case = made(0.5)
    flags = check_input(FINGERPRINT, replace(case, channels=(replace(case.channels[0], lowest_hu=lowest),)))
    assert codes(flags) == (["units"] if flagged else [])
    for flag in flags:
        assert f"lowest value {lowest:g}, a CT in Hounsfield units goes below -200" in flag.sentence
        assert "shifted by 1024, or rescaled to 0 to 255" in flag.sentence


def test_a_turned_image_is_flagged() -> None:
    picture = TRAINING[3].picture
    for turned in (picture.transpose(0, 2, 1), picture[:, ::-1], picture[:, :, ::-1], np.rot90(picture, 1, (1, 2))):
        (flag,) = check_input(FINGERPRINT, replace(made(0.5), picture=turned))
        assert flag.code == "orientation"
        assert "in the 40 training cases" in flag.sentence
        assert "look at the orientation in the image's header" in flag.sentence


def test_many_differences_are_one_flag_for_each_code() -> None:
    case = replace(made(0.5), spacing_mm=(20, 20, 100), slices=99, size_mm=(9, 9, 9))
    flags = check_input(FINGERPRINT, case)
    assert codes(flags) == ["spacing", "field_of_view", "slices"]
    assert flags[0].sentence.count(" mm; spacing along ") == 2


def test_an_absent_structure_is_flagged_if_every_training_case_has_it() -> None:
    assert check_labels(FINGERPRINT, {}) == (Flag("absent", "LV has no voxel, all 40 training cases have it"),)
    assert check_labels(Fingerprint.of([*TRAINING, replace(made(0.5), structures={})]), {}) == ()


@pytest.mark.parametrize("volume", [1.0, 900.0])
def test_an_odd_volume_is_flagged(volume: float) -> None:
    flags = check_labels(FINGERPRINT, {"LV": StructureFeatures(volume, frozenset())})
    assert flags == (Flag("volume", f"LV {volume:g} ml, in the 40 training cases 20 to 370 ml"),)


def test_a_cut_structure_is_flagged_unless_training_cases_are_cut_there() -> None:
    flags = check_labels(FINGERPRINT, {"LV": StructureFeatures(100, frozenset({"z+", "x-"}))})
    cut = "LV reaches the low end of x and may be cut there, as 0 of 40 training cases do"
    assert flags == (Flag("cut", cut),)


def test_a_structure_that_no_training_case_has_is_not_compared() -> None:
    assert check_labels(FINGERPRINT, made(0.5).structures | {"RV": StructureFeatures(1, frozenset({"x-"}))}) == ()


def test_low_confidence_is_flagged() -> None:
    assert check_confidence({"LV": LOW_CONFIDENCE, "RV": None}) == ()
    flags = check_confidence({"LV": 0.91, "MYO": 0.5, "RV": 0.79})
    assert flags == (Flag("confidence", "expected Dice of MYO 0.50, RV 0.79; 0.8 or more is trusted"),)


def small_case(plan: Plan) -> tuple[Image, np.ndarray, Fingerprint]:
    """An image, its label map, and the fingerprint of images like it."""
    random = np.random.default_rng(0)
    labels = np.zeros((18, 22, 3), np.uint8)
    labels[5:9, 6:12] = 1
    labels[9:11, 6:12, 1] = 2
    affine = np.diag([1.5, 1.2, 8.0, 1.0])
    images = [Image((labels * 40 + random.gamma(2, 20, labels.shape)).astype(np.float32), affine) for _ in range(4)]
    cases = []
    for image in images:
        prepared = preprocess_case([image], plan)
        found = {"cavity": StructureFeatures(4 * 6 * 3 * 1.5 * 1.2 * 8 / 1000, frozenset({"z-", "z+"}))}
        cases.append(replace(features_of([image], prepared, plan), structures=found))
    return images[0], labels, Fingerprint.of(cases)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_flags_do_not_depend_on_how_a_file_stores_its_axes(plan: Plan, order: tuple[int, int, int]) -> None:
    image, labels, fingerprint = small_case(plan)
    cut = labels.copy()
    cut[-1, 8] = 1
    expected = None
    for flips in product((1, -1), repeat=3):
        affine = image.affine[:, [*order, 3]].copy()
        affine[:3, 3] = sum(
            (image.affine[:3, axis] * (image.shape[axis] - 1) for axis, f in zip(order, flips, strict=True) if f < 0),
            np.zeros(3),
        )
        affine[:3, :3] *= flips
        turn = tuple(slice(None, None, flip) for flip in flips)
        stored = Image(np.ascontiguousarray(image.data.transpose(order)[turn]), affine)
        prepared = preprocess_case([stored], plan)
        features = features_of([stored], prepared, plan)
        flags = {
            name: flags_of(
                fingerprint,
                features,
                labels=label_map.transpose(order)[turn],
                geometry=prepared.geometry,
                plan=plan,
                confidence={},
            )
            for name, label_map in (("whole", labels), ("cut", cut))
        }
        assert flags["whole"] == ()
        assert codes(flags["cut"]) == ["cut"]
        expected = expected or flags
        assert flags == expected


def test_without_a_fingerprint_only_confidence_is_checked(plan: Plan) -> None:
    image, labels, _ = small_case(plan)
    prepared = preprocess_case([image], plan)
    features = features_of([image], prepared, plan)
    for confidence, expected in (({"cavity": 0.9}, []), ({"cavity": 0.1}, ["confidence"])):
        flags = flags_of(
            None, features, labels=labels * 0, geometry=prepared.geometry, plan=plan, confidence=confidence
        )
        assert codes(flags) == expected


def test_a_bundle_keeps_it_and_its_card_tells_it(make_bundle: Callable[..., Bundle]) -> None:
    bundle = make_bundle()
    assert bundle.description.fingerprint is None
    assert "Made for images like these" not in bundle.description.model_card
    description = bundle.description.model_copy(update={"fingerprint": FINGERPRINT})
    write_bundle(bundle.path, state=bundle.state, description=description)
    again = read_bundle(bundle.path).description
    assert again.fingerprint == FINGERPRINT
    assert check_input(again.fingerprint, replace(made(0.5), slices=99)) != ()
    assert "## Made for images like these\n\n* Measured in 40 training cases" in again.model_card
    assert "z 5 to 10 mm" in again.model_card
