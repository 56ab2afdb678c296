"""Settings of every test."""

import os
from importlib.metadata import PackageNotFoundError, version

import torch

# Small tensors gain nothing from threads, and threads of parallel test runs slow each other down.
torch.set_num_threads(1)


def triton_interprets() -> bool:
    """Whether Triton's interpreter can be used: older ones cannot loop under numpy 2.4."""
    try:
        major, minor = version("triton").split(".")[:2]
    except PackageNotFoundError:
        return False
    return (int(major), int(minor)) >= (3, 9)


# Without a GPU, Triton's kernels are tested in its interpreter; Triton asks when it is imported.
if not torch.cuda.is_available() and triton_interprets():
    os.environ.setdefault("TRITON_INTERPRET", "1")
