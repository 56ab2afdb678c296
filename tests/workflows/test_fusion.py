"""`uumamba fusion`: a picture and a table of what FreqFusion does in a case."""

import csv
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from tests.fakes.fused import fused_settings, small_plan, write_ball, write_small_bundle
from tests.fakes.program import uumamba
from uumamba.core.files import read_json
from uumamba.imaging.files import read_image, read_label_map, write_image, write_label_map
from uumamba.imaging.image import Image
from uumamba.inference.bundle import BundleDescription, read_bundle, write_bundle
from uumamba.inference.fusion_maps import UNITS
from uumamba.inference.network import network_of
from uumamba.models.umamba import NoMambaSettings
from uumamba.workflows.fusion import COLUMNS


def look(model: Path, image: Path, output: Path, *options: str | Path) -> int:
    """`uumamba fusion` on the CPU."""
    return uumamba("fusion", "--model", model, "--input", image, "--output", output, "--device", "cpu", *options)


def rows(output: Path) -> list[dict[str, str]]:
    with (output / "fusion.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("dims", [2, 3])
def test_a_picture_and_a_table(dims: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_small_bundle(tmp_path / "model.safetensors", fused_settings(), dims)
    image, reference = write_ball(tmp_path)
    output = tmp_path / "out"
    assert look(model, image, output, "--reference", reference) == 0
    printed, said = capsys.readouterr()
    assert {path.name for path in output.iterdir()} == {"fusion.png", "fusion.csv", "fusion.json"}
    assert imread(output / "fusion.png").std() > 0.1
    assert "slice 4 of 6, the reference's structures" in " ".join(said.split())
    found = rows(output)
    assert tuple(found[0]) == COLUMNS
    sizes = {2: ("16 x 16", "8 x 8"), 3: ("4 x 16 x 16", "4 x 8 x 8")}[dims]
    assert [(row["stage"], row["quantity"], row["unit"]) for row in found] == [
        (f"stage {stage}, {size}", quantity, unit)
        for stage, size in enumerate(sizes)
        for quantity, unit in UNITS.items()
    ]
    for row in found[:4]:
        assert int(row["border_voxels"]) > 0
        assert int(row["elsewhere_voxels"]) > 0
        assert float(row["ratio"]) == pytest.approx(float(row["border"]) / float(row["elsewhere"]), abs=1e-3)
    assert "kernel width" in printed
    assert "at borders" in printed


def test_the_record_says_what_was_looked_at_and_a_run_is_a_model_too(tmp_path: Path) -> None:
    image, reference = write_ball(tmp_path)
    write_small_bundle(tmp_path / "run" / "model.safetensors", fused_settings(), 2)
    assert look(tmp_path / "run", image, tmp_path / "out", "--reference", reference, "--slice", "3") == 0
    record = read_json(tmp_path / "out" / "fusion.json")
    assert record["model"]["sha256"] == read_bundle(tmp_path / "run").sha256
    assert record["input"]["path"] == str(image)
    assert record["reference"]["path"] == str(reference)
    assert (record["slice"], record["patch_size"], record["filter_backend"]) == (3, [16, 16], "cpu")


def test_without_a_reference_borders_are_the_models_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, _ = write_ball(tmp_path)
    model = write_small_bundle(tmp_path / "model.safetensors", fused_settings(stages=(1,), feature_resample=False), 2)
    assert look(model, image, tmp_path / "out") == 0
    assert "the network's own structures" in " ".join(capsys.readouterr().err.split())
    assert [row["quantity"] for row in rows(tmp_path / "out")] == ["kernel_width", "low_pass_change", "high_pass_gain"]
    assert read_json(tmp_path / "out" / "fusion.json")["reference"] is None


def test_what_the_reference_leaves_open_counts_nowhere(tmp_path: Path) -> None:
    image, reference = write_ball(tmp_path)
    model = write_small_bundle(tmp_path / "model.safetensors", fused_settings(), 2, ignore=3)
    assert look(model, image, tmp_path / "all", "--reference", reference, "--slice", "4") == 0
    label_map = read_label_map(reference)
    label_map.data[:13][label_map.data[:13] == 2] = 3
    write_label_map(reference, label_map.data, label_map)
    assert look(model, image, tmp_path / "known", "--reference", reference, "--slice", "4") == 0
    every, known = (rows(tmp_path / name)[0] for name in ("all", "known"))
    assert 0 < int(known["border_voxels"]) < int(every["border_voxels"])
    assert int(known["elsewhere_voxels"]) < int(every["elsewhere_voxels"])


def test_a_model_without_freqfusion_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, _ = write_ball(tmp_path)
    model = write_small_bundle(tmp_path / "model.safetensors", NoMambaSettings(), 2)
    assert look(model, image, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "its decoder has no FreqFusion, so there is nothing to look at; train a model with --set" in error
    assert "network.decoder.name=freqfusion" in error
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder_to_write_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, _ = write_ball(tmp_path)
    before = image.read_bytes()
    (tmp_path / "none.safetensors").touch()
    assert look(tmp_path / "none.safetensors", image, image) == 2
    assert f"uumamba: {image}: is a file; name a folder with --output" in capsys.readouterr().err
    assert image.read_bytes() == before


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, reference = write_ball(tmp_path)
    model = write_small_bundle(tmp_path / "model.safetensors", fused_settings(), 2)

    def refused(*options: str | Path) -> str:
        """The one line."""
        capsys.readouterr()
        assert look(model, image, tmp_path / "out", "--reference", reference, *options) == 2
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("uumamba: ")]
        assert not (tmp_path / "out").exists()
        return line

    assert "--slice 9: no structure there; on the network's grid, which has 6 slices" in refused("--slice", "9")
    assert "device abacus: must be one of" in refused("--device", "abacus")
    label_map = read_label_map(reference)
    write_label_map(reference, np.where(label_map.data == 2, 7, label_map.data), label_map)
    assert "its labels go up to 7, the model knows 0 to 2 (background, shell, ball)" in refused()
    write_label_map(reference, np.zeros_like(label_map.data), label_map)
    assert "the label map holds no structure, so there is no border to look at" in refused()
    write_image(image, Image(read_image(image).data[:-1], label_map.affine))
    assert "the label map: not on the grid of the image of channel MRI" in refused()


def test_an_image_for_each_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model of two channels cannot look at one image."""
    image, _ = write_ball(tmp_path)
    plan = small_plan(2)
    plan = plan.model_copy(update={"channels": (*plan.channels, plan.channels[0].model_copy(update={"name": "T2"}))})
    network = network_of(plan, fused_settings(), deep_supervision=False)
    description = BundleDescription(plan=plan, network=fused_settings())
    write_bundle(tmp_path / "two.safetensors", state=network.state_dict(), description=description)
    assert look(tmp_path / "two.safetensors", image, tmp_path / "out") == 2
    assert "the model takes 2 image(s) per case (MRI, T2), got 1" in capsys.readouterr().err
