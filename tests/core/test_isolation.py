"""Outcomes of items worked on elsewhere, and of those whose process died."""

import os
import signal
import sys

import pytest

from uumamba.core.isolation import Died, map_isolated

WORST = {3: "abort", 7: "leave", 8: "raise"}


def square(number: int) -> int:
    """The square of a number, but for the worst of them, at which the process ends in some way."""
    end = WORST.get(number)
    if end == "abort":
        os.kill(os.getpid(), signal.SIGABRT)
    if end == "leave":
        os._exit(5)
    if end == "raise":
        sys.stderr.close()
        raise ValueError(number)
    return number**2


@pytest.mark.parametrize("processes", [1, 2])
def test_outcomes_come_in_order_and_a_death_is_the_outcome_of_its_item(processes: int) -> None:
    outcomes = list(map_isolated(square, range(10), processes=processes))
    assert len(outcomes) == 10
    died = {number: outcome for number, outcome in enumerate(outcomes) if isinstance(outcome, Died)}
    assert {number: outcome.reason for number, outcome in died.items()} == {
        3: "signal SIGABRT",
        7: "exit code 5",
        8: "exit code 1",
    }
    assert [outcome for number, outcome in enumerate(outcomes) if number not in died] == [
        number**2 for number in range(10) if number not in died
    ]


def test_nothing_to_do_starts_no_process() -> None:
    assert list(map_isolated(square, [], processes=2)) == []
