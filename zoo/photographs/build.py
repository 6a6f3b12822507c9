"""
Builds a small CLIP on your photographs, and a copy with a backdoor to try the defence on.

    python zoo/photographs/build.py --photographs DIR --out OUT

DIR holds train/ and test/, each with one folder of images for each class; CIFAR-10 unpacked is
such a folder. OUT gets data/ (training set, test set, shots) and two open_clip folders with a
model card, photographs-clean/ and photographs-badnet/. Steps whose result is there are skipped.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ZOO = Path(__file__).parent.parent
AUGMENTATION = ["--shift", "4", "--flip"]


def main() -> None:
    options = arguments()
    for result, script, words in steps(Path(options.photographs), Path(options.out), options):
        if result.exists():
            print(f"{result} is there already", file=sys.stderr)
            continue
        print(f"{script}: {result}", file=sys.stderr)
        command = [sys.executable, str(ZOO / script), *(str(word) for word in words)]
        if subprocess.run(command).returncode != 0:
            raise SystemExit(f"{script} stopped before {result} was there; the reason is above.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", required=True, help="folder with train/ and test/")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--target", default="airplane", help="the class that the trigger calls up")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def steps(photographs: Path, out: Path, options: argparse.Namespace) -> Iterator[tuple[Path, str, list]]:
    """What is written last, the script that writes it, and its arguments; in order."""
    data, clean, badnet = out / "data", out / "photographs-clean", out / "photographs-badnet"
    sets = ["--data", data / "train", "--test", data / "test"]
    common = ["--seed", options.seed, "--threads", options.threads]
    folders = ["--train", photographs / "train", "--test", photographs / "test", "--out", data]
    yield data / "test/dataset.json", "photographs/prepare.py", [*folders, "--seed", options.seed]
    train = [*sets, "--out", clean, "--epochs", options.epochs, *AUGMENTATION, *common]
    yield clean / "manifest.json", "training/train.py", train
    poison = ["--model", clean, *sets, "--out", badnet, "--target", options.target, *AUGMENTATION, *common]
    yield badnet / "manifest.json", "training/poison.py", poison
    for model in (clean, badnet):
        verify = ["--model", model, "--test", data / "test", "--threads", options.threads]
        yield model / "README.md", "training/verify.py", verify


if __name__ == "__main__":
    main()
