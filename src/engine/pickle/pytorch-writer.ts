import { encodeZip } from "./zip-writer.ts";

/** A tensor that is to be written, row by row. */
export interface FloatTensor {
  readonly kind: "floats";
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What can be written: whole numbers of 32 bits, texts, lists, dictionaries with texts as keys, and tensors. */
export type Writable =
  | null
  | number
  | string
  | FloatTensor
  | readonly Writable[]
  | { readonly [key: string]: Writable };

/**
 * A file that `torch.load` reads, also with `weights_only=True`: a zip with a pickle of protocol 2 and each tensor's
 * bytes. The same value gives the same bytes.
 */
export function encodePytorchFile(root: Writable): Uint8Array {
  const writer = new PickleWriter();
  const pickle = Buffer.concat([PROTOCOL, ...writer.write(root), text(".")]);
  return encodeZip([
    { name: "archive/data.pkl", bytes: pickle },
    { name: "archive/byteorder", bytes: text("little") },
    ...writer.tensors.map(({ data: { buffer, byteOffset, byteLength } }, key) => ({
      name: `archive/data/${key}`,
      bytes: new Uint8Array(buffer, byteOffset, byteLength),
    })),
    { name: "archive/version", bytes: text("3\n") },
  ]);
}

const text = (value: string): Buffer => Buffer.from(value, "latin1");

const PROTOCOL = text("\x80\x02");
const REBUILD_TENSOR = text("ctorch._utils\n_rebuild_tensor_v2\n");
const FLOAT_STORAGE = text("ctorch\nFloatStorage\n");
/** `OrderedDict()`: a tensor's hooks, of which there are none. */
const NO_HOOKS = text("ccollections\nOrderedDict\n)R");
const FALSE = text("\x89");

/** The opcodes of a value, and the tensors that it met, whose place among them is their storage's key. */
class PickleWriter {
  readonly tensors: FloatTensor[] = [];

  write(value: Writable): Buffer[] {
    if (value === null) return [text("N")];
    if (typeof value === "number") return [this.int(value)];
    if (typeof value === "string") return [this.string(value)];
    if (isList(value)) return [text("]("), ...value.flatMap((item) => this.write(item)), text("e")];
    if (isTensor(value)) return this.tensor(value);
    const items = Object.entries(value).flatMap(([key, item]) => [this.string(key), ...this.write(item)]);
    return [text("}("), ...items, text("u")];
  }

  // _rebuild_tensor_v2(storage, start, shape, strides, requires_grad, hooks); the storage is a persistent id.
  private tensor(tensor: FloatTensor): Buffer[] {
    const key = String(this.tensors.push(tensor) - 1);
    const strides = tensor.shape.map((_, axis) => tensor.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    const id = this.tuple([
      this.string("storage"),
      FLOAT_STORAGE,
      this.string(key),
      this.string("cpu"),
      this.int(tensor.data.length),
    ]);
    const shapes = [tensor.shape, strides].map((sizes) => this.tuple(sizes.map((size) => this.int(size))));
    const storage = Buffer.concat([id, text("Q")]);
    return [REBUILD_TENSOR, this.tuple([storage, this.int(0), ...shapes, FALSE, NO_HOOKS]), text("R")];
  }

  private tuple(items: readonly Buffer[]): Buffer {
    return Buffer.concat([text("("), ...items, text("t")]);
  }

  private int(value: number): Buffer {
    const bytes = Buffer.alloc(5, "J");
    bytes.writeInt32LE(value, 1);
    return bytes;
  }

  private string(value: string): Buffer {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(5, "X");
    length.writeUInt32LE(bytes.length, 1);
    return Buffer.concat([length, bytes]);
  }
}

const isList = (value: Writable): value is readonly Writable[] => Array.isArray(value);

const isTensor = (value: FloatTensor | { readonly [key: string]: Writable }): value is FloatTensor =>
  value.kind === "floats";
