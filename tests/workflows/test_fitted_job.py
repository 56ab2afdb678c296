"""Runs that fit their machine: what was asked for stays bitwise the same, what was given up is kept on resuming."""

from pathlib import Path

import pytest
import torch

from tests.fakes import program
from uumamba.config import load_config
from uumamba.core.files import read_json
from uumamba.core.held_memory import can_measure_peak
from uumamba.core.processes import ALONE, Processes
from uumamba.inference.bundle import read_bundle
from uumamba.training.cluster import connected
from uumamba.training.fitted_run import FittedRun
from uumamba.workflows import fitted_job
from uumamba.workflows.fitted_job import fit_job
from uumamba.workflows.training_job import Job, find_job

FITTED = ("hardware.fit=true", "hardware.threads=1")


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = read_bundle(run).state
    assert state
    return state


def test_a_run_that_fits_is_bitwise_the_run_without_fitting(my_work: Path, run: Path) -> None:
    assert program.train(my_work, overrides=FITTED) == 0
    mine = program.run_folder(my_work)
    before, after = weights(run), weights(mine)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    record = read_json(mine / "run.json")
    fitted = FittedRun.model_validate(record["fitted"])
    assert fitted.given_up == ()
    assert fitted.choice.plan.model_dump(mode="json") == record["plan"]
    assert fitted.seconds_per_batch_drawn is not None
    assert "the training takes" in (mine / "log.txt").read_text()
    assert read_json(run / "run.json")["fitted"] is None


@pytest.mark.skipif(not can_measure_peak(torch.device("cpu")), reason="memory cannot be measured on this system")
def test_nothing_is_begun_where_nothing_fits(my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train(my_work, overrides=(*FITTED, "hardware.memory_gb=0.01")) == 2
    assert "0.01 GB may be used; raise hardware.memory_gb" in " ".join(capsys.readouterr().err.split())
    assert not program.run_folder(my_work).joinpath("last.safetensors").exists()


def job_of(work: Path, *overrides: str, processes: Processes = ALONE) -> Job:
    config = load_config(Path("configs/acdc.yaml"), (*program.TINY, *overrides))
    return find_job("acdc", work, "acdc", config, "0", processes)


def smaller(job: Job) -> fitted_job.Choice:
    """The job's choice with its batch split and its patch made smaller."""
    plan = job.config.model_copy(
        update={"plan": job.config.plan.model_copy(update={"patch_size": (24, 32), "batch_size": 1})}
    ).adapt(job.planned)
    return fitted_job.Choice(plan=plan, accumulate=2, checkpoint_stages=(0, 1))


def test_what_was_given_up_is_in_the_plan_and_the_configuration_and_stays_so_on_resuming(
    my_work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = job_of(my_work, *FITTED)
    measure = fitted_job.fit_run

    def give_up(*arguments: object, **options: object) -> FittedRun:
        found = measure(*arguments, **options)
        return found.model_copy(update={"choice": smaller(asked), "given_up": ("much",)})

    monkeypatch.setattr(fitted_job, "fit_run", give_up)
    assert program.train(my_work, overrides=FITTED) == 0
    monkeypatch.undo()
    run = program.run_folder(my_work)
    assert "given up for memory: much" in (run / "log.txt").read_text()
    saved = load_config(run / "config.yaml")
    assert saved.adapt(asked.planned) == read_bundle(run).description.plan == smaller(asked).plan
    assert (saved.training.accumulate, saved.hardware.checkpoint_stages) == (2, (0, 1))
    assert program.train(my_work, "--resume", overrides=FITTED) == 0
    assert FittedRun.model_validate(read_json(run / "run.json")["fitted"]).given_up == ("much",)
    saved_options = ("--config", run / "config.yaml", "--name", "acdc", "--resume")
    assert program.uumamba("train", "--dataset", "acdc", "--work", my_work, *saved_options) == 0
    assert FittedRun.model_validate(read_json(run / "run.json")["fitted"]).given_up == ("much",)


def test_another_wish_is_still_refused_on_resuming(my_work: Path) -> None:
    assert program.train(my_work, overrides=FITTED) == 0
    assert program.train(my_work, "--resume", overrides=(*FITTED, "plan.batch_size=3")) == 2


def test_several_processes_are_taken_as_asked(work: Path) -> None:
    job = job_of(work, *FITTED, processes=Processes("torchrun", 0, 2, 0))
    with connected(ALONE, job.device) as fabric:
        assert fit_job(job, fabric) == (job, None)
    off = job_of(work)
    with connected(ALONE, off.device) as fabric:
        assert fit_job(off, fabric) == (off, None)
