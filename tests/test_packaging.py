"""What is shipped: the wheel, the configurations, the program, and what the pages promise."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer.main

from uumamba.cli.app import app, main
from uumamba.config import config_directory, shipped_configs

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sysconfig.get_path("scripts")) / "uumamba"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that is built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_a_checkout_finds_its_own_configurations() -> None:
    assert config_directory() == ROOT / "configs"
    assert shipped_configs()


def test_the_wheel_holds_the_package_the_configurations_and_the_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for path in shipped_configs().values():
            assert archive.read(f"uumamba/configs/{path.name}") == path.read_bytes()
        (licence,) = [name for name in names if name.endswith("/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "uumamba").rglob("*.py")}
    assert modules
    assert modules <= names
    assert {re.split(r"[/-]", name)[0] for name in names} == {"uumamba"}
    assert not [name for name in names if "test" in name or "__pycache__" in name]


def test_an_unpacked_wheel_is_a_program_with_its_own_configurations(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "import sys; sys.path.insert(0, '.'); from uumamba.cli.app import main; main(['config', 'check', 'acdk'])"
    result = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    shipped = ", ".join(shipped_configs())
    assert result.stderr == f"uumamba: --config acdk: neither a file nor a shipped configuration ({shipped})\n"
    assert (result.returncode, result.stdout) == (2, "")


def test_the_program_is_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert EntryPoint("uumamba", scripts["uumamba"], "console_scripts").load() is main


@pytest.mark.skipif(not PROGRAM.is_file(), reason="uumamba is not installed beside this Python")
def test_the_installed_program_answers() -> None:
    result = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
    assert "preprocess" in result.stdout


def documented_commands() -> list[tuple[str, list[str]]]:
    """Page and words of every `uumamba <command> ...` in the README and the documentation."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        lines = re.findall(r"\buumamba ([a-z][^`|\n]*)", text)
        found += [(page.name, re.split(r"&&|;|#", line)[0].split()) for line in lines]
    return found


def commands(group: Any) -> Iterator[tuple[str, Any]]:
    """Every command by its words, groups included."""
    for name, command in group.commands.items():
        yield name, command
        for inner, found in commands(command) if hasattr(command, "commands") else ():
            yield f"{name} {inner}", found


def test_every_documented_command_exists_with_its_options() -> None:
    known = dict(commands(typer.main.get_command(app)))
    lines = documented_commands()
    assert {words[0] for page, words in lines if page == "README.md"} >= {"preprocess", "train", "infer", "demo"}
    for page, words in lines:
        shown = f"{page}: uumamba {' '.join(words)}"
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known, shown
        options = {option for parameter in known[name].params for option in parameter.opts} | {"--help"}
        used = {word.strip("[].,").split("=")[0] for word in words if word.lstrip("[").startswith("--")}
        assert used <= options, shown


def test_every_configuration_in_the_pages_is_shipped() -> None:
    named = {
        following
        for _, words in documented_commands()
        for word, following in pairwise(words)
        if word == "--config" and not following.endswith(".yaml")
    }
    assert named
    assert named <= shipped_configs().keys()
