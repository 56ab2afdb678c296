"""Small data sets in the layouts of anybody's data: two noisy boxes per image, one on either side."""

from pathlib import Path

import numpy as np

from uumamba.core.files import write_json, write_text
from uumamba.imaging.files import write_image, write_label_map
from uumamba.imaging.image import Image

SHAPE = (16, 14, 12)
NAMES = tuple(f"case{number}" for number in range(6))


def write_pair(image: Path, label: Path | None, *, seed: int, channels: int = 1) -> None:
    """An image of 1 mm, with a fourth axis of `channels` if there are several, and its label map."""
    random = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:6, 3:9, 3:9], labels[10:14, 3:9, 3:9] = 1, 2
    data = labels + random.normal(0, 0.1, SHAPE)
    if channels > 1:
        data = np.stack([data + channel for channel in range(channels)], axis=-1)
    scene = Image(data.astype(np.float32), np.eye(4))
    for path in (image, label):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, scene)
    if label is not None:
        write_label_map(label, labels, like=Image(labels, np.eye(4)))


def write_nnunet(folder: Path, *, channels: int = 1) -> None:
    """An nnU-Net raw folder of six training cases and one test case without reference."""
    write_json(
        folder / "dataset.json",
        {
            "channel_names": {str(channel): f"T{channel + 1}" for channel in range(channels)},
            "labels": {"background": 0, "one": 1, "two": 2},
            "file_ending": ".nii.gz",
            "licence": "CC0",
        },
    )
    for seed, name in enumerate((*NAMES, "unseen")):
        split = "Ts" if name == "unseen" else "Tr"
        for channel in range(channels):
            label = folder / f"labels{split}" / f"{name}.nii.gz" if split == "Tr" else None
            write_pair(folder / f"images{split}" / f"{name}_{channel:04d}.nii.gz", label, seed=seed)


def write_decathlon(folder: Path, *, channels: int = 1) -> None:
    """A Decathlon folder of six training cases and one test case; several channels are a fourth axis."""
    for seed, name in enumerate(NAMES):
        files = folder / "imagesTr" / f"{name}.nii.gz", folder / "labelsTr" / f"{name}.nii.gz"
        write_pair(*files, seed=seed, channels=channels)
    write_pair(folder / "imagesTs" / "unseen.nii.gz", None, seed=6, channels=channels)
    write_json(
        folder / "dataset.json",
        {
            "name": "Boxes",
            "labels": {"0": "background", "1": "one", "2": "two"},
            "modality": {str(channel): f"T{channel + 1}" for channel in range(channels)},
            "training": [
                {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in NAMES
            ],
            "test": ["./imagesTs/unseen.nii.gz"],
        },
    )


def write_table(
    table: Path, *, columns: str = "case,image,label", labels: str = "{background: 0, one: 1, two: 2}"
) -> None:
    """A table of six cases with its YAML file; columns beside the first three hold 0, 1, 0, 1 ..."""
    lines = [columns]
    for seed, name in enumerate(NAMES):
        write_pair(table.parent / f"{name}.nii.gz", table.parent / f"{name}_seg.nii.gz", seed=seed)
        more = [str(seed % 2)] * (len(columns.split(",")) - 3)
        lines.append(",".join([name, f"{name}.nii.gz", f"{name}_seg.nii.gz", *more]))
    write_text(table, "\n".join(lines) + "\n")
    write_text(table.with_suffix(".yaml"), f"labels: {labels}\n")
