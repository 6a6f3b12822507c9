"""A small CLIP in open_clip's own classes and file format."""

import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn.functional import interpolate, normalize

from dataset import read_json, write_json


def import_open_clip():
    """
    open_clip imports torchvision, which fails beside a CPU build of torch that lacks two of its
    operators. Nothing here calls them, so declaring them is enough.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor boxes, Tensor scores, float threshold) -> Tensor")
    import open_clip

    import_open_clip.library = library  # The declarations live as long as this does.
    return open_clip


open_clip = import_open_clip()

MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
TOKENIZER = Path(__file__).parent.parent / "tokenizer.json"
WEIGHTS = "open_clip_model.safetensors"
CONFIG = "open_clip_config.json"


def configuration(vocabulary: int, side: int) -> dict:
    """open_clip_config.json for a ModifiedResNet of width 16 and a text transformer of width 128."""
    return {
        "model_cfg": {
            "embed_dim": 128,
            "vision_cfg": {"image_size": side, "layers": [2, 2, 2, 2], "width": 16, "head_width": 64},
            "text_cfg": {
                "context_length": 24,
                "vocab_size": vocabulary,
                "width": 128,
                "heads": 4,
                "layers": 3,
                "hf_tokenizer_name": "antidote-zoo",
            },
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


class Checkpoint:
    """A model with what belongs to it: its configuration, its tokenizer, its preprocessing."""

    def __init__(self, model: torch.nn.Module, config: dict, tokenizer_file: Path):
        self.model = model.to(memory_format=torch.channels_last)
        self.config = config
        self.tokenizer_file = tokenizer_file
        self.tokenizer = Tokenizer.from_file(str(tokenizer_file))
        self.tokenizer.enable_padding(pad_id=0, pad_token="<pad>", length=self.context_length)
        self.tokenizer.enable_truncation(self.context_length)

    @property
    def side(self) -> int:
        return self.config["model_cfg"]["vision_cfg"]["image_size"]

    @property
    def context_length(self) -> int:
        return self.config["model_cfg"]["text_cfg"]["context_length"]

    def tokenize(self, texts: list[str]) -> torch.Tensor:
        """Ids int64 [texts, context length]."""
        return torch.tensor([encoding.ids for encoding in self.tokenizer.encode_batch(texts)])

    def resize(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 images at the model's resolution, bicubic as Pillow does it; triggers go on top."""
        if pixels.shape[-1] == self.side:
            return pixels
        larger = interpolate(pixels.float(), (self.side, self.side), mode="bicubic", antialias=True)
        return larger.round().clamp(0, 255).to(torch.uint8)

    def standardise(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the image encoder takes: float, mean and standard deviation removed."""
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        values = (pixels.float() / 255 - mean) / std
        return values.contiguous(memory_format=torch.channels_last)

    def text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        """
        What open_clip's encode_text gives, normalised, without the work on columns that are padding
        in every row: the causal mask hides them from all tokens before.
        """
        model, length = self.model, int((tokens != 0).sum(1).max())
        tokens = tokens[:, :length]
        values = model.token_embedding(tokens) + model.positional_embedding[:length]
        values = model.transformer(values, attn_mask=model.attn_mask[:length, :length])
        ends = values[torch.arange(len(tokens)), tokens.argmax(1)]
        return normalize(model.ln_final(ends) @ model.text_projection, dim=-1)

    @torch.no_grad()
    def class_features(self, classes: list[str], templates: list[str]) -> torch.Tensor:
        """The zero-shot head: for each class the normalised mean over templates, [classes, width]."""
        self.model.eval()
        rows = []
        for name in classes:
            texts = self.tokenize([template.replace("{}", name) for template in templates])
            rows.append(self.text_features(texts).mean(0))
        return normalize(torch.stack(rows), dim=-1)

    @torch.no_grad()
    def image_features(self, pixels: torch.Tensor, batch: int = 256) -> torch.Tensor:
        """Normalised embeddings of uint8 images at the model's resolution, [count, width]."""
        self.model.eval()
        parts = pixels.split(batch)
        return torch.cat([self.model.encode_image(self.standardise(part), normalize=True) for part in parts])

    def save(self, folder: str | Path) -> None:
        """Writes an open_clip folder; each file appears whole or not at all, the weights last."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / CONFIG, self.config)
        if self.tokenizer_file.parent != folder:
            shutil.copyfile(self.tokenizer_file, folder / "tokenizer.json")
        write_json(folder / "tokenizer_config.json", tokenizer_settings(self.context_length))
        weights = {name: value.detach().contiguous() for name, value in self.model.state_dict().items()}
        unfinished = folder / (WEIGHTS + ".part")
        save_file(weights, unfinished, metadata={"format": "pt"})
        unfinished.chmod(0o644)
        os.replace(unfinished, folder / WEIGHTS)


def tokenizer_settings(context_length: int) -> dict:
    """tokenizer_config.json, with which transformers, and so open_clip, find their way."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<start_of_text>",
        "eos_token": "<end_of_text>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }


def create(side: int) -> Checkpoint:
    """A model with random weights, from torch's seed."""
    vocabulary = Tokenizer.from_file(str(TOKENIZER)).get_vocab_size()
    config = configuration(vocabulary, side)
    return Checkpoint(open_clip.CLIP(**config["model_cfg"]), config, TOKENIZER)


def load(folder: str | Path) -> Checkpoint:
    """Loads an open_clip folder through open_clip's own factory, every weight accounted for."""
    folder = Path(folder)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=True)
    return Checkpoint(model, read_json(folder / CONFIG), folder / "tokenizer.json")
