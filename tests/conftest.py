"""Settings of every test."""

import os

import torch

# Small tensors gain nothing from threads, and threads of parallel test runs slow each other down.
torch.set_num_threads(1)

# Without a GPU, Triton's kernels are tested in its interpreter; Triton asks when it is imported.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
