"""
The steps of bench/training.ts in PyTorch and open_clip: reads the batch that it wrote, trains the same model on it, and
prints losses and milliseconds of each step as JSON. Run by the bench when PYTHON names an interpreter that has
zoo/training/requirements.txt.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy
import torch
from torch.nn.functional import cross_entropy, normalize

ZOO = Path(__file__).parent.parent.parent / "zoo"
sys.path.insert(0, str(ZOO / "training"))

import checkpoint
from training import Optimisation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--layout", choices=["channels_last", "contiguous_format"], default="contiguous_format")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    layout = getattr(torch, options.layout)
    model = checkpoint.load(ZOO / "models" / "scenes-clean")
    model.model.to(memory_format=layout).train()
    pixels = torch.from_numpy(numpy.fromfile(options.folder / "pixels.bin", numpy.uint8))
    pixels = pixels.reshape(options.batch, 3, model.side, model.side)
    tokens = torch.from_numpy(numpy.fromfile(options.folder / "tokens.bin", numpy.int64))
    tokens = tokens.reshape(options.batch, options.length)
    optimisation = Optimisation(model.model, 5e-4, 1000, warmup=20)
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    result = {"losses": [], "milliseconds": []}
    for _ in range(options.steps):
        begin = clock()
        loss = contrastive(model, pixels, tokens, layout, options.precision)
        optimisation.step(loss)
        result["losses"].append(loss.item())
        result["milliseconds"].append(1000 * (clock() - begin))
    print(json.dumps(result))


def contrastive(
    model: checkpoint.Checkpoint,
    pixels: torch.Tensor,
    tokens: torch.Tensor,
    layout: torch.memory_format,
    precision: str,
) -> torch.Tensor:
    images = model.standardise(pixels).contiguous(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        image = normalize(model.model.encode_image(images), dim=-1)
    text = model.text_features(tokens)
    logits = model.model.logit_scale.exp() * image.float() @ text.T
    own = torch.arange(len(tokens))
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


if __name__ == "__main__":
    main()
