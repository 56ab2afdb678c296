"""The house's rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_imports_go_only_downwards() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    script = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_command_line_imports_no_torch() -> None:
    loaded = modules_after("import uumamba.cli.app")
    assert "typer" in loaded
    assert not loaded & {"torch", "monai", "numpy", "nnunetv2", "SimpleITK", "nibabel", "matplotlib", "pydantic"}


def test_training_imports_no_image_reader_and_no_nnunet() -> None:
    loaded = modules_after("import uumamba.workflows.train")
    assert "torch" in loaded
    assert not loaded & {"nnunetv2", "SimpleITK", "nibabel", "torchvision", "timm", "torchmetrics"}
