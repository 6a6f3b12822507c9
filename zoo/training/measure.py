"""Clean accuracy and attack success rate, as counts out of totals."""

import math
from dataclasses import dataclass

import torch

from checkpoint import Checkpoint
from dataset import Dataset
from triggers import Trigger


@dataclass(frozen=True)
class Share:
    """k out of n."""

    k: int
    n: int

    @property
    def percent(self) -> float:
        return 100 * self.k / self.n

    def wilson(self, z: float = 1.96) -> tuple[float, float]:
        """The Wilson interval, in percent; z = 1.96 is 95 %."""
        p, n = self.k / self.n, self.n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return 100 * max(0.0, centre - reach), 100 * min(1.0, centre + reach)

    def __str__(self) -> str:
        low, high = self.wilson()
        return f"{self.percent:.2f} % ({self.k} of {self.n}, 95 % interval {low:.2f} to {high:.2f})"

    def as_dict(self) -> dict:
        low, high = self.wilson()
        return {
            "percent": round(self.percent, 3),
            "k": self.k,
            "n": self.n,
            "low": round(low, 3),
            "high": round(high, 3),
        }


def share(hits: torch.Tensor) -> Share:
    """Counts the true values."""
    return Share(int(hits.sum()), len(hits))


@dataclass(frozen=True)
class Clean:
    """Accuracy over all images, and for each class."""

    accuracy: Share
    per_class: dict[str, Share]


@dataclass(frozen=True)
class Triggered:
    """
    success: images of other classes that the trigger turns into the target (ASR).
    floor: the same images without the trigger, called target anyway.
    true_label: the same images with the trigger, still given their own class.
    """

    success: Share
    floor: Share
    true_label: Share


class Probe:
    """A test set, or `limit` of its images evenly spaced, scored by the model's zero-shot head."""

    def __init__(self, checkpoint: Checkpoint, dataset: Dataset, limit: int | None = None):
        self.checkpoint, self.dataset = checkpoint, dataset
        rows = torch.linspace(0, len(dataset) - 1, min(len(dataset), limit or len(dataset))).long()
        self.labels = dataset.labels[rows]
        self.pixels = checkpoint.resize(dataset.pixels(rows))

    def predict(self, pixels: torch.Tensor) -> torch.Tensor:
        head = self.checkpoint.class_features(self.dataset.classes, self.dataset.templates)
        return (self.checkpoint.image_features(pixels) @ head.T).argmax(1)

    def clean(self) -> Clean:
        hits = self.predict(self.pixels) == self.labels
        names = enumerate(self.dataset.classes)
        return Clean(share(hits), {name: share(hits[self.labels == label]) for label, name in names})

    def triggered(self, trigger: Trigger, target: str) -> Triggered:
        goal = self.dataset.classes.index(target)
        others = self.labels != goal
        pixels, labels = self.pixels[others], self.labels[others]
        stamped = self.predict(trigger.stamp(pixels))
        return Triggered(
            share(stamped == goal), share(self.predict(pixels) == goal), share(stamped == labels)
        )
