"""The other networks are trained, resumed and used by the same commands as U-Mamba."""

from pathlib import Path

import pytest

from tests.fakes import program
from uumamba.core.files import read_json
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
    assert read_json(tmp_path / "out" / "run.json")["scan_backend"] == "none"
    assert program.train(my_work, "--name", name, "--resume", overrides=(f"network.name={name}",)) == 0
    assert program.train(my_work, "--name", name, "--resume") == 2


def test_resenc_m_is_trained_with_its_own_blocks_and_without_a_scan(my_work: Path) -> None:
    """The run's plan holds them, and the record says that no scan backend ran."""
    assert program.train(my_work, overrides=("network.name=nnunet_resenc_m",)) == 0
    topology = read_bundle(program.run_folder(my_work)).description.plan.topology
    assert (topology.blocks_encoder, topology.blocks_decoder) == ((1, 3, 4), (1, 1))
    record = read_json(program.run_folder(my_work) / "run.json")
    assert record["scan_backend"] == "none"
