"""The numbers that weights and inputs are made of. `generator.ts` makes the same ones, bit for bit: only whole-number
arithmetic, correctly rounded float32 products and sums, one correctly rounded division and one square root."""
import numpy as np

CHUNK = 1 << 22


def mix(word):
    """A permutation of the 32-bit words in which every bit of the input changes every bit of the output."""
    word = word ^ (word >> np.uint32(16))
    word = word * np.uint32(0x21F0AAAD)
    word = word ^ (word >> np.uint32(15))
    word = word * np.uint32(0x735A2D97)
    return word ^ (word >> np.uint32(15))


def key_of(stream):
    """FNV-1a of the stream's name."""
    key = 0x811C9DC5
    for byte in stream.encode():
        key = ((key ^ byte) * 0x01000193) & 0xFFFFFFFF
    return np.uint32(key)


def words(stream, start, count):
    """The 32-bit words of a stream from `start` on: each depends on the stream's name and its own place only."""
    places = np.arange(start, start + count, dtype=np.uint64).astype(np.uint32)
    return mix(mix(places + np.uint32(0x9E3779B9)) ^ key_of(stream))


def uniform(stream, count):
    """float32 in [0, 1): multiples of 2⁻²⁴."""
    return (words(stream, 0, count) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def spread(stream, count, centre, size):
    """float32, uniform in centre ± size."""
    values = np.empty(count, np.float32)
    for start in range(0, count, CHUNK):
        top = (words(stream, start, min(CHUNK, count - start)) >> np.uint32(8)).astype(np.int32)
        unit = (2 * top + 1 - (1 << 24)).astype(np.float32) * np.float32(2**-24)
        values[start : start + len(unit)] = unit * np.float32(size) + np.float32(centre)
    return values


def centre_and_size(name, shape):
    """What keeps signals at about their size in a network of any depth, from a tensor's name and shape."""
    last = name.split(".")[-1]
    if last == "logit_scale":
        return 2.6592, 0  # ln(1/0.07), where training begins
    if last == "running_var":
        return 1, 0.5
    if last == "running_mean":
        return 0, 0.1
    if last.endswith("bias"):
        return 0, 0.05
    if "embedding" in name and len(shape) < 3:
        return 0, 0.05
    if len(shape) == 1:
        return 1, 0.2
    fan_in = int(np.prod(shape[1:]))
    # Convolutions are followed by ReLU, which takes a part.
    return 0, np.sqrt((4 if len(shape) > 2 else 3) / fan_in)


def weight(name, shape):
    return spread(name, int(np.prod(shape)), *centre_and_size(name, shape)).reshape(shape)


def images(count, height, width):
    """Noise over sixteen areas of one colour each: [count, 3, height, width] in [0, 1)."""
    areas = uniform("images/areas", count * 3 * 16).reshape(count, 3, 4, 4)
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    colours = areas[:, :, rows][:, :, :, columns]
    noise = uniform("images/noise", count * 3 * height * width).reshape(count, 3, height, width)
    return colours * np.float32(0.75) + noise * np.float32(0.25)


PROJECTIONS = 256
SAMPLES = 1024


def projections(values):
    """Sums of all values with random signs, 256 of them: they show the norm of any difference (see sketch.ts)."""
    values = values.reshape(-1).astype(np.float64)
    totals = np.zeros(PROJECTIONS)
    words_each = PROJECTIONS // 32
    for start in range(0, len(values), 1 << 16):
        part = values[start : start + (1 << 16)]
        drawn = words("sketch/signs", start * words_each, len(part) * words_each).reshape(-1, words_each)
        bits = drawn[:, :, None] >> np.arange(32, dtype=np.uint32) & np.uint32(1)
        totals += part @ bits.reshape(len(part), PROJECTIONS).astype(np.float64)
    return 2 * totals - values.sum()


def samples(values):
    """Values at 1024 fixed random places."""
    return values.reshape(-1)[words("sketch/places", 0, SAMPLES) % np.uint32(values.size)]
