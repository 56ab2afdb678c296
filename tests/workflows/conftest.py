"""A fake ACDC that is preprocessed, trained on and predicted once; a test that changes something copies it first.

The work folder is made from a copy of the data that is gone afterwards: every training shows that it needs no more.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.fakes import program
from tests.fakes.acdc import write_fake


@pytest.fixture(autouse=True)
def leave_torch_as_it_was() -> Iterator[None]:
    """A run says how torch computes in the whole process; the next test shall not inherit it."""
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set as it was downloaded: five patients to train on, one to test."""
    root = tmp_path_factory.mktemp("acdc")
    write_fake(root)
    return root


@pytest.fixture(scope="session")
def work(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder, preprocessed in 2D, without runs."""
    raw, work = tmp_path_factory.mktemp("raw") / "data", tmp_path_factory.mktemp("preprocessed")
    shutil.copytree(data, raw)
    assert program.preprocess(raw, work) == 0
    shutil.rmtree(raw)
    return work


@pytest.fixture(scope="session")
def trained(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a finished run of fold 0."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(work, folder, dirs_exist_ok=True)
    assert program.train(folder) == 0
    return folder


@pytest.fixture(scope="session")
def run(trained: Path) -> Path:
    """The finished run's folder."""
    return program.run_folder(trained)


@pytest.fixture(scope="session")
def images(data: Path) -> tuple[Path, ...]:
    """The images of the test patient."""
    found = tuple(sorted(data.glob("database/testing/*/*_frame??.nii.gz")))
    assert len(found) == 2
    return found


@pytest.fixture
def my_data(data: Path, tmp_path: Path) -> Path:
    """A copy of the data that a test may spoil."""
    return Path(shutil.copytree(data, tmp_path / "my_data"))


@pytest.fixture
def my_work(work: Path, tmp_path: Path) -> Path:
    """A copy of the preprocessed work folder, its files' times included."""
    return Path(shutil.copytree(work, tmp_path / "my_work"))


@pytest.fixture
def my_trained(trained: Path, tmp_path: Path) -> Path:
    """A copy of the work folder with a finished run."""
    return Path(shutil.copytree(trained, tmp_path / "my_trained"))
