"""Writes what the real libraries compute, for `npm run parity` to compare with; takes the names of models, or none
for all. Needs torch, open_clip_torch, transformers, safetensors, numpy (versions: in every golden.json).

    python parity/make_golden.py [rn50 vit-b-32 ...]

For each model in models/: its configuration, the names and shapes of the library's tensors in the library's order, a
tokenizer, and the golden values. Weights are not stored: generator.py makes them from the tensors' names. The truth
is the library in float64; the library's own error in float32 is noted beside it.
"""
import hashlib
import json
import pathlib
import sys

import generator
import libraries
import losses
import numpy as np
import open_clip
import torch
import transformers
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
INPUTS = json.loads((HERE / "inputs.json").read_text())
LARGEST_SHARD = 400_000_000


class Tokenizer:
    """Words spread over the whole vocabulary, and the two last ids around them."""

    def __init__(self, vocabulary, context_length):
        listed = INPUTS["words"].split()
        stride = (vocabulary - 3) // len(listed)
        self.start, self.end, self.length = vocabulary - 2, vocabulary - 1, context_length
        self.ids = {word: 1 + index * stride for index, word in enumerate(listed)}

    def body(self, text):
        return [self.ids[word] for word in text.replace(",", " ,").replace(".", " .").split()]

    def encode(self, text):
        return [self.start, *self.body(text)[: self.length - 2], self.end]

    def padded(self, prompts):
        return torch.tensor([ids + [0] * (self.length - len(ids)) for ids in prompts])

    def json(self):
        start, end, unknown = "<start_of_text>", "<end_of_text>", "<unknown>"
        special = {unknown: 0, start: self.start, end: self.end}
        frame = [{"SpecialToken": {"id": start, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": end, "type_id": 0}}]
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        return {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": id, "content": word, **flags} for word, id in special.items()],
            "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing", "single": frame, "pair": frame,
                "special_tokens": {t: {"id": t, "ids": [special[t]], "tokens": [t]} for t in (start, end)},
            },
            "decoder": None,
            "model": {"type": "WordLevel", "vocab": {**special, **self.ids}, "unk_token": unknown},
        }


class Fixed:
    """The inputs of all quantities, in one precision. Features that losses are given are the true ones in all."""

    def __init__(self, library, tokenizer, dtype):
        self.dtype, self.library, self.tokenizer = dtype, library, tokenizer
        self.pixels = self.tensor(generator.images(INPUTS["images"], library.side, library.side))

    def tensor(self, values):
        return torch.as_tensor(np.asarray(values)).to(self.dtype)

    def noise(self, stream, shape, size):
        return generator.spread(stream, int(np.prod(shape)), 0, size).reshape(shape)

    def triggers(self, stream, count, size):
        return self.tensor(self.noise(stream, (count, 3, self.library.side, self.library.side), size))

    def contexts(self):
        shape = (len(INPUTS["labels"]), INPUTS["contexts"]["tokens"], self.library.width)
        return self.tensor(self.noise("contexts", shape, INPUTS["contexts"]["size"]))


def zero_shot(fixed):
    """Mean of the templates' features, normalised again: [C, D]."""
    rows = []
    for label in INPUTS["labels"]:
        ids = [fixed.tokenizer.encode(template.replace("{}", label)) for template in INPUTS["templates"]]
        mean = fixed.library.texts(fixed.tokenizer.padded(ids)).mean(0)
        rows.append(mean / mean.norm())
    return torch.stack(rows).detach()


def published_inversion(fixed, features):
    given = INPUTS["publishedInversion"]
    triggers = fixed.triggers("triggers/published", len(given["images"]), given["triggerSize"]).requires_grad_()
    feature = fixed.library.images(fixed.pixels[given["images"]] + triggers)
    positive, negative = features[given["positives"]], features[given["images"]]
    loss = losses.trigger_contrast(feature, positive, negative, given["temperature"])
    (gradient,) = torch.autograd.grad(loss, [triggers])
    return loss[None], gradient


def universal_inversion(fixed, matrix):
    given = INPUTS["universalInversion"]
    count, each = len(given["targets"]), len(given["images"][0])
    triggers = fixed.triggers("triggers/universal", count, given["triggerSize"]).requires_grad_()
    stamped = (fixed.pixels[torch.tensor(given["images"])] + triggers[:, None]).clamp(0, 1)
    logits = fixed.library.scale() * fixed.library.images(stamped.flatten(0, 1)) @ matrix.T
    targets = torch.tensor(given["targets"]).repeat_interleave(each)
    entropy = torch.nn.functional.cross_entropy(logits, targets, reduction="none").reshape(count, each).mean(1)
    (gradient,) = torch.autograd.grad(entropy.sum(), [triggers])
    return entropy, gradient


def prompt_features(fixed, contexts):
    """Of `start V1..VM label . end`: [C, D]."""
    tokenizer, count = fixed.tokenizer, contexts.shape[1]
    prompts = [[tokenizer.start, *[0] * count, *tokenizer.body(label), *tokenizer.body("."), tokenizer.end]
               for label in INPUTS["labels"]]
    ids = tokenizer.padded(prompts)
    looked_up = fixed.library.embedding(ids).detach()
    vectors = torch.cat([looked_up[:, :1], contexts, looked_up[:, 1 + count :]], 1)
    return fixed.library.texts(ids, vectors)


def tuning(fixed, contexts, given, features, matrix):
    contexts = contexts.requires_grad_()
    text = prompt_features(fixed, contexts)
    scale = fixed.library.scale().detach()
    clean, dummy = scale * features @ text.T, scale * features[INPUTS["dummies"]] @ text.T
    labels = torch.eye(len(text), dtype=fixed.dtype)
    suspects = torch.stack([labels[s] * (s >= 0) for s in given["suspects"]])
    targets = fixed.tensor(given["targets"]) * fixed.tensor(given["emphasis"])[:, None]
    each = torch.stack([
        losses.unlearning(dummy, suspects),
        losses.alignment(clean, dummy, labels),
        losses.weighted_entropy(clean, targets),
        losses.weighted_entropy(dummy, labels),
        losses.drift(text, matrix, fixed.tensor(given["anchors"])),
    ])
    (gradient,) = torch.autograd.grad((each * fixed.tensor(given["weights"])).sum(), [contexts])
    return each, gradient


def embeddings(library, tokenizer, dtype):
    library.model.to(dtype)
    fixed = Fixed(library, tokenizer, dtype)
    prompts = [tokenizer.encode(prompt) for prompt in [*INPUTS["prompts"], INPUTS["longPrompt"]]]
    with torch.no_grad():
        return {
            "imageEmbeddings": library.images(fixed.pixels),
            "textEmbeddings": library.texts(tokenizer.padded(prompts)),
            "zeroShot": zero_shot(fixed),
            "promptFeatures": prompt_features(fixed, fixed.contexts()),
        }


def losses_and_gradients(library, tokenizer, dtype, truth):
    """Of features [N, D] and a classifier [C, D] that are float32 in whatever precision this is computed in."""
    library.model.to(dtype)
    fixed = Fixed(library, tokenizer, dtype)
    features, matrix = (truth[name].float().to(dtype) for name in ("imageEmbeddings", "zeroShot"))
    steps = {
        "publishedInversion": published_inversion(fixed, features),
        "universalInversion": universal_inversion(fixed, matrix),
        "publishedTuning": tuning(fixed, fixed.contexts(), INPUTS["publishedTuning"], features, matrix),
        "universalTuning": tuning(fixed, fixed.contexts(), INPUTS["universalTuning"], features, matrix),
    }
    kinds = ("Losses", "Gradient")
    return {f"{name}{kind}": value for name, step in steps.items() for kind, value in zip(kinds, step, strict=True)}


def quantities(library, tokenizer):
    """In float64 and in float32."""
    single, double = (embeddings(library, tokenizer, dtype) for dtype in (torch.float32, torch.float64))
    for values, dtype in ((double, torch.float64), (single, torch.float32)):
        values.update(losses_and_gradients(library, tokenizer, dtype, double))
    return tuple({name: value.detach().double().numpy() for name, value in v.items()} for v in (double, single))


def relative_error(value, truth):
    """Of the worst row of an embedding; of a gradient or of losses as a whole."""
    if truth.ndim != 2:
        value, truth = value.reshape(1, -1), truth.reshape(1, -1)
    return float((np.linalg.norm(value - truth, axis=1) / np.linalg.norm(truth, axis=1)).max())


def cosine(a, b):
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


def shards(tensors):
    """The files of the weights with their tensors, in order."""
    files, size = [[]], 0
    for entry in tensors:
        size += 4 * int(np.prod(entry["shape"]))
        if size > LARGEST_SHARD and files[-1]:
            files, size = [*files, []], 4 * int(np.prod(entry["shape"]))
        files[-1].append(entry)
    return files


def digest(tensors):
    """SHA-256 of the safetensors file with these tensors, in this order."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for entry in tensors:
        begin, end = end, end + entry["bytes"]
        header[entry["name"]] = {"dtype": entry["dtype"], "shape": entry["shape"], "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    result = hashlib.sha256(len(text).to_bytes(8, "little") + text)
    for entry in tensors:
        result.update(entry["values"])
    return result.hexdigest()


def fill(model):
    """Gives every tensor its generated values; returns what a file stores of each."""
    stored = []
    for name, tensor in model.state_dict().items():
        shape = list(tensor.shape)
        if tensor.is_floating_point():
            values, dtype = generator.weight(name, shape), "F32"
            tensor.copy_(torch.from_numpy(values))
        else:
            values, dtype = np.zeros(shape, np.int64), "I64"
            tensor.zero_()
        data = values.tobytes()
        stored.append({"name": name, "dtype": dtype, "shape": shape, "bytes": len(data), "values": data})
    return stored


def weight_files(name, stored):
    if name in libraries.OPEN_CLIP:
        return {"open_clip_model.safetensors": stored}
    parts = shards(stored) if name == "hf-vit-b-32" else [stored]
    if len(parts) == 1:
        return {"model.safetensors": stored}
    return {f"model-{index:05}-of-{len(parts):05}.safetensors": part for index, part in enumerate(parts, 1)}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def write_tensors(path, files):
    """One line for each tensor."""
    blocks = []
    for file, tensors in files.items():
        lines = [json.dumps([t["name"], t["dtype"], t["shape"]], separators=(",", ":")) for t in tensors]
        blocks.append(f' "{file}": {{"sha256": "{digest(tensors)}", "tensors": [\n  ' + ",\n  ".join(lines) + "\n ]}")
    path.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


def make(name):
    folder = HERE / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    library = libraries.build(name)
    tokenizer = Tokenizer(library.vocabulary, library.context_length)
    for file, value in [*library.files.items(), ("tokenizer.json", tokenizer.json())]:
        write_json(folder / file, value)
    write_tensors(folder / "tensors.json", weight_files(name, fill(library.model)))
    truth, single = quantities(library, tokenizer)
    summary, arrays = {}, {}
    for key, value in truth.items():
        own = single[key]
        summary[key] = {"shape": list(value.shape), "norm": float(np.linalg.norm(value)),
                        "libraryError": relative_error(own, value), "libraryCosineGap": 1 - cosine(own, value)}
        if key.endswith("Gradient"):
            arrays[f"{key}/projections"] = generator.projections(value).astype(np.float32)
            arrays[f"{key}/samples"] = generator.samples(value).astype(np.float32)
        else:
            arrays[key] = value.astype(np.float32)
    versions = {"torch": torch.__version__, "open_clip": open_clip.__version__,
                "transformers": transformers.__version__, "numpy": np.__version__}
    write_json(folder / "golden.json", {"versions": versions, "quantities": summary})
    save_file(arrays, folder / "golden.safetensors")
    for key, entry in summary.items():
        print(f"{name:12} {key:28} {entry['libraryError']:.2e} {entry['libraryCosineGap']:.2e} {entry['norm']:.4g}")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or libraries.NAMES:
        make(chosen)
