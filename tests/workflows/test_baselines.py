"""The other networks are trained, resumed and used by the same commands as U-Mamba."""

from pathlib import Path

import pytest

from tests.fakes import program
from uumamba.inference.bundle import read_bundle


@pytest.mark.parametrize("name", ["no_mamba", "nnunet_plain", "nnunet_resenc_m"])
def test_a_baseline_from_work_folder_to_label_maps(
    name: str, my_work: Path, images: tuple[Path, ...], tmp_path: Path
) -> None:
    assert program.train(my_work, "--name", name, overrides=(f"network.name={name}",)) == 0
    bundle = read_bundle(program.run_folder(my_work, name))
    assert bundle.description.network.name == name
    assert bundle.description.plan.patch_size == (32, 32)
    model = ("--model", bundle.path, "--output", tmp_path / "out", "--device", "cpu")
    assert program.uumamba("infer", *model, *(word for image in images for word in ("--input", image))) == 0
    assert program.train(my_work, "--name", name, "--resume", overrides=(f"network.name={name}",)) == 0
    assert program.train(my_work, "--name", name, "--resume") == 2
