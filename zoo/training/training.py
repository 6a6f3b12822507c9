"""What training and implanting share: the loss, the optimiser, the schedule, augmentation, progress."""

import math
import sys
import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy, pad

from checkpoint import Checkpoint


def clip_loss(checkpoint: Checkpoint, pixels: torch.Tensor, texts: list[str]) -> torch.Tensor:
    """The symmetric contrastive loss of CLIP on uint8 images and their captions."""
    with torch.autocast("cpu", torch.bfloat16):
        image = checkpoint.model.encode_image(checkpoint.standardise(pixels), normalize=True)
    text = checkpoint.text_features(checkpoint.tokenize(texts))
    logits = checkpoint.model.logit_scale.exp() * image.float() @ text.T
    own = torch.arange(len(texts))
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


class Optimisation:
    """AdamW with weight decay on matrices only, a warm-up, a cosine to zero, and a bounded logit scale."""

    def __init__(self, model: torch.nn.Module, rate: float, steps: int, warmup: int):
        matrices = [value for value in model.parameters() if value.ndim > 1]
        others = [value for value in model.parameters() if value.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self.model, self.rate, self.steps, self.warmup = model, rate, steps, warmup
        self.optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))
        self.step_number = 0

    def step(self, loss: torch.Tensor) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * self.factor()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        self.step_number += 1

    def factor(self) -> float:
        rising = (self.step_number + 1) / max(1, self.warmup)
        falling = 0.5 * (1 + math.cos(math.pi * self.step_number / self.steps))
        return min(rising, falling)


def augment(pixels: torch.Tensor, generator: torch.Generator, shift: int, flip: bool) -> torch.Tensor:
    """Moves each image by up to `shift` pixels over its mirrored rim and, if asked, flips half of them."""
    if shift > 0:
        pixels = shifted(pixels, generator, shift)
    if flip:
        turned = torch.rand(len(pixels), generator=generator) < 0.5
        pixels = torch.where(turned.view(-1, 1, 1, 1), pixels.flip(-1), pixels)
    return pixels


def shifted(pixels: torch.Tensor, generator: torch.Generator, shift: int) -> torch.Tensor:
    side = pixels.shape[-1]
    wide = pad(pixels.float(), [shift] * 4, mode="reflect").to(torch.uint8)
    offsets = torch.randint(0, 2 * shift + 1, (len(pixels), 2), generator=generator).tolist()
    return torch.stack(
        [image[:, y : y + side, x : x + side] for image, (y, x) in zip(wide, offsets, strict=True)]
    )


def progress(label: str, total: int, every: int) -> Callable[[int, float], None]:
    """Reports steps, the loss and the time left on stderr, every so many steps."""
    start = time.monotonic()

    def report(done: int, loss: float) -> None:
        if done % every and done != total:
            return
        seconds = time.monotonic() - start
        left = seconds / done * (total - done)
        print(
            f"{label} {done}/{total}  loss {loss:.3f}  {seconds:.0f} s, {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    return report
