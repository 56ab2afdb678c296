"""Settings of every test."""

import torch

# Small tensors gain nothing from threads, and threads of parallel test runs slow each other down.
torch.set_num_threads(1)
