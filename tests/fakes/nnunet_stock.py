"""nnU-Net's own predictor on one CPU thread of this process."""

import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from uumamba.core.files import read_json


class SinglePrecision:
    """torch, in which a half is a float.

    nnU-Net adds logits up in half precision, where near ties fall either way: in place of `torch` in its predictor's
    module this leaves all else as it is.
    """

    def __getattr__(self, name: str) -> Any:
        return torch.float32 if name == "half" else getattr(torch, name)


def stock_predictor(*, mirror: bool = False) -> nnUNetPredictor:
    """The stock predictor, not yet loaded."""
    with redirect_stdout(StringIO()):
        return nnUNetPredictor(
            use_mirroring=mirror,
            perform_everything_on_device=False,
            device=torch.device("cpu"),
            verbose=False,
            allow_tqdm=False,
        )


def stock_of_exported(folder: Path, *, mirror: bool = False) -> nnUNetPredictor:
    """The stock predictor with an exported folder, by nnU-Net's own loading alone."""
    predictor = stock_predictor(mirror=mirror)
    predictor.initialize_from_trained_model_folder(str(folder), ("0",))
    return predictor


def stock_of_published(folder: Path, network: torch.nn.Module, configuration: str) -> nnUNetPredictor:
    """The stock predictor with a published folder's own plans, and the network that its trainer would build."""
    predictor, plans = stock_predictor(), PlansManager(read_json(folder / "plans.json"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected old nnU-Net plans format")
        settings = plans.get_configuration(configuration)
    dataset = read_json(folder / "dataset.json")
    predictor.manual_initialization(network, plans, settings, [network.state_dict()], dataset, "trainer", None)
    return predictor


def stock_label_map(predictor: nnUNetPredictor, image: Path) -> np.ndarray:
    """The label map (x, y, z) of a file that nnU-Net reads itself."""
    data, properties = SimpleITKIO().read_images([str(image)])
    labels: np.ndarray = predictor.predict_single_npy_array(data, {"spacing": properties["spacing"]})
    return labels.transpose(2, 1, 0)
