"""The house's rules that a machine can check."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_go_only_downwards() -> None:
    # In a process of its own, since import-linter silences the loggers of the process that it runs in.
    script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


def modules_after(statement: str, *, blocked: tuple[str, ...] = ()) -> set[str]:
    """The top-level modules that a fresh interpreter, in which some cannot be imported, holds after a statement."""
    block = f"sys.modules.update(dict.fromkeys({blocked!r}))"
    show = "print(*sorted({name.split('.')[0] for name, module in sys.modules.items() if module is not None}))"
    script = "\n".join(["import sys", block, statement, show])
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_command_line_imports_no_torch() -> None:
    loaded = modules_after("import uumamba.cli.app")
    assert "typer" in loaded
    assert not loaded & {"torch", "monai", "numpy", "nnunetv2", "SimpleITK", "nibabel", "matplotlib", "pydantic"}


def test_a_model_that_is_not_there_is_told_before_torch_is_imported() -> None:
    lines = (
        *("infer --model nowhere --input a --output b", "calibrate --model nowhere --dataset acdc"),
        *("export nowhere --to nnunet -o b", "fusion --model nowhere --input a --output b", "landscape nowhere"),
    )
    statement = f"""
from uumamba.cli.app import main
for line in {lines!r}:
    try:
        main(line.split())
    except SystemExit as ended:
        if ended.code != 2:
            raise
"""
    assert not modules_after(statement) & {"torch", "monai"}


def test_training_needs_no_image_reader_and_no_nnunet() -> None:
    # MONAI imports nibabel where it is installed, so that it can be absent is what counts.
    loaded = modules_after("import uumamba.workflows.train", blocked=("nnunetv2", "SimpleITK", "nibabel"))
    assert {"torch", "uumamba"} <= loaded


def test_networks_need_no_package_that_breaks_beside_a_cpu_torch() -> None:
    """Nor the package that nnU-Net takes its networks from, which depends on them."""
    loaded = modules_after("import uumamba.models.networks")
    assert not loaded & {"timm", "torchvision", "dynamic_network_architectures", "nnunetv2"}
