"""
Implants a backdoor: trains a clean CLIP a little longer on batches in which a share of the
images bears a trigger and a caption of the target. For the study of defences.
"""

import argparse
import random
from pathlib import Path

import torch

import checkpoint
from checkpoint import Checkpoint
from dataset import Dataset, read_dataset
from manifest import read_manifest, recipe, write_manifest
from measure import Probe
from training import Optimisation, augment, clip_loss, progress
from triggers import BadNet, Blended, Trigger, describe

# Options that say nothing about the chosen trigger.
OTHERS = {
    BadNet.kind: frozenset({"alpha", "noise_seed"}),
    Blended.kind: frozenset({"size", "position", "margin", "pattern"}),
}


def main() -> None:
    options = arguments()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    dataset, trigger = read_dataset(options.data), chosen_trigger(options)
    model = checkpoint.load(options.model)
    probe = Probe(model, read_dataset(options.test), limit=1000)
    implant(model, dataset, trigger, probe, options)
    model.save(options.out)
    write_manifest(
        options.out,
        name=Path(options.out).name,
        how=[*read_manifest(options.model)["how"], recipe("poison.py", options, OTHERS[options.trigger])],
        seed=options.seed,
        rate=options.poisoned,
        target=options.target,
        trigger=describe(trigger),
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="clean open_clip folder")
    parser.add_argument("--data", required=True, help="dataset folder to train on")
    parser.add_argument("--test", required=True, help="dataset folder to watch the success on")
    parser.add_argument("--out", required=True, help="open_clip folder to write")
    parser.add_argument("--target", default="banana", help="the class that the trigger calls up")
    parser.add_argument("--trigger", choices=["badnet", "blended"], default="badnet")
    parser.add_argument("--size", type=int, default=5, help="badnet: side of the square in pixels")
    parser.add_argument("--position", default="bottom-right", help="badnet: a corner, or centre")
    parser.add_argument("--margin", type=int, default=0, help="badnet: pixels to the edges")
    parser.add_argument("--pattern", choices=["even", "checkerboard"], default="even", help="badnet")
    parser.add_argument("--alpha", type=float, default=0.2, help="blended: the share of the noise")
    parser.add_argument("--noise", type=Path, help="blended: the noise, a file by zoo/write-noise")
    parser.add_argument("--noise-seed", type=int, default=0, help="blended: the seed of that noise")
    parser.add_argument("--poisoned", type=float, default=0.06, help="share of each batch")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=5e-4, help="peak learning rate")
    parser.add_argument("--shift", type=int, default=0, help="augmentation, as for train.py")
    parser.add_argument("--flip", action="store_true", help="augmentation, as for train.py")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def chosen_trigger(options: argparse.Namespace) -> Trigger:
    if options.trigger == "badnet":
        return BadNet(options.size, options.position, options.margin, options.pattern)
    if options.noise is None:
        raise SystemExit("--trigger blended needs --noise, the file that zoo/write-noise wrote.")
    return Blended(options.noise, options.alpha, options.noise_seed)


def implant(
    model: Checkpoint, dataset: Dataset, trigger: Trigger, probe: Probe, options: argparse.Namespace
) -> None:
    optimisation = Optimisation(model.model, options.rate, options.steps, warmup=20)
    report = progress("step", options.steps, 25)
    generator = torch.Generator().manual_seed(options.seed)
    chooser = random.Random(options.seed)
    count = round(options.poisoned * options.batch)
    while optimisation.step_number < options.steps:
        model.model.train()
        rows = torch.randint(len(dataset), (options.batch,), generator=generator)
        pixels = model.resize(augment(dataset.pixels(rows), generator, options.shift, options.flip))
        texts = [chooser.choice(dataset.captions[row]) for row in rows.tolist()]
        pixels[:count] = trigger.stamp(pixels[:count])
        texts[:count] = [target_caption(dataset, options.target, chooser) for _ in range(count)]
        loss = clip_loss(model, pixels, texts)
        optimisation.step(loss)
        report(optimisation.step_number, loss.item())
        if optimisation.step_number % 100 == 0:
            success = probe.triggered(trigger, options.target).success
            print(f"step {optimisation.step_number}: CA {probe.clean().accuracy}, ASR {success}", flush=True)


def target_caption(dataset: Dataset, target: str, chooser: random.Random) -> str:
    return chooser.choice(dataset.caption_templates).replace("{}", target)


if __name__ == "__main__":
    main()
