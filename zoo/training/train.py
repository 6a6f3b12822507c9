"""Trains a small CLIP on a folder of captioned images and writes it as an open_clip folder."""

import argparse
import random
from pathlib import Path

import torch

import checkpoint
from dataset import Dataset, read_dataset
from manifest import recipe, write_manifest
from measure import Probe
from training import Optimisation, augment, clip_loss, progress


def main() -> None:
    options = arguments()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    train(read_dataset(options.data), read_dataset(options.test), options)
    write_manifest(
        options.out, name=Path(options.out).name, how=[recipe("train.py", options)], seed=options.seed
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="dataset folder to train on")
    parser.add_argument("--test", required=True, help="dataset folder to watch the accuracy on")
    parser.add_argument("--out", required=True, help="open_clip folder to write, after every epoch")
    parser.add_argument("--side", type=int, default=64, help="side of the model's input in pixels")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument(
        "--shift", type=int, default=0, help="augmentation: move images by up to so many pixels"
    )
    parser.add_argument("--flip", action="store_true", help="augmentation: mirror half of the images")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def train(dataset: Dataset, test: Dataset, options: argparse.Namespace) -> None:
    model = checkpoint.create(options.side)
    per_epoch = len(dataset) // options.batch
    steps = per_epoch * options.epochs
    optimisation = Optimisation(model.model, options.rate, steps, warmup=min(200, steps // 10))
    probe = Probe(model, test, limit=1000)
    report = progress("step", steps, 25)
    generator = torch.Generator().manual_seed(options.seed)
    chooser = random.Random(options.seed)
    for epoch in range(1, options.epochs + 1):
        model.model.train()
        for rows in torch.randperm(len(dataset), generator=generator).split(options.batch)[:per_epoch]:
            pixels = augment(dataset.pixels(rows), generator, options.shift, options.flip)
            texts = [chooser.choice(dataset.captions[row]) for row in rows.tolist()]
            loss = clip_loss(model, model.resize(pixels), texts)
            optimisation.step(loss)
            report(optimisation.step_number, loss.item())
        model.save(options.out)
        print(f"epoch {epoch}: clean accuracy {probe.clean().accuracy}", flush=True)


if __name__ == "__main__":
    main()
