from pathlib import Path

import pytest

from uumamba.core.limits import core_quota, memory_limit_bytes


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_no_control_groups_no_limit(tmp_path: Path) -> None:
    assert core_quota(tmp_path) is None
    assert memory_limit_bytes(tmp_path) is None


def test_the_tightest_of_the_own_group_and_those_above_binds(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "proc/self/cgroup": "0::/slurm/job_7\n",
            "sys/fs/cgroup/slurm/job_7/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/slurm/job_7/memory.max": "max\n",
            "sys/fs/cgroup/slurm/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/slurm/memory.max": "8000000000\n",
            "sys/fs/cgroup/other/memory.max": "1000\n",
        },
    )
    assert core_quota(tmp_path) == 1.5
    assert memory_limit_bytes(tmp_path) == 8_000_000_000


@pytest.mark.parametrize(
    ("quota", "limit", "cores", "size"), [("50000", "4096", 0.5, 4096), ("-1", "9" * 19, None, None)]
)
def test_version_1_in_a_container_that_does_not_see_its_own_folder(
    tmp_path: Path, quota: str, limit: str, cores: float | None, size: int | None
) -> None:
    plant(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{limit}\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": f"{quota}\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert core_quota(tmp_path) == cores
    assert memory_limit_bytes(tmp_path) == size
