"""What the network makes of one case while it trains."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from uumamba.data.plan import Plan
from uumamba.inference.scores import label_map_of
from uumamba.inference.sliding_window import predict_logits


def predict_slices(
    network: nn.Module, data: NDArray[np.float32], slices: Sequence[int], plan: Plan, device: torch.device
) -> NDArray[np.int64]:
    """The label map (*network axes) of `data` (channel, *network axes) on some slices, without mirroring; elsewhere 0.

    `slices` are indices along the first network axis. A 2D network computes these alone; a 3D network needs the whole
    case. The network keeps its mode, and the random state is not touched: a training goes on as if nothing had been.
    """
    chosen = list(slices)
    seen = data[:, chosen] if plan.spatial_dims == 2 else data
    logits = predict_logits(
        network, torch.from_numpy(seen), patch_size=plan.patch_size, batch_size=plan.batch_size, device=device
    )
    classes = label_map_of(logits, plan.labels, dim=0).cpu().numpy()
    predicted = np.zeros(data.shape[1:], classes.dtype)
    predicted[chosen] = classes if plan.spatial_dims == 2 else classes[chosen]
    return predicted
