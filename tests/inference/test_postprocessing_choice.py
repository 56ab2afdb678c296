"""The choice keeps what helps on validation cases, leaves what does not, and says why with true numbers."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.datasets.anatomy import Anatomy, unknown_anatomy
from uumamba.inference.postprocessing import (
    Adjacent,
    FillHoles,
    LargestComponents,
    Postprocessing,
    SmallComponents,
)
from uumamba.inference.postprocessing_choice import (
    Choice,
    Decision,
    ValidationCase,
    candidates,
    choose_postprocessing,
)
from uumamba.metrics import dice, hausdorff95_mm

LabelMap = NDArray[np.uint8]
LABELS = LabelSet(names=("background", "RV", "MYO", "LV"))
SPACING = (1.5, 1.5, 8.0)
ALONE = Anatomy(pieces={"RV": 1, "MYO": 1, "LV": 1})


def reference(shift: int = 0) -> LabelMap:
    """A cavity in a ring with a second cavity beside it."""
    x, y, _ = np.indices((26, 22, 4))
    radius = np.hypot(x - 15 - shift, y - 11)
    labels = np.where(radius < 6, 2, 0)
    labels[(radius >= 6) & (np.hypot(x - 7 - shift, y - 11) < 5)] = 1
    return np.where(radius < 3.5, 3, labels).astype(np.uint8)


def case(spoil: Callable[[LabelMap], None] | None = None, *, shift: int = 0) -> ValidationCase:
    """A prediction that is right but for the end slice of the cavity, and for what `spoil` does to it."""
    true = reference(shift)
    predicted = true.copy()
    predicted[predicted[..., 3] == 3, 3] = 0
    if spoil is not None:
        spoil(predicted)
    return ValidationCase(predicted, true, SPACING)


def choose(
    *cases: ValidationCase, anatomy: Anatomy | None = ACDC.description.anatomy, labels: LabelSet = LABELS
) -> Choice:
    """The choice on cases in memory."""
    return choose_postprocessing([partial(lambda each: each, each) for each in cases], labels, anatomy)


def far_island(labels: LabelMap) -> None:
    """Some right ventricle in a corner."""
    labels[22:, 18:, :2] = 1


def decision_on(choice: Choice, name: str, *structures: str, last: bool = False) -> Decision:
    """The first (or last) decision on this kind of step for these structures."""
    found = [each for each in choice.decisions if each.step.name == name and each.structures == structures]
    return found[-1 if last else 0]


@pytest.mark.parametrize("anatomy", [ACDC.description.anatomy, ALONE])
def test_of_clean_predictions_nothing_is_changed(anatomy: Anatomy) -> None:
    choice = choose(case(), case(shift=2), anatomy=anatomy)
    assert choice.postprocessing == Postprocessing()
    assert choice.cases == 2
    assert choice.decisions
    assert {each.reason for each in choice.decisions} == {"it changes nothing"}


def test_without_facts_a_ring_is_not_filled_since_the_cases_say_no() -> None:
    choice = choose(case(), anatomy=None)
    assert choice.postprocessing == Postprocessing()
    assert decision_on(choice, "fill_holes", "MYO").reason == "the mean Dice falls"


def test_far_islands_bring_the_component_step_with_the_metrics_numbers() -> None:
    spoilt = [case(far_island), case(far_island, shift=1), case()]
    choice = choose(*spoilt, anatomy=ALONE)
    assert choice.postprocessing.steps == (LargestComponents(structures=("RV",)),)
    kept = decision_on(choice, "largest_components", "RV")
    assert (kept.kept, kept.cases, kept.better, kept.worse) == (True, 3, 2, 0)
    for metric, before, after in (
        (dice, kept.dice_before, kept.dice_after),
        (hausdorff95_mm, kept.hd95_before_mm, kept.hd95_after_mm),
    ):
        there = [metric(each.prediction == 1, each.reference == 1, SPACING) for each in spoilt]
        clean = [metric(each.reference == 1, each.reference == 1, SPACING) for each in spoilt]
        assert before == pytest.approx(np.mean([value for value in there if value is not None]))
        assert after == pytest.approx(np.mean([value for value in clean if value is not None]))
    flatter, why = choice.postprocessing.grounds
    assert "3 validation cases" in flatter
    assert why.startswith("Only the largest component of RV stays. Kept: the mean Dice rises. Dice 0.")
    assert why.endswith("(2 of 3 cases better, 0 worse).")


def test_steps_that_come_after_a_kept_one_see_its_result() -> None:
    choice = choose(case(far_island), case(far_island))
    joint = decision_on(choice, "largest_components", "RV", "MYO", "LV")
    alone = decision_on(choice, "largest_components", "RV")
    assert joint.kept
    assert (alone.kept, alone.reason) == (False, "it changes nothing")
    assert alone.dice_before == 1.0
    assert alone.hd95_before_mm == 0.0


def test_kept_for_the_structure_that_it_helps_alone() -> None:
    def spoil(labels: LabelMap) -> None:
        far_island(labels)
        labels[labels == 2] = 0
        labels[reference() == 2] = np.where(np.indices(labels.shape)[0][reference() == 2] % 4, 2, 0)

    choice = choose(case(spoil), anatomy=ALONE)
    assert choice.postprocessing.steps == (LargestComponents(structures=("RV",)),)
    wall = decision_on(choice, "largest_components", "MYO")
    assert (wall.kept, wall.reason) == (False, "the mean Dice falls")
    assert wall.dice_after is not None
    assert wall.dice_before is not None
    assert wall.dice_after < wall.dice_before


def test_a_joint_step_that_harms_one_structure_is_not_kept() -> None:
    def cut_off(labels: LabelMap) -> None:
        far_island(labels)
        labels[labels == 3] = 0
        labels[:2, :2] = 3

    true = reference()
    true[:2, :2] = 3
    spoilt = case(cut_off)
    choice = choose(ValidationCase(spoilt.prediction, true, SPACING), anatomy=Anatomy(pieces_together=1))
    assert choice.postprocessing == Postprocessing()
    assert choice.decisions[0].reason == "the mean Dice falls"


def test_a_gain_in_one_case_does_not_outweigh_harm_in_as_many() -> None:
    def island(labels: LabelMap) -> None:
        labels[0, 0, 0] = 1

    harmed = case(island)
    true = harmed.reference.copy()
    true[0, 0, 0] = 1
    choice = choose(case(far_island), ValidationCase(harmed.prediction, true, SPACING), anatomy=ALONE)
    assert choice.postprocessing == Postprocessing()
    assert decision_on(choice, "largest_components", "RV").reason == "it helps no more cases than it harms"


def test_a_tiny_gain_is_not_kept() -> None:
    ball = np.zeros((50, 40, 40), dtype=np.uint8)
    ball[5:35, 5:35, 5:35] = 1
    near = ball.copy()
    near[37, 20, 20] = 1
    one = LabelSet(names=("background", "aorta"))
    choice = choose(ValidationCase(near, ball, (1, 1, 1)), anatomy=None, labels=one)
    assert choice.postprocessing == Postprocessing()
    assert choice.decisions[0].reason == "it gains no more than 0.0005 Dice and 0.1 mm HD95"


def test_a_shorter_distance_is_enough() -> None:
    """Of a sheet with a tail, the 95th percentile lies just in the tail, until one voxel less is far away."""
    sheet = np.zeros((84, 40, 3), dtype=np.uint8)
    sheet[:25, :, 1] = 1
    tail = sheet.copy()
    tail[25:77, 20, 1] = tail[83, 0, 1] = 1
    one = LabelSet(names=("background", "valve"))
    choice = choose(ValidationCase(tail, sheet, (1, 1, 1)), anatomy=None, labels=one)
    kept = choice.decisions[0]
    assert (kept.kept, kept.reason) == (True, "the mean HD95 falls")
    assert kept.dice_after == pytest.approx(2000 / 2052)
    assert (kept.hd95_before_mm, kept.hd95_after_mm) == pytest.approx((0.4, 0.0))


def test_a_false_positive_that_goes_counts_as_right() -> None:
    true = reference()
    true[true == 1] = 0
    predicted = true.copy()
    far_island(predicted)
    choice = choose(ValidationCase(predicted, true, SPACING), anatomy=Anatomy(touches={"RV": ("MYO",)}))
    assert choice.postprocessing.steps == (Adjacent(structures=("RV",), to=("MYO",)),)
    kept = choice.decisions[0]
    assert (kept.dice_before, kept.dice_after, kept.hd95_after_mm) == (0.0, 1.0, 0.0)


def test_holes_are_filled_in_slices_before_the_volume() -> None:
    def spoil(labels: LabelMap) -> None:
        labels[15, 11, :3] = 0

    choice = choose(case(spoil), case(spoil))
    assert choice.postprocessing.steps == (FillHoles(structures=("LV",), in_slices=True),)
    assert decision_on(choice, "fill_holes", "LV", last=True).reason == "it changes nothing"


def test_a_structure_in_no_case_has_no_numbers() -> None:
    empty = np.zeros((5, 5, 2), dtype=np.uint8)
    decision = choose(ValidationCase(empty, empty, SPACING), anatomy=ALONE).decisions[0]
    assert (decision.kept, decision.reason, decision.cases) == (False, "no case has it", 0)
    assert decision.dice_before is None
    assert decision.hd95_after_mm is None
    assert decision.sentence == "Only the largest component of RV stays. Not kept: no case has it."


def test_a_flat_image_is_compared_as_the_plane_it_is() -> None:
    spoilt = case(far_island)
    flat = ValidationCase(spoilt.prediction[..., :1], spoilt.reference[..., :1], SPACING)
    kept = decision_on(choose(flat, anatomy=ALONE), "largest_components", "RV")
    expected = hausdorff95_mm(flat.prediction[..., 0] == 1, flat.reference[..., 0] == 1, SPACING[:2])
    assert kept.hd95_before_mm == pytest.approx(expected)


def test_ignored_voxels_do_not_count() -> None:
    spoilt = case(far_island)
    true = spoilt.reference.copy()
    true[20:, 16:] = 4
    ignoring = LabelSet(names=LABELS.names, ignore=4)
    choice = choose(ValidationCase(spoilt.prediction, true, SPACING), labels=ignoring)
    assert choice.postprocessing == Postprocessing()
    assert decision_on(choice, "largest_components", "RV").dice_before == 1.0


def test_cases_are_read_one_at_a_time_once_for_each_step() -> None:
    held: list[int] = []

    def read(index: int) -> ValidationCase:
        held.append(index)
        return case(far_island)

    choose_postprocessing([partial(read, 0), partial(read, 1)], LABELS, ACDC.description.anatomy)
    assert held == [0, 1] * (1 + len(list(candidates(LABELS, ACDC.description.anatomy))))


def test_candidates_follow_the_facts() -> None:
    names = ("RV", "MYO", "LV")
    assert list(candidates(LABELS, ACDC.description.anatomy)) == [
        LargestComponents(structures=names, together=True),
        LargestComponents(structures=names),
        Adjacent(structures=("RV", "LV"), to=("MYO",)),
        FillHoles(structures=("RV", "LV"), in_slices=True),
        FillHoles(structures=("RV", "LV")),
    ]
    assert list(candidates(LABELS, Anatomy(pieces={"LV": 2, "RV": 1, "MYO": 2}))) == [
        LargestComponents(structures=("RV",)),
        LargestComponents(structures=("LV", "MYO"), count=2),
    ]
    one = LabelSet(names=("background", "aorta"))
    assert [step.name for step in candidates(one, unknown_anatomy(one))] == [
        "largest_components",
        "fill_holes",
        "fill_holes",
    ]


def test_the_choice_travels_as_json() -> None:
    choice = choose(case(far_island), case())
    assert Choice.model_validate_json(choice.model_dump_json()) == choice


def test_no_cases_and_grids_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match=r"no validation case to choose post-processing on; give at least one"):
        choose()
    with pytest.raises(InputError, match=r"must lie on one grid, got \(26, 22, 4\) and \(26, 22, 3\); predict the"):
        choose(ValidationCase(case().prediction, case().reference[..., :3], SPACING))


def test_for_regions_nothing_is_tried_and_the_reason_is_given() -> None:
    regions = LabelSet(names=("background", "all", "LV"), regions=((1, 2, 3), (3,)), written=(1, 3))
    choice = choose(case(far_island), anatomy=None, labels=regions)
    assert (choice.decisions, choice.cases, choice.postprocessing.steps) == ((), 1, ())
    assert choice.postprocessing.sentences() == (
        "None: every step is made for structures of one number each, and these labels have regions.",
    )


def tree_case(fragment_voxels: int, *, trees: int = 2) -> ValidationCase:
    """Two vessels, each cut in two by a gap, and a false fragment; voxels of 1 mm."""
    true = np.zeros((30, 30, 40), dtype=np.uint8)
    for number in range(trees):
        true[5 + 18 * number : 8 + 18 * number, 5:8, 2:38] = 1
    predicted = true.copy()
    predicted[..., 20] = 0
    predicted[15, 20, 2 : 2 + fragment_voxels] = 1
    return ValidationCase(predicted, true, (1.0, 1.0, 1.0))


def test_fragments_of_a_tree_go_by_their_volume_where_its_own_pieces_must_stay() -> None:
    labels = LabelSet(names=("background", "artery"))
    anatomy = Anatomy(pieces={"artery": 2}, fragments=("artery",))
    choice = choose(tree_case(8), tree_case(25), anatomy=anatomy, labels=labels)
    assert choice.postprocessing.steps == (
        SmallComponents(structures=("artery",), below_ml=0.01),
        SmallComponents(structures=("artery",), below_ml=0.03),
    )
    pieces = decision_on(choice, "largest_components", "artery")
    assert (pieces.step, pieces.reason) == (LargestComponents(structures=("artery",), count=2), "the mean Dice falls")
    assert decision_on(choice, "small_components", "artery", last=True).reason == "it changes nothing"


def test_no_volume_is_tried_for_structures_that_are_no_trees() -> None:
    assert not any(isinstance(step, SmallComponents) for step in candidates(LABELS, ACDC.description.anatomy))
