import os
import signal
from collections.abc import Iterator

import pytest

from uumamba.core.errors import Interrupted
from uumamba.core.interruption import Interruption


@pytest.fixture(autouse=True)
def handlers_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


every_signal = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])


@every_signal
def test_a_deferred_signal_is_remembered(number: signal.Signals) -> None:
    with Interruption().heard() as interruption, interruption.deferred():
        assert not interruption.requested
        os.kill(os.getpid(), number)
        assert interruption.requested
        assert interruption.name == number.name


def test_the_log_says_what_is_ended_first(caplog: pytest.LogCaptureFixture) -> None:
    with Interruption(ends_after="case").heard() as interruption, interruption.deferred():
        os.kill(os.getpid(), signal.SIGTERM)
    assert "SIGTERM: the run stops after this case" in caplog.text


@every_signal
def test_without_a_signal_all_is_as_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption().heard():
        assert signal.getsignal(number) != before
    assert signal.getsignal(number) == before


@every_signal
def test_elsewhere_a_signal_stops_at_once_and_says_how_to_go_on(number: signal.Signals) -> None:
    with (
        pytest.raises(Interrupted, match=f"stopped by {number.name}") as stopped,
        Interruption().heard(),
    ):
        os.kill(os.getpid(), number)
    assert stopped.value.exit_code == 75


def test_whoever_presses_ctrl_c_twice_does_not_wait() -> None:
    with Interruption().heard() as interruption, interruption.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_second_signal_to_a_process_that_is_leaving_changes_nothing() -> None:
    """Slurm sends SIGTERM twice at a time limit; the exit code must stay what the first one made it."""

    def leave() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted), Interruption().heard():
        leave()
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_job_that_is_told_twice_still_stops_where_nothing_is_lost() -> None:
    with Interruption().heard() as interruption, interruption.deferred():
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.name == "SIGTERM"
