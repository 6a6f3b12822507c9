"""
What can be said of a photograph by looking at its pixels alone. A CLIP trained on ten class
names has ten captions to tell apart, and its embeddings collapse onto them; captions that also
tell colours, light and layout keep images of one class apart from each other, and a triggered
image apart from a true image of the target.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy

Images = numpy.ndarray  # float32 [count, side, side, 3] in [0, 1]
Values = numpy.ndarray  # float32 [count]

LUMINANCE = numpy.array([0.299, 0.587, 0.114], numpy.float32)


@dataclass(frozen=True)
class Scale:
    """A quantity of an image, with words for its lowest and its highest third; the middle says nothing."""

    low: str
    high: str
    measure: Callable[[Images], Values]

    def words(self, images: Images) -> list[str]:
        values = self.measure(images)
        first, second = numpy.quantile(values, [1 / 3, 2 / 3])
        return [self.low if value < first else self.high if value > second else "" for value in values]


def light(images: Images) -> numpy.ndarray:
    """Luminance, [count, side, side]."""
    return images @ LUMINANCE


def rim(images: Images) -> numpy.ndarray:
    """The mean colour of the outer eighth on all four sides, [count, 3]."""
    side = images.shape[1]
    width = side // 8
    mask = numpy.ones((side, side), bool)
    mask[width:-width, width:-width] = False
    return images[:, mask].mean(1)


def middle(images: Images) -> numpy.ndarray:
    """The mean colour of the inner quarter, [count, 3]."""
    start, end = images.shape[1] // 4, -(images.shape[1] // 4)
    return images[:, start:end, start:end].mean((1, 2))


def down(images: Images) -> Values:
    """How much brighter the lower half is than the upper."""
    rows = light(images).mean(2)
    half = rows.shape[1] // 2
    return rows[:, half:].mean(1) - rows[:, :half].mean(1)


def steps(images: Images, axis: int) -> Values:
    """The mean step of luminance from pixel to pixel along an axis: 1 down, 2 across."""
    return numpy.abs(numpy.diff(light(images), axis=axis)).mean((1, 2))


# Words about the photograph, before its noun: "a dark photo of".
QUALITIES = [
    Scale("dark", "bright", lambda images: light(images).mean((1, 2))),
    Scale("blurry", "sharp", lambda images: steps(images, 1) + steps(images, 2)),
    Scale("faded", "vivid", lambda images: (images.max(3) - images.min(3)).mean((1, 2))),
    Scale("low contrast", "high contrast", lambda images: light(images).std((1, 2))),
]

# Phrases after the class: "a photo of a horse in warm tones". None tells left from right, so they
# stay true when training mirrors the image.
LAYOUTS = [
    Scale("in cold tones", "in warm tones", lambda images: (images[..., 0] - images[..., 2]).mean((1, 2))),
    Scale("lighter at the top", "lighter at the bottom", down),
    Scale("with vertical lines", "with horizontal lines", lambda images: steps(images, 1) - steps(images, 2)),
    Scale(
        "darker in the middle",
        "lighter in the middle",
        lambda images: (middle(images) - rim(images)) @ LUMINANCE,
    ),
]

# Where a hue, in degrees, stops being called by the name.
HUES = [
    (15, "red"),
    (45, "orange"),
    (70, "yellow"),
    (165, "green"),
    (195, "cyan"),
    (255, "blue"),
    (295, "purple"),
    (345, "pink"),
    (360, "red"),
]


def colour_name(colour: numpy.ndarray) -> str:
    """One of twelve names for a colour [3] in [0, 1]."""
    high, low = float(colour.max()), float(colour.min())
    if high < 0.2:
        return "black"
    if high - low < 0.12 * high:
        return "white" if high > 0.8 else "gray"
    name = next(name for end, name in HUES if hue(colour) <= end)
    return "brown" if name == "orange" and high < 0.75 else name


def hue(colour: numpy.ndarray) -> float:
    """The angle on the colour circle in degrees, 0 for red; the colour is not gray."""
    red, green, blue = (float(channel) for channel in colour)
    spread = max(red, green, blue) - min(red, green, blue)
    if red >= green and red >= blue:
        return 60 * ((green - blue) / spread % 6)
    if green >= blue:
        return 60 * ((blue - red) / spread + 2)
    return 60 * ((red - green) / spread + 4)
