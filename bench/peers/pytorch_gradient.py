"""The peer of bench/gradient.ts: open_clip's networks with random weights in PyTorch's eager mode.

    python pytorch_gradient.py THREADS wall|cpu

Reads one JSON line for each run, {"model": "RN50" or "ViT-B-32-quickgelu", "batch": 4, "backward": true}, and answers
with one: {"milliseconds": ...}. The memory layout is the one of the two that the model's first runs were faster in.
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
LAYOUTS = (torch.contiguous_format, torch.channels_last)
WARM_UP = 2


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

    def run(self, backward):
        begin = self.clock()
        if backward:
            pixels = self.pixels.detach().requires_grad_()
            self.loss(pixels).backward()
        else:
            with torch.inference_mode():
                self.loss(self.pixels)
        return 1000 * (self.clock() - begin)


def fastest_tower(name, batch, clock):
    model = open_clip.create_model(name, pretrained=None).eval().requires_grad_(False)
    size = model.visual.image_size
    height, width = size if isinstance(size, tuple) else (size, size)
    pixels = torch.randn(batch, 3, height, width)
    times = []
    for layout in LAYOUTS:
        tower = Tower(model, pixels, layout, clock)
        times.append(min(tower.run(True) for _ in range(WARM_UP)))
    return Tower(model, pixels, LAYOUTS[times.index(min(times))], clock)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    clock = CLOCKS[sys.argv[2]]
    torch.manual_seed(1)
    towers = {}
    print(json.dumps({"torch": torch.__version__, "open_clip": open_clip.__version__}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        key = (order["model"], order["batch"])
        if key not in towers:
            towers.clear()
            towers[key] = fastest_tower(*key, clock)
        print(json.dumps({"milliseconds": towers[key].run(order["backward"])}), flush=True)


if __name__ == "__main__":
    main()
