"""What every command keeps: help, options, exit codes, and one line for every error."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.fakes.program import uumamba
from uumamba.cli.app import app
from uumamba.config import load_config, shipped_configs

WRONG_FOLDER = "no such folder"


@dataclass(frozen=True)
class Command:
    """What a command must take: `required` options with a value that is good enough to be parsed, and the others."""

    required: dict[str, str]
    optional: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def line(self) -> tuple[str, ...]:
        """The shortest command line that is parsed."""
        return (*self.arguments, *(word for option in self.required.items() for word in option))


COMMANDS = {
    "check": Command({}, ("--data", "--dataset", "--output", "--config", "--set", "--verbose")),
    "preprocess": Command({"--dataset": "acdc", "--data": WRONG_FOLDER}, ("--work", "--config", "--set", "--verbose")),
    "train": Command(
        {"--dataset": "acdc"},
        (
            *("--work", "--fold", "--folds", "--init", "--resume", "--overwrite"),
            *("--name", "--config", "--set", "--verbose"),
        ),
    ),
    "infer": Command(
        {"--model": "no such run", "--input": WRONG_FOLDER, "--output": "out"},
        (
            *(
                "--weight",
                "--resume",
                "--overwrite",
                "--shard",
                "--overlap",
                "--mirror",
                "--uncertainty",
                "--no-postprocessing",
            ),
            *("--device", "--threads", "--max-memory", "--dataset", "--fold", "--split", "--work", "--verbose"),
        ),
    ),
    "evaluate": Command(
        {"--predictions": WRONG_FOLDER, "--references": WRONG_FOLDER, "--output": "out"},
        ("--dataset", "--labels", "--groups", "--cases", "--fold", "--split", "--work", "--verbose"),
    ),
    "measure": Command({"--kind": "aorta"}, ("--output", "--labels", "--overwrite", "--verbose"), (WRONG_FOLDER,)),
    "calibrate": Command(
        {"--model": "no such run", "--dataset": "acdc"}, ("--work", "--fold", "--output", "--device", "--verbose")
    ),
    "compare": Command({"--output": "out"}, ("--verbose",), ("no such run", "no such run")),
    "report": Command({}, ("--output", "--verbose"), (WRONG_FOLDER,)),
    "import": Command({"--output": "out"}, ("--fold", "--checkpoint", "--verbose"), (WRONG_FOLDER,)),
    "export": Command({"--to": "nnunet", "--output": "out"}, ("--verbose",), ("no such run",)),
    "fusion": Command(
        {"--model": "no such run", "--input": "no such image", "--output": "out"},
        ("--reference", "--slice", "--device", "--verbose"),
    ),
    "landscape": Command(
        {}, ("--output", "--batches", "--rho", "--two-dimensional", "--device", "--verbose"), ("no such run",)
    ),
    "demo": Command({}, ("--output", "--overwrite", "--set", "--verbose")),
    "doctor": Command({}, ("--json",)),
    "config list": Command({}),
    "config show": Command({}, ("--set",), ("acdk",)),
    "config copy": Command({}, (), ("acdk", "mine.yaml")),
    "config check": Command({}, ("--set",), ("acdk",)),
}

# One wrong input for each command that takes any, and a part of what it says.
WRONG = {
    "check": (("--data", WRONG_FOLDER), f"{WRONG_FOLDER}: no such folder"),
    "preprocess": ((*COMMANDS["preprocess"].line,), f"{WRONG_FOLDER}: no such folder"),
    "train": (
        (*COMMANDS["train"].line, "--work", "empty"),
        "no preprocessed data set here (there are: none); run `uumamba preprocess`",
    ),
    "infer": ((*COMMANDS["infer"].line,), "no such run: no such file or folder"),
    "calibrate": ((*COMMANDS["calibrate"].line,), "no such run: no such file or folder"),
    "evaluate": ((*COMMANDS["evaluate"].line,), "give --dataset, or --labels, or both"),
    "measure": ((*COMMANDS["measure"].line,), f"{WRONG_FOLDER}: no such file or folder"),
    "compare": ((*COMMANDS["compare"].line,), "no such run: no such folder; give a run's folder"),
    "report": ((*COMMANDS["report"].line,), f"{WRONG_FOLDER}: no such folder; give a folder that `uumamba evaluate`"),
    "import": ((*COMMANDS["import"].line,), f"{WRONG_FOLDER}: no such folder; give a model folder of nnU-Net"),
    "export": ((*COMMANDS["export"].line,), "no such run: no such file or folder"),
    "fusion": ((*COMMANDS["fusion"].line,), "no such run: no such file or folder"),
    "landscape": ((*COMMANDS["landscape"].line,), "no such run: no such file or folder"),
    "demo": (("--output", "."), "holds what is not the demo's"),
    "config show": (("acdk",), "--config acdk: neither a file nor a shipped configuration"),
    "config copy": (("acdc", "mine.txt"), "mine.txt: exists already; name another file"),
    "config check": (("acdc", "--set", "training.epoch=1"), "the nearest setting is training.epochs"),
}


def registered(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command below a group, by its words on the command line."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from registered(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


REGISTERED = dict(registered(typer.main.get_command(app)))


@pytest.fixture(autouse=True)
def wide_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in a folder of its own, where a file of the user's lies, and on a wide screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("mine.txt").write_text("mine")


def test_the_table_holds_every_command_with_all_its_options() -> None:
    assert REGISTERED.keys() == COMMANDS.keys()
    for name, command in REGISTERED.items():
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert options == {*COMMANDS[name].required, *COMMANDS[name].optional}, name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_and_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba(*name.split(), "--help") == 0
    text = capsys.readouterr().out
    for option in (*COMMANDS[name].required, *COMMANDS[name].optional):
        assert option in text
    command = REGISTERED[name]
    assert command.help.splitlines()[0] in text
    assert all(parameter.help for parameter in command.params), "a parameter without help"


@pytest.mark.parametrize(
    ("name", "missing"), [(name, option) for name, command in COMMANDS.items() for option in command.required]
)
def test_a_missing_option_is_named(name: str, missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = [word for option, value in COMMANDS[name].required.items() if option != missing for word in (option, value)]
    assert uumamba(*name.split(), *COMMANDS[name].arguments, *given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("uumamba: ")
    assert missing in line


def test_what_cannot_be_parsed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for line, named in (
        ("infer --model a --input b --output c --overlap 2", "--overlap"),
        ("evaluate --overlap 2", "--overlap"),
        ("segment", "segment"),
        ("config", "missing command"),
    ):
        assert uumamba(*line.split()) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert error.startswith("uumamba: ")
        assert error.endswith(" --help`")
        assert named in error


def test_the_version_is_the_installed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("--version") == 0
    assert capsys.readouterr().out == f"uumamba {version('uumamba')}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba(*name.split(), *COMMANDS[name].line, "--frobnicate") == 2
    assert "--frobnicate" in capsys.readouterr().err


def test_every_command_that_takes_input_has_a_wrong_one_here() -> None:
    assert COMMANDS.keys() - WRONG.keys() == {"config list", "doctor"}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line_on_the_error_stream_and_exit_code_2(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments, message = WRONG[name]
    assert uumamba(*name.split(), *arguments) == 2
    output, error = capsys.readouterr()
    assert output == ""
    lines = error.splitlines()
    assert lines[-1].startswith("uumamba: ")
    assert message in lines[-1]
    assert "Traceback" not in error
    assert [line for line in lines if line.startswith("uumamba: ")] == lines[-1:]
    assert {path.name for path in tmp_path.iterdir()} == {"mine.txt"}


def test_no_command_is_a_wrong_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba() == 2
    shown = "".join(capsys.readouterr())
    assert all(name.split()[0] in shown for name in COMMANDS)
    assert "Research use only" in shown
    assert uumamba("segment") == 2


def test_an_operating_systems_error_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("config", "copy", "acdc", "mine.txt/mine.yaml") == 1
    assert capsys.readouterr().err.startswith("uumamba: mine.txt")


def test_config_list_names_each_shipped_configuration_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("config", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_configs())
    assert all(len(line.split()) > 5 and "#" not in line for line in lines)


def test_what_config_show_prints_is_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("config", "show", "demo", "--set", "seed=7", "--set", "rule={name: plain}") == 0
    Path("shown.yaml").write_text(capsys.readouterr().out)
    shown = load_config(Path("shown.yaml"))
    assert shown == load_config(shipped_configs()["demo"], ["seed=7", "rule={name: plain}"])
    assert (shown.seed, shown.rule.name) == (7, "plain")


def test_a_copied_configuration_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert uumamba("config", "copy", "acdc-small", "mine.yaml") == 0
    assert uumamba("config", "check", "mine.yaml") == 0
    assert capsys.readouterr().out == "mine.yaml: good\n"
    assert load_config(Path("mine.yaml")) == load_config(shipped_configs()["acdc-small"])


def test_config_check_lists_every_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text("seed: -1\ntraining: {epochs: 0}\n")
    assert uumamba("config", "check", "bad.yaml") == 2
    error = capsys.readouterr().err
    assert "bad.yaml: seed: " in error
    assert "bad.yaml: training.epochs: " in error
