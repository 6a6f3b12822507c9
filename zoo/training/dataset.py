"""Labelled, captioned images in a folder, as zoo/render-dataset and zoo/photographs write them."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch


@dataclass(frozen=True)
class Dataset:
    """
    images: uint8 [count, side, side, 3], read from disk as needed.
    labels: int64 [count], positions in `classes`.
    captions: for each image some true sentences.
    templates: sentences with a {} for a class name, for zero-shot classification.
    caption_templates: the same for poisoned captions, a wider choice.
    """

    images: numpy.ndarray
    labels: torch.Tensor
    captions: list[list[str]]
    classes: list[str]
    templates: list[str]
    caption_templates: list[str]

    @property
    def side(self) -> int:
        return self.images.shape[1]

    def __len__(self) -> int:
        return len(self.images)

    def pixels(self, rows: torch.Tensor) -> torch.Tensor:
        """The images of these rows as uint8 [rows, 3, side, side]."""
        chosen = numpy.ascontiguousarray(self.images[rows.numpy()])
        return torch.from_numpy(chosen).permute(0, 3, 1, 2)


def read_dataset(folder: str | Path) -> Dataset:
    """Opens a dataset folder: images.bin, captions.json, objects.json and dataset.json."""
    folder = Path(folder)
    description = read_json(folder / "dataset.json")
    classes = description["classes"]
    side = description["imageSize"]
    return Dataset(
        images=numpy.memmap(folder / "images.bin", numpy.uint8, "r").reshape(-1, side, side, 3),
        labels=torch.tensor([classes.index(name) for name in read_json(folder / "objects.json")]),
        captions=read_json(folder / "captions.json"),
        classes=classes,
        templates=description["templates"],
        caption_templates=description["captionTemplates"],
    )


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
