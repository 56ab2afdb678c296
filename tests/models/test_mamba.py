"""The Mamba block and the layer that runs it over voxels."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from uumamba.core.errors import InputError
from uumamba.models.mamba import Mamba, MambaLayer

PARITY = Path(__file__).parents[2].parent / "shared" / "parity" / "mamba"


@pytest.mark.parametrize("name", ["mamba_d8_l50", "mamba_d40_l7"])
def test_published_numbers(name: str) -> None:
    """mamba_ssm's block: output, and the gradient of the input and of every parameter."""
    path = PARITY / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"no published numbers at {path}")
    stored = load_file(path)
    block = Mamba(stored["input"].shape[-1])
    block.load_state_dict({key.removeprefix("state/"): t for key, t in stored.items() if key.startswith("state/")})
    tokens = stored["input"].requires_grad_()
    output = block(tokens)
    output.backward(stored["grad_output"])
    ours = {"output": output, "grad/input": tokens.grad}
    ours.update({f"grad/{key}": parameter.grad for key, parameter in block.named_parameters()})
    assert len(ours) == 11
    for key, tensor in ours.items():
        error = (tensor - stored[key]).abs().max() / stored[key].abs().max()
        assert error < 1e-5, f"{key}: {error:.1e}"


def test_starts_as_mamba_ssm() -> None:
    """A is -1 .. -16 in each channel, D is 1, step sizes lie in [0.001, 0.1], projections have no bias."""
    torch.manual_seed(0)
    block = Mamba(48)
    assert block.A_log.exp().round(decimals=4).tolist() == [list(range(1, 17))] * 96
    assert torch.equal(block.D, torch.ones(96))
    steps = functional.softplus(block.dt_proj.bias)
    assert 1e-3 * 0.999 < steps.min() < 3e-3 < 3e-2 < steps.max() < 0.1 * 1.001
    assert block.dt_proj.weight.shape == (96, 3)
    assert 0.5 * 3**-0.5 < block.dt_proj.weight.abs().max() <= 3**-0.5
    assert [name for name, _ in block.named_parameters() if name.endswith("bias")] == ["conv1d.bias", "dt_proj.bias"]


@pytest.mark.parametrize("length", [1, 3, 60])
def test_is_causal(length: int) -> None:
    """Tokens do not see what comes after them."""
    torch.manual_seed(0)
    block, tokens = Mamba(8), torch.randn(2, 61, 8)
    torch.testing.assert_close(block(tokens)[:, :length], block(tokens[:, :length]))


def test_runs_in_float32_under_autocast() -> None:
    """Autocast changes no number of the layer, only the dtype that comes and goes."""
    torch.manual_seed(0)
    layer, image = MambaLayer(16), torch.randn(2, 16, 6, 5)
    plain = layer(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = layer(image)
        half = layer(image.bfloat16())
    assert under.dtype == torch.float32
    assert torch.equal(under, plain)
    assert half.dtype == torch.bfloat16
    assert half.isfinite().all()


def test_backends_agree() -> None:
    """The scan backend is a matter of speed only."""
    torch.manual_seed(0)
    layer, image = MambaLayer(6).double(), torch.randn(1, 6, 5, 4, 3, dtype=torch.float64)
    fast = layer(image)
    layer.mamba.scan_backend = "reference"
    torch.testing.assert_close(fast, layer(image))


def test_voxels_are_tokens_in_row_major_order() -> None:
    """A change at one voxel reaches the voxels after it in row-major order, and none before."""
    torch.manual_seed(0)
    layer, image = MambaLayer(4), torch.randn(1, 4, 3, 5)
    changed = image.clone()
    changed[0, :, 1, 2] += torch.randn(4)
    touched = (layer(image) != layer(changed)).any(dim=1).flatten()
    assert touched.nonzero().min() == 7
    assert touched.sum() > 1


def test_channels_as_tokens_fit_one_grid() -> None:
    """With channels as tokens another feature map is refused with both sizes."""
    layer = MambaLayer(32, grid=(4, 3))
    assert layer(torch.randn(2, 32, 4, 3)).shape == (2, 32, 4, 3)
    with pytest.raises(InputError, match=r"feature maps of \(4, 3\) only, got \(3, 4\); use the training patch size"):
        layer(torch.randn(2, 32, 3, 4))
