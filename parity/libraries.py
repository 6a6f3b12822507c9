"""The models of the parity check as their libraries build them, behind one interface."""
import json

import open_clip
import torch
import transformers
from torch.nn import functional as F

MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
TINY_TEXT = {"context_length": 20, "vocab_size": 64, "width": 32, "heads": 4, "layers": 2}

OPEN_CLIP = {
    "rn50": open_clip.get_model_config("RN50-quickgelu"),
    "vit-b-32": open_clip.get_model_config("ViT-B-32"),
    "vit-b-16": open_clip.get_model_config("ViT-B-16-quickgelu"),
    "tiny-rn": {
        "embed_dim": 24, "quick_gelu": True, "text_cfg": TINY_TEXT,
        "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 8, "head_width": 32, "patch_size": None},
    },
    "tiny-vit": {
        "embed_dim": 20, "text_cfg": TINY_TEXT,
        "vision_cfg": {"image_size": 48, "layers": 2, "width": 48, "head_width": 16, "patch_size": 16},
    },
}
HUGGING_FACE = {
    "hf-vit-b-32": ({}, {}),
    "hf-tiny": (
        {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 96, "projection_dim": 24, "num_hidden_layers": 2,
         "num_attention_heads": 4, "max_position_embeddings": 20, "bos_token_id": 62, "eos_token_id": 63},
        {"hidden_size": 48, "intermediate_size": 144, "projection_dim": 24, "num_hidden_layers": 2,
         "num_attention_heads": 3, "image_size": 48, "patch_size": 16},
    ),
}
NAMES = [*OPEN_CLIP, *HUGGING_FACE]


class Library:
    """`files` are those of the model's folder besides weights and tokenizer."""

    def __init__(self, model, embedding, *, side, context_length, vocabulary, width, files):
        self.model, self.embedding, self.files = model.eval(), embedding, files
        self.side, self.context_length, self.vocabulary, self.width = side, context_length, vocabulary, width

    def images(self, pixels):
        """Normalised embeddings of pixels in [0, 1]."""
        mean, std = (torch.tensor(x, dtype=pixels.dtype)[:, None, None] for x in (MEAN, STD))
        return F.normalize(self.encode_image((pixels - mean) / std), dim=-1)

    def texts(self, ids, vectors=None):
        """Normalised embeddings of token ids, whose vectors may be given in place of the looked-up ones."""
        if vectors is None:
            return F.normalize(self.encode_text(ids), dim=-1)
        hook = self.embedding.register_forward_hook(lambda *_: vectors)
        try:
            return F.normalize(self.encode_text(ids), dim=-1)
        finally:
            hook.remove()

    def scale(self):
        return self.model.logit_scale.exp()


class OpenClip(Library):
    def __init__(self, config):
        text = config["text_cfg"]
        model = open_clip.model.CLIP(**json.loads(json.dumps(config)))
        side = config["vision_cfg"]["image_size"]
        preprocessing = {"size": [side, side], "mode": "RGB", "mean": MEAN, "std": STD, "interpolation": "bicubic",
                         "resize_mode": "shortest", "fill_color": 0}
        super().__init__(
            model, model.token_embedding, side=side, context_length=text["context_length"],
            vocabulary=text["vocab_size"], width=text["width"],
            files={"open_clip_config.json": {"model_cfg": config, "preprocess_cfg": preprocessing}},
        )
        self.encode_image, self.encode_text = model.encode_image, model.encode_text


class HuggingFace(Library):
    def __init__(self, text, vision):
        config = transformers.CLIPConfig(
            text_config={"pad_token_id": 0, "bos_token_id": 49406, "eos_token_id": 49407, **text},
            vision_config=vision, projection_dim=text.get("projection_dim", 512), architectures=["CLIPModel"],
        )
        model, text, side = transformers.CLIPModel(config), config.text_config, config.vision_config.image_size
        preprocessing = {
            "image_processor_type": "CLIPImageProcessor", "do_convert_rgb": True, "do_normalize": True,
            "do_rescale": True, "rescale_factor": 1 / 255, "do_resize": True, "size": {"shortest_edge": side},
            "resample": 3, "do_center_crop": True, "crop_size": {"height": side, "width": side},
            "image_mean": MEAN, "image_std": STD,
        }
        super().__init__(
            model, model.text_model.embeddings.token_embedding, side=side,
            context_length=text.max_position_embeddings, vocabulary=text.vocab_size, width=text.hidden_size,
            files={"config.json": json.loads(config.to_json_string()), "preprocessor_config.json": preprocessing},
        )
        self.encode_image = lambda pixels: model.get_image_features(pixel_values=pixels).pooler_output
        self.encode_text = lambda ids: model.get_text_features(input_ids=ids).pooler_output


def build(name):
    return OpenClip(OPEN_CLIP[name]) if name in OPEN_CLIP else HuggingFace(*HUGGING_FACE[name])
