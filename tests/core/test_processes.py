import pytest
import torch

from uumamba.core.processes import ALONE, BatchSum, Processes, find_processes

BATCH_SCRIPT = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
STEP = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "2", "WORLD_SIZE": "3", "LOCAL_RANK": "0"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ALONE),
        (BATCH_SCRIPT, ALONE),
        (STEP | {"SLURM_STEP_NUM_TASKS": "1"}, ALONE),
        ({"RANK": "1", "WORLD_SIZE": "2"}, ALONE),
        (BATCH_SCRIPT | STEP, Processes("srun", rank=3, count=4, local_rank=1)),
        (TORCHRUN, Processes("torchrun", rank=2, count=3, local_rank=0)),
        (STEP | TORCHRUN, Processes("torchrun", rank=2, count=3, local_rank=0)),
    ],
)
def test_who_started_a_process_and_beside_which(environment: dict[str, str], expected: Processes) -> None:
    """The script of a batch job is alone, whatever its job has; torchrun inside a Slurm step counts, not the step."""
    assert find_processes(environment) == expected
    assert expected.is_first == (expected.rank == 0)


def test_alone_all_that_processes_tell_each_other_is_one_s_own() -> None:
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    assert ALONE.gather("mine") == ["mine"]
    assert ALONE.sum(value) is value
    total = BatchSum(ALONE)
    assert total(value) is value
    with total.local():
        assert total(value) is value
    ALONE.wait()
