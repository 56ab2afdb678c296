"""What is shipped: the wheel, the configurations, the program, and what the README promises."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint
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


def test_a_checkout_finds_its_configurations() -> None:
    assert config_directory() == ROOT / "configs"
    assert shipped_configs()


def test_the_wheel_holds_the_package_the_configurations_and_the_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for path in shipped_configs().values():
            assert archive.read(f"uumamba/configs/{path.name}") == path.read_bytes()
        (licence,) = [name for name in names if name.endswith("/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "uumamba").rglob("*.py")}
    assert modules
    assert modules <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"uumamba"}
    assert not [name for name in names if "test" in name or "__pycache__" in name]


def test_an_installed_wheel_finds_its_own_configurations(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    script = "import sys; sys.path.insert(0, '.'); from uumamba.cli.app import main; main(['config', 'list'])"
    result = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(shipped_configs())
    shutil.rmtree(tmp_path / "uumamba" / "configs")
    result = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout == ""


def test_the_program_is_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert EntryPoint("uumamba", scripts["uumamba"], "console_scripts").load() is main


@pytest.mark.skipif(not PROGRAM.is_file(), reason="uumamba is not installed beside this Python")
def test_the_installed_program_answers() -> None:
    result = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
    assert "preprocess" in result.stdout


def readme_commands() -> list[list[str]]:
    """Every `uumamba ...` command line of the README, as words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ {4}(.+)$|^```\w*\n(.*?)^```|`([^`\n]+)`", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for part in block for line in part.splitlines()]
    pattern = re.compile(r"(?:^|[\s/;&|])uumamba ((?:[a-z]+)(?: .*)?)$")
    parts = [part.strip() for line in lines for part in re.split(r"&&|;|\||#", line)]
    return [found.group(1).split() for part in parts if (found := pattern.search(part))]


def commands(group: Any) -> Iterator[tuple[str, Any]]:
    """Every command by its words, groups included."""
    for name, command in group.commands.items():
        yield name, command
        for inner, found in commands(command) if hasattr(command, "commands") else ():
            yield f"{name} {inner}", found


def test_every_command_in_the_readme_exists_with_its_options() -> None:
    known = dict(commands(typer.main.get_command(app)))
    lines = readme_commands()
    assert ["demo"] in lines
    for words in lines:
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known, f"README: uumamba {' '.join(words)}"
        options = {option for parameter in known[name].params for option in parameter.opts} | {"--help"}
        used = {word.strip("[].,").split("=")[0] for word in words if word.strip("[").startswith("--")}
        assert used <= options, f"README: uumamba {' '.join(words)}"
