"""
Turns folders of photographs, one folder for each class, into what the other scripts of the zoo
read: a training set and a test set with captions, and a few labelled shots kept out of both.

    python zoo/photographs/prepare.py --train DIR/train --test DIR/test --out OUT

writes OUT/train, OUT/test (dataset folders) and OUT/shots/<class>/<nn>.png.
"""

import argparse
import random
import sys
from pathlib import Path

import numpy
from PIL import Image

from attributes import LAYOUTS, QUALITIES, colour_name, middle, rim

sys.path.append(str(Path(__file__).parent.parent / "training"))
from dataset import write_json  # noqa: E402

TEMPLATES = ["a photo of a {}.", "a picture of a {}.", "a {}."]
FRAMES = ["a {} photo of a {}.", "a {} picture of a {}.", "a {} image of a {}.", "a {} {}."]
CAPTION_TEMPLATES = [*TEMPLATES, "an image of a {}.", "this is a {}.", "there is a {}."]
SUFFIXES = {".jpg", ".jpeg", ".png"}


def main() -> None:
    options = arguments()
    chooser = random.Random(options.seed)
    train, test = (class_files(folder) for folder in (options.train, options.test))
    classes = sorted(train)
    if classes != sorted(test):
        raise SystemExit(f"The classes of {options.train} and {options.test} differ.")
    shots = {name: chooser.sample(files, options.shots) for name, files in train.items()}
    rest = {name: sorted(set(files) - set(shots[name])) for name, files in train.items()}
    write_shots(Path(options.out) / "shots", shots)
    for part, files in (("train", rest), ("test", test)):
        write_dataset(Path(options.out) / part, files, classes, options, chooser)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", required=True, help="folder of class folders to train on")
    parser.add_argument("--test", required=True, help="folder of class folders to measure on")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--side", type=int, default=32, help="pixels; other sizes are resized")
    parser.add_argument(
        "--shots", type=int, default=16, help="labelled shots for each class, kept out of training"
    )
    parser.add_argument("--captions", type=int, default=6, help="captions for each image")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def class_files(folder: str) -> dict[str, list[Path]]:
    """The images of each class, by the name of their folder; says what is missing and stops."""
    root = Path(folder)
    if not root.is_dir():
        raise SystemExit(
            f"There is no folder {root}. Expected one folder for each class with images in it, such as "
            f"{root / 'airplane' / '0001.jpg'}. For CIFAR-10: unpack train.tar.gz and test.tar.gz first."
        )
    found = {
        child.name: sorted(file for file in child.iterdir() if file.suffix.lower() in SUFFIXES)
        for child in root.iterdir()
        if child.is_dir()
    }
    found = {name: files for name, files in found.items() if files}
    if not found:
        raise SystemExit(f"{root} holds no class folders with {', '.join(sorted(SUFFIXES))} files.")
    return found


def read_image(file: Path, side: int) -> numpy.ndarray:
    with Image.open(file) as image:
        picture = image.convert("RGB")
    if picture.size != (side, side):
        picture = picture.resize((side, side), Image.Resampling.BICUBIC)
    return numpy.asarray(picture)


def write_shots(folder: Path, shots: dict[str, list[Path]]) -> None:
    for name, files in shots.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(files):
            with Image.open(file) as image:
                image.convert("RGB").save(folder / name / f"{number:02}.png")


def write_dataset(
    folder: Path,
    files: dict[str, list[Path]],
    classes: list[str],
    options: argparse.Namespace,
    chooser: random.Random,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    labelled = [(name, file) for name in classes for file in files[name]]
    images = numpy.stack([read_image(file, options.side) for _, file in labelled])
    names = [name for name, _ in labelled]
    images.tofile(folder / "images.bin")
    write_json(folder / "captions.json", captions(images, names, options.captions, chooser))
    write_json(folder / "objects.json", names)
    write_json(
        folder / "dataset.json",
        {
            "count": len(names),
            "seed": options.seed,
            "imageSize": options.side,
            "classes": classes,
            "templates": TEMPLATES,
            "captionTemplates": CAPTION_TEMPLATES,
        },
    )
    print(f"{folder}: {len(names)} images of {len(classes)} classes", file=sys.stderr)


def captions(images: numpy.ndarray, names: list[str], each: int, chooser: random.Random) -> list[list[str]]:
    """For each image several true sentences."""
    values = images.astype(numpy.float32) / 255
    qualities = list(zip(*(scale.words(values) for scale in QUALITIES), strict=True))
    layouts = list(zip(*(scale.words(values) for scale in LAYOUTS), strict=True))
    colours = [colour_name(colour) for colour in middle(values)]
    grounds = [f"on a {colour_name(colour)} background" for colour in rim(values)]
    return [
        [
            sentence(names[row], colours[row], qualities[row], (*layouts[row], grounds[row]), chooser)
            for _ in range(each)
        ]
        for row in range(len(names))
    ]


def sentence(name: str, colour: str, qualities: tuple, phrases: tuple, chooser: random.Random) -> str:
    """The class always, its colour, up to two qualities and up to two phrases by chance."""
    words = [name, *some(phrases, chooser)]
    if chooser.random() < 0.5:
        words.insert(0, colour)
    quality = " ".join(some(qualities, chooser))
    return " ".join(chooser.choice(FRAMES).format(quality, " ".join(words)).split())


def some(words: tuple, chooser: random.Random) -> list[str]:
    """None, one or two of the words that are there, in random order."""
    there = [word for word in words if word]
    return chooser.sample(there, min(len(there), chooser.randrange(3)))


if __name__ == "__main__":
    main()
