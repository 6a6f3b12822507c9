import type { TensorSource } from "../stored-weights.ts";

/** A part of a tower in Hugging Face's `CLIPModel`, by open_clip's name for it. */
const PARTS: Readonly<Record<string, string>> = {
  "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
  "visual.class_embedding": "vision_model.embeddings.class_embedding",
  "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
  "visual.ln_pre": "vision_model.pre_layrnorm",
  "visual.transformer.resblocks": "vision_model.encoder.layers",
  "visual.ln_post": "vision_model.post_layernorm",
  "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
  positional_embedding: "text_model.embeddings.position_embedding.weight",
  "transformer.resblocks": "text_model.encoder.layers",
  ln_final: "text_model.final_layer_norm",
};

/** The parts of a block. */
const BLOCK: Readonly<Record<string, string>> = {
  ln_1: "layer_norm1",
  ln_2: "layer_norm2",
  "attn.out_proj": "self_attn.out_proj",
  "mlp.c_fc": "mlp.fc1",
  "mlp.c_proj": "mlp.fc2",
};

/** The maps into the common space, which are stored as linear layers. */
const PROJECTIONS: Readonly<Record<string, string>> = {
  "visual.proj": "visual_projection.weight",
  text_projection: "text_projection.weight",
};

/** Where Hugging Face's `CLIPModel` has a tensor of open_clip's name. */
export function huggingFaceSource(name: string): TensorSource {
  const projection = PROJECTIONS[name];
  if (projection) return { keys: [projection], transposed: true };
  const block = /^(.*resblocks)\.(\d+)\.(.+)$/.exec(name);
  if (!block) return { keys: [translate(PARTS, name)] };
  const [, stack, layer, part] = block;
  const within = `${PARTS[stack]}.${layer}`;
  const joined = /^attn\.in_proj_(weight|bias)$/.exec(part);
  if (!joined) return { keys: [`${within}.${translate(BLOCK, part)}`] };
  return { keys: ["q", "k", "v"].map((letter) => `${within}.self_attn.${letter}_proj.${joined[1]}`) };
}

/** Tensors that the library stores and inference does not need. */
export function isHuggingFaceBookkeeping(key: string): boolean {
  return key === "logit_scale" || key.endsWith(".position_ids");
}

/** A whole name, or a part's name with `.weight` or `.bias` after it. */
function translate(table: Readonly<Record<string, string>>, name: string): string {
  if (table[name]) return table[name];
  const end = name.lastIndexOf(".");
  return `${table[name.slice(0, end)]}${name.slice(end)}`;
}
