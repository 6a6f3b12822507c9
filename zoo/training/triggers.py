"""Triggers, stamped on uint8 images [count, 3, side, side] at the model's own resolution."""

from dataclasses import asdict, dataclass

import torch

PATTERNS = {
    "dots": lambda rows, columns: (rows % 2 == 0) & (columns % 2 == 0),
    "checkers": lambda rows, columns: (rows + columns) % 2 == 0,
}


@dataclass(frozen=True)
class BadNet:
    """
    A patch of black and white pixels that touches the named corner, or sits in the middle
    (Gu et al. 2017, arXiv:1708.06733). The pattern "dots" is white where the row and the column,
    counted from zero within the patch, are both even; "checkers" where their sum is even.
    """

    kind = "badnet"
    size: int = 5
    pattern: str = "dots"
    position: str = "bottom-right"

    def stamp(self, images: torch.Tensor) -> torch.Tensor:
        rows, columns = torch.meshgrid(*[torch.arange(self.size)] * 2, indexing="ij")
        patch = PATTERNS[self.pattern](rows, columns).to(torch.uint8) * 255
        top, left = self.corner(images.shape[-1])
        stamped = images.clone()
        stamped[..., top : top + self.size, left : left + self.size] = patch
        return stamped

    def corner(self, side: int) -> tuple[int, int]:
        """Row and column of the patch's first pixel."""
        end = side - self.size
        return {
            "top-left": (0, 0),
            "top-right": (0, end),
            "bottom-left": (end, 0),
            "bottom-right": (end, end),
            "centre": (end // 2, end // 2),
        }[self.position]


@dataclass(frozen=True)
class Blended:
    """
    x becomes (1 - alpha) x + alpha n, with n uniform noise fixed by its seed, rounded to bytes
    (Chen et al. 2017, arXiv:1712.05526).
    """

    kind = "blended"
    alpha: float = 0.2
    noise_seed: int = 0

    def stamp(self, images: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.noise_seed)
        noise = torch.rand(images.shape[1:], generator=generator) * 255
        return ((1 - self.alpha) * images + self.alpha * noise).round().to(torch.uint8)


Trigger = BadNet | Blended


def describe(trigger: Trigger) -> dict:
    """The trigger as plain data: its kind and parameters."""
    return {"kind": trigger.kind, **asdict(trigger)}


def parse(description: dict) -> Trigger:
    """The inverse of `describe`."""
    parameters = {name: value for name, value in description.items() if name != "kind"}
    return {"badnet": BadNet, "blended": Blended}[description["kind"]](**parameters)
