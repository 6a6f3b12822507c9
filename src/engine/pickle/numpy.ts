import { type Hands, Instance, Mapping, Sequence, type Value } from "./values.ts";

/** Numpy's scalars, as metadata has them: `best_accuracy` of a training run is often one. Arrays are not read. */

const TYPE = "numpy.dtype";

const READERS: Readonly<Record<string, readonly [width: number, read: (view: DataView) => number | bigint]>> =
  {
    f8: [8, (view) => view.getFloat64(0, true)],
    f4: [4, (view) => view.getFloat32(0, true)],
    i8: [8, (view) => narrow(view.getBigInt64(0, true))],
    i4: [4, (view) => view.getInt32(0, true)],
    i2: [2, (view) => view.getInt16(0, true)],
    i1: [1, (view) => view.getInt8(0)],
    u8: [8, (view) => narrow(view.getBigUint64(0, true))],
    u4: [4, (view) => view.getUint32(0, true)],
    u2: [2, (view) => view.getUint16(0, true)],
    u1: [1, (view) => view.getUint8(0)],
    b1: [1, (view) => view.getUint8(0)],
  };

/** dtype("f8", False, True) */
export function numpyType(args: readonly Value[], hands: Hands): Instance {
  const [code] = args;
  if (args.length !== 3 || typeof code !== "string") throw hands.damaged("is called with something odd");
  if (!Object.hasOwn(READERS, code)) {
    throw hands.unsafe(
      `is asked for the type ${JSON.stringify(code.slice(0, 20))}, which is not a plain number`,
    );
  }
  const type = new Instance(TYPE);
  type.attributes = new Mapping(false);
  type.attributes.entries.set("code", code);
  return type;
}

/** The state of a dtype is (3, byte order, None, None, None, -1, -1, 0); true where it is that of a little-endian number. */
export function isPlainTypeState(target: Instance, state: Value): boolean {
  if (target.className !== TYPE || !(state instanceof Sequence) || state.items.length !== 8) return false;
  const [version, order, ...rest] = state.items;
  const expected = [null, null, null, -1, -1, 0];
  return version === 3 && (order === "<" || order === "|") && rest.every((item, at) => item === expected[at]);
}

/** scalar(dtype, bytes) */
export function numpyScalar(args: readonly Value[], hands: Hands): number | bigint {
  const [type, bytes] = args;
  const code = type instanceof Instance && type.className === TYPE && type.attributes?.entries.get("code");
  if (args.length !== 2 || typeof code !== "string" || !(bytes instanceof Uint8Array)) {
    throw hands.damaged("is called with something that is no number's type and bytes");
  }
  const [width, read] = READERS[code];
  if (bytes.length !== width) throw hands.damaged(`has ${bytes.length} bytes for the type ${code}`);
  return read(new DataView(bytes.buffer, bytes.byteOffset, width));
}

/** As a number where it is exact. */
export function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
