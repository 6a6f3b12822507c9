"""The peer of bench/gradient.ts: open_clip's networks with random weights in PyTorch's eager mode.

    python pytorch_gradient.py THREADS wall|cpu

Reads one JSON line for each run, {"model": "RN50" or "ViT-B-32-quickgelu", "batch": 4, "layout": "default" or
"channels_last"}, and answers with one: {"milliseconds": ...} of a forward and a backward pass.
"""
import json
import sys
import time

import torch

try:
    import torchvision  # noqa: F401
except (ImportError, RuntimeError):
    # open_clip imports names of torchvision's operators, but its towers use none of them.
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import open_clip

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
LAYOUTS = {"default": torch.contiguous_format, "channels_last": torch.channels_last}


class Tower:
    """One model's image tower in one memory layout, with fixed numbers to multiply its embedding by."""

    def __init__(self, model, pixels, layout, clock):
        self.clock = clock
        self.tower = model.visual.to(memory_format=layout)
        self.pixels = pixels.to(memory_format=layout)
        with torch.no_grad():
            self.numbers = torch.randn_like(self.tower(self.pixels))

    def loss(self, pixels):
        embedding = torch.nn.functional.normalize(self.tower(pixels), dim=-1)
        return (embedding * self.numbers).sum()

    def run(self):
        begin = self.clock()
        pixels = self.pixels.detach().requires_grad_()
        self.loss(pixels).backward()
        return 1000 * (self.clock() - begin)


def open_tower(name, batch, layout, clock):
    model = open_clip.create_model(name, pretrained=None).eval().requires_grad_(False)
    size = model.visual.image_size
    height, width = size if isinstance(size, tuple) else (size, size)
    return Tower(model, torch.randn(batch, 3, height, width), LAYOUTS[layout], clock)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    clock = CLOCKS[sys.argv[2]]
    torch.manual_seed(1)
    towers = {}
    print(json.dumps({"torch": torch.__version__, "open_clip": open_clip.__version__}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        key = (order["model"], order["batch"], order["layout"])
        if key not in towers:
            # Those of the model before are no longer needed.
            towers = {other: tower for other, tower in towers.items() if other[0] == order["model"]}
            towers[key] = open_tower(*key, clock)
        print(json.dumps({"milliseconds": towers[key].run()}), flush=True)


if __name__ == "__main__":
    main()
