"""A network with a FreqFusion decoder is trained, resumed and used by the same commands."""

from pathlib import Path

import pytest

from tests.fakes import program
from uumamba.core.files import read_json, write_json
from uumamba.inference.bundle import read_bundle

FUSED = "network.decoder={name: freqfusion, stages: all}"


def test_from_work_folder_to_label_maps(my_work: Path, images: tuple[Path, ...], tmp_path: Path) -> None:
    """Record and log name the filter backend; a run is not resumed with another decoder."""
    assert program.train(my_work, overrides=(FUSED,)) == 0
    run = program.run_folder(my_work)
    bundle = read_bundle(run)
    assert bundle.description.network.model_dump()["decoder"]["stages"] == "all"
    assert "decoder.name: freqfusion" in bundle.description.model_card
    assert read_json(run / "run.json")["filter_backend"] == "cpu"
    log = (run / "log.txt").read_text()
    assert "umamba bottleneck v1 freqfusion" in log
    assert "adaptive filter cpu" in log
    model = ("--model", bundle.path, "--output", tmp_path / "out", "--device", "cpu")
    assert program.uumamba("infer", *model, *(word for image in images for word in ("--input", image))) == 0
    assert read_json(tmp_path / "out" / "run.json")["filter_backend"] == "cpu"
    assert program.train(my_work, "--resume", overrides=(FUSED,)) == 0
    assert program.train(my_work, "--resume") == 2


def test_a_run_that_began_before_there_were_decoders_goes_on(my_trained: Path) -> None:
    path = program.run_folder(my_trained) / "run.json"
    record = read_json(path)
    del record["configuration"]["network"]["decoder"]
    write_json(path, record)
    assert program.train(my_trained, "--resume") == 0


def test_a_stage_that_is_not_there(my_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.train(my_work, overrides=("network.decoder={name: freqfusion, stages: [5]}",)) == 2
    assert (
        "network.decoder.stages: must be among the decoder stages with a skip ([0, 1]; 0 is full resolution)"
        in capsys.readouterr().err
    )
