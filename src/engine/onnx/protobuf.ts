import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Payload, ProtobufReader } from "./protobuf-reader.ts";

/** How one protobuf value is written and read. */
export interface Kind<T> {
  readonly wire: WireType;
  write(writer: BinaryWriter, value: T): void;
  read(reader: ProtobufReader): T;
}

/** One field of a message: its number, what absence means, and how its occurrences add up. */
export interface Field<T> {
  readonly number: number;
  empty(): T;
  write(writer: BinaryWriter, value: T): void;
  merge(reader: ProtobufReader, wire: WireType, previous: T): T;
}

const LARGEST_INT64 = 2n ** 63n - 1n;

/** Integers beyond 2^53 lose digits; the largest int64, ONNX's "until the end", survives. */
export const int64: Kind<number> = {
  wire: WireType.Varint,
  write: (writer, value) => writer.int64(BigInt(value) > LARGEST_INT64 ? LARGEST_INT64 : BigInt(value)),
  read: (reader) => reader.integer(),
};

export const int32: Kind<number> = {
  wire: WireType.Varint,
  write: (writer, value) => writer.int32(value),
  read: (reader) => reader.integer() | 0,
};

export const float32: Kind<number> = {
  wire: WireType.Bit32,
  write: (writer, value) => writer.float(value),
  read: (reader) => reader.float(),
};

export const float64: Kind<number> = {
  wire: WireType.Bit64,
  write: (writer, value) => writer.double(value),
  read: (reader) => reader.double(),
};

export const string: Kind<string> = {
  wire: WireType.LengthDelimited,
  write: (writer, value) => writer.string(value),
  read: (reader) => reader.string(),
};

export const bytes: Kind<Uint8Array> = {
  wire: WireType.LengthDelimited,
  write: (writer, value) => writer.bytes(value),
  read: (reader) => reader.bytes(),
};

/** Read as a view of a message in memory, and left in its file where it is long. */
export const payload: Kind<Payload> = {
  wire: WireType.LengthDelimited,
  write(writer, value) {
    if (value.kind !== "bytes") throw new Error("a payload that lies in another file cannot be written");
    writer.bytes(value.bytes);
  },
  read: (reader) => reader.payload(),
};

function expectWire(actual: WireType, expected: WireType, number: number): void {
  if (actual !== expected) throw new Error(`field ${number} has wire type ${actual}, expected ${expected}`);
}

/** A field that is there or not. */
export function one<T>(number: number, kind: Kind<T>): Field<T | undefined> {
  return {
    number,
    empty: () => undefined,
    write(writer, value) {
      if (value !== undefined) kind.write(writer.tag(number, kind.wire), value);
    },
    merge(reader, wire) {
      expectWire(wire, kind.wire, number);
      return kind.read(reader);
    },
  };
}

/** A list; numbers may come one by one or packed. */
export function many<T>(number: number, kind: Kind<T>): Field<readonly T[]> {
  return {
    number,
    empty: () => [],
    write(writer, list) {
      for (const value of list) kind.write(writer.tag(number, kind.wire), value);
    },
    merge(reader, wire, previous) {
      const list = previous as T[];
      if (wire !== WireType.LengthDelimited || kind.wire === WireType.LengthDelimited) {
        expectWire(wire, kind.wire, number);
        list.push(kind.read(reader));
        return list;
      }
      reader.eachPacked(() => void list.push(kind.read(reader)));
      return list;
    },
  };
}

/** Numbers of a fixed size that, packed, are the very bytes of an array: a list of the stretches they came in. */
export function stretches(number: number, kind: Kind<number>): Field<readonly Payload[]> {
  return {
    number,
    empty: () => [],
    write(writer, list) {
      for (const value of list) payload.write(writer.tag(number, WireType.LengthDelimited), value);
    },
    merge(reader, wire, previous) {
      const list = previous as Payload[];
      if (wire === WireType.LengthDelimited) {
        list.push(reader.payload());
        return list;
      }
      expectWire(wire, kind.wire, number);
      const one =
        kind.wire === WireType.Bit32
          ? Float32Array.of(kind.read(reader))
          : Float64Array.of(kind.read(reader));
      list.push({ kind: "bytes", bytes: new Uint8Array(one.buffer) });
      return list;
    },
  };
}

/** A message can also stand alone, without the length that nested ones have. */
export interface MessageKind<T> extends Kind<T> {
  readFields(reader: ProtobufReader, end: number): T;
}

/** A message is a table of its fields. Unknown fields are skipped, as protobuf asks. */
export function message<T extends object>(
  fields: {
    readonly [Name in keyof T]-?: Field<T[Name]>;
  },
): MessageKind<T> {
  const names = Object.keys(fields) as (keyof T)[];
  const byNumber = new Map(names.map((name) => [fields[name].number, name]));
  return {
    wire: WireType.LengthDelimited,
    write(writer, value) {
      writer.fork();
      for (const name of names) fields[name].write(writer, value[name]);
      writer.join();
    },
    read: (reader) => reader.nested((end) => readFields(reader, end)),
    readFields,
  };

  function readFields(reader: ProtobufReader, end: number): T {
    const value = {} as T;
    for (const name of names) value[name] = fields[name].empty();
    while (reader.pos < end) {
      const [number, wire] = reader.tag();
      const name = byNumber.get(number);
      if (name === undefined) reader.skip(wire);
      else value[name] = fields[name].merge(reader, wire, value[name]);
    }
    if (reader.pos !== end) throw new Error("a message overruns its length");
    return value;
  }
}

/** A kind that refers to itself further down. */
export function lazy<T>(kind: () => Kind<T>): Kind<T> {
  return {
    wire: WireType.LengthDelimited,
    write: (writer, value) => kind().write(writer, value),
    read: (reader) => kind().read(reader),
  };
}

/** A message that stands alone and fills its reader. Throws a plain Error where the bytes are damaged. */
export function decodeMessage<T>(kind: MessageKind<T>, reader: ProtobufReader): T {
  return kind.readFields(reader, reader.length);
}

/** The bytes of a message that stands alone. */
export function encodeMessage<T>(kind: Kind<T>, value: T): Uint8Array {
  const writer = new BinaryWriter();
  kind.write(writer, value);
  const framed = writer.finish();
  let prefix = 1;
  while (framed[prefix - 1] & 0x80) prefix += 1;
  return framed.subarray(prefix);
}
