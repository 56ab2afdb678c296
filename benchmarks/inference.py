"""Images to label maps, end to end, against nnU-Net's own predictor with the same exported model.

    python benchmarks/inference.py --model BUNDLE --images FOLDER [--threads N] [--rounds N] -o OUT

Each program works alone in a process of its own: it loads the model, reads every image, predicts and writes a label
map. nnU-Net goes through its `predict_from_files_sequential`, without mirroring; post-processing is left out, which
nnU-Net does not know. The images are first written in canonical axes, because nnU-Net does not turn images. Agreement
comes first: the share of voxels with one label must be --agreement or more (nnU-Net adds up in half precision), or
nothing is timed.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import alone, machine_record, peak_bytes

from uumamba.core.console import make_console
from uumamba.core.files import write_json
from uumamba.imaging.files import find_images, image_stem, read_image, read_label_map, write_image
from uumamba.imaging.orientation import to_canonical
from uumamba.inference.batch import predict_files
from uumamba.inference.bundle import read_bundle
from uumamba.inference.exports.nnunet import export_nnunet
from uumamba.inference.inputs import find_inputs
from uumamba.inference.output_folder import OutputFolder
from uumamba.inference.predictor import Predictor


def main() -> None:
    """Measure, print and write `inference.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--agreement", type=float, default=0.999)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = compare(options, Path(name))
    write_json(options.output / "inference.json", machine_record(torch.device("cpu")) | result)
    ratio, console = result["ratio"], make_console()
    console.print(f"{result['cases']} cases, agreement {result['agreement']:.6f}")
    console.print(f"uumamba {result['uumamba']}, nnU-Net {result['nnunet']}")
    console.print(f"nnU-Net takes {ratio['seconds']:.2f} times as long and {ratio['memory']:.2f} times the memory")


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds and peak memory of both, the better of `rounds` taken in turns, and the share of equal voxels."""
    source, exported = folder / "images", folder / "exported"
    model, threads = options.model, options.threads
    cases = find_images(options.images)
    for path in cases:
        write_image(source / f"{image_stem(path)}_0000.nii.gz", to_canonical(read_image(path))[0])
    export_nnunet(read_bundle(model), exported)
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for _ in range(options.rounds):
        for target in ("ours", "theirs"):
            shutil.rmtree(folder / target, ignore_errors=True)
        ours.append(alone(_uumamba, model, source, folder / "ours", threads))
        theirs.append(alone(_nnunet, exported, source, folder / "theirs", threads))
        agreement = _agreement(folder / "ours", folder / "theirs")
        if agreement < options.agreement:
            raise SystemExit(f"only {agreement:.6f} of all voxels agree, {options.agreement} must: nothing is timed")
    best = {
        name: {key: round(min(each[key] for each in found), 3) for key in found[0]}
        for name, found in (("uumamba", ours), ("nnunet", theirs))
    }
    ratio = {
        "seconds": best["nnunet"]["seconds"] / best["uumamba"]["seconds"],
        "memory": best["nnunet"]["peak_gb"] / best["uumamba"]["peak_gb"],
    }
    return {"cases": len(cases), "threads": threads, "agreement": agreement, **best, "ratio": ratio}


def _uumamba(model: Path, source: Path, target: Path, threads: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    start = time.perf_counter()
    predictor = Predictor([read_bundle(model)], postprocess=False)
    output = OutputFolder(target)
    predict_files(predictor, find_inputs([source], target).cases, output)
    return {"seconds": time.perf_counter() - start, "peak_gb": peak_bytes(torch.device("cpu")) / 1e9}


def _nnunet(exported: Path, source: Path, target: Path, threads: int) -> dict[str, float]:
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    torch.set_num_threads(threads)
    target.mkdir(parents=True)
    paths = find_images(source)
    start = time.perf_counter()
    predictor = nnUNetPredictor(
        use_mirroring=False, perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(exported), ("0",))
    predictor.predict_from_files_sequential(
        [[str(path)] for path in paths], [str(target / image_stem(path)) for path in paths], overwrite=True
    )
    return {"seconds": time.perf_counter() - start, "peak_gb": peak_bytes(torch.device("cpu")) / 1e9}


def _agreement(ours: Path, theirs: Path) -> float:
    """The share of voxels with the same label over all cases."""
    equal = voxels = 0
    for path in find_images(ours):
        labels = read_label_map(path).data
        same = labels == read_label_map(theirs / path.name).data
        equal, voxels = equal + int(np.count_nonzero(same)), voxels + same.size
    return equal / voxels


if __name__ == "__main__":
    main()
