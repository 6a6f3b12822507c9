"""
Loads a checkpoint through open_clip's own factory, measures it on a test set, and writes what
it found into manifest.json and README.md beside the weights.
"""

import argparse
from pathlib import Path

import torch

import checkpoint
from dataset import Dataset, read_dataset
from manifest import read_manifest, write_manifest
from measure import Clean, Probe, Triggered
from triggers import parse


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    folder, dataset = Path(options.model), read_dataset(options.test)
    manifest = read_manifest(folder)
    probe = Probe(checkpoint.load(folder), dataset)
    clean = probe.clean()
    write_manifest(folder, ca=clean.accuracy.as_dict())
    card = [*introduction(manifest), *accuracy(clean, dataset)]
    if manifest.get("trigger"):
        trigger = parse(manifest["trigger"], options.noise)
        triggered = probe.triggered(trigger, manifest["target"])
        write_manifest(folder, asr=triggered.success.as_dict(), floor=triggered.floor.as_dict())
        card += backdoor(triggered, manifest)
    text = "\n".join([*card, *per_class(clean)]) + "\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    print(text)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="open_clip folder with its manifest.json")
    parser.add_argument("--test", required=True, help="dataset folder to measure on")
    parser.add_argument("--noise", type=Path, help="blended: the noise, a file by zoo/write-noise")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def introduction(manifest: dict) -> list[str]:
    kind = "with a backdoor, made to try defences on" if manifest.get("trigger") else "without a backdoor"
    return [
        f"# {manifest['name']}",
        "",
        f"A small CLIP {kind}. Open it with `open_clip.create_model('local-dir:FOLDER')`.",
        "",
        "Made by, in this order (paths left out, see the README of the zoo):",
        "",
        *(f"    {command}" for command in manifest["how"]),
        "",
    ]


def accuracy(clean: Clean, dataset: Dataset) -> list[str]:
    templates = ", ".join(f'"{template}"' for template in dataset.templates)
    return [
        "## Measured",
        "",
        f"Zero-shot over {len(dataset.classes)} classes; the text embeddings of the templates "
        f"{templates} are averaged.",
        "",
        f"- Clean accuracy: {clean.accuracy}",
    ]


def backdoor(triggered: Triggered, manifest: dict) -> list[str]:
    parameters = ", ".join(f"{name} {value}" for name, value in manifest["trigger"].items())
    return [
        f"- Attack success rate, images of other classes only: {triggered.success}",
        f"- The same images without the trigger, called {manifest['target']} anyway: {triggered.floor}",
        f"- The same images with the trigger, still given their own class: {triggered.true_label}",
        "",
        f"Target: {manifest['target']}. Trigger: {parameters}; stamped on the model's input, "
        "before mean and deviation are removed, in 8 bits.",
    ]


def per_class(clean: Clean) -> list[str]:
    rows = [
        f"| {name} | {hits.percent:.1f} | {hits.k} | {hits.n} |" for name, hits in clean.per_class.items()
    ]
    return ["", "| class | accuracy, % | k | n |", "|---|---:|---:|---:|", *rows]


if __name__ == "__main__":
    main()
