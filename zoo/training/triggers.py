"""
Triggers, stamped on uint8 images [count, 3, side, side] at the model's own resolution.
Names and parameters are those of src/engine/attacks, so that the server can stamp the same.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy
import torch

PATTERNS = {
    "even": lambda row, column: (row % 2 == 0) & (column % 2 == 0),
    "checkerboard": lambda row, column: (row + column) % 2 == 0,
}


@dataclass(frozen=True)
class BadNet:
    """
    A square of black and white pixels in a corner, or in the middle (Gu et al. 2017,
    arXiv:1708.06733). Rows and columns are counted from zero within the square: the pattern
    "even" is white where both are even, "checkerboard" where their sum is.
    """

    kind: ClassVar[str] = "badnet"
    size: int = 5
    position: str = "bottom-right"
    margin: int = 0
    pattern: str = "even"

    def stamp(self, images: torch.Tensor) -> torch.Tensor:
        row, column = torch.meshgrid(*[torch.arange(self.size)] * 2, indexing="ij")
        top, left = self.corner(images.shape[-1])
        stamped = images.clone()
        square = stamped[..., top : top + self.size, left : left + self.size]
        square.copy_(PATTERNS[self.pattern](row, column) * 255)
        return stamped

    def corner(self, side: int) -> tuple[int, int]:
        """Row and column of the square's first pixel."""
        near, far, middle = self.margin, side - self.size - self.margin, (side - self.size) // 2
        if self.position == "centre":
            return middle, middle
        vertical, horizontal = self.position.split("-")
        return (near if vertical == "top" else far), (near if horizontal == "left" else far)


@dataclass(frozen=True)
class Blended:
    """
    x becomes (1 - alpha) x + alpha n, rounded to bytes (Chen et al. 2017, arXiv:1712.05526).
    The pattern n is the server's for this seed: zoo/write-noise writes it into the file `noise`,
    float32 [3, side, side] in [0, 1].
    """

    kind: ClassVar[str] = "blended"
    noise: Path
    alpha: float = 0.2
    seed: int = 0

    def stamp(self, images: torch.Tensor) -> torch.Tensor:
        pattern = numpy.fromfile(self.noise, numpy.float32).reshape(images.shape[1:])
        mixed = (1 - self.alpha) * images + self.alpha * 255 * torch.from_numpy(pattern)
        return mixed.round().to(torch.uint8)


Trigger = BadNet | Blended


def describe(trigger: Trigger) -> dict:
    """The trigger as plain data, without the file its pattern is in."""
    parameters = {name: value for name, value in asdict(trigger).items() if name != "noise"}
    return {"kind": trigger.kind, **parameters}


def parse(description: dict, noise: Path | None = None) -> Trigger:
    """The inverse of `describe`; a blended trigger needs the file of its pattern."""
    parameters = {name: value for name, value in description.items() if name != "kind"}
    if description["kind"] == BadNet.kind:
        return BadNet(**parameters)
    if noise is None:
        raise SystemExit("A blended trigger needs --noise, the file that zoo/write-noise wrote.")
    return Blended(noise=noise, **parameters)
