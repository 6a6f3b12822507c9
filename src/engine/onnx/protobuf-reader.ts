import { WireType } from "@bufbuild/protobuf/wire";
import { type ByteSource, readBytes } from "./byte-source.ts";

/** Bytes of a message: read, or left where they lie because they are long. */
export type Payload =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "range"; readonly offset: number; readonly length: number };

/** Payloads longer than this stay in their file. */
export const LARGEST_READ_PAYLOAD = 256;
/** How much of a file is read at once: reading around a thousand weights costs little, and nodes come in few reads. */
const WINDOW = 16 * 1024;
/** Far more than a graph has; a message made of nothing but tags would fill the memory. */
const MOST_FIELDS = 4_000_000;
/** Numbers in packed lists: a weight of halves may be listed so, but one byte of a file is eight of memory then. */
const MOST_PACKED = 32 * 1024 * 1024;
/** Bytes of a name. Functions are written out with the names of what they are given, again and again. */
const LONGEST_NAME = 1024;
/** A graph in a graph is six messages down, and nobody nests them deeply. */
const DEEPEST_MESSAGE = 100;

const UTF_8 = new TextDecoder("utf-8", { fatal: true });

/** Reads the wire format of protobuf from memory or a file. Throws a plain Error where the bytes are damaged. */
export class ProtobufReader {
  pos = 0;
  private readonly buffer: Uint8Array;
  private window: Uint8Array;
  private windowStart = 0;
  private fields = 0;
  private packed = 0;
  private depth = 0;

  constructor(readonly source: ByteSource) {
    this.buffer = source.memory ?? new Uint8Array(WINDOW);
    this.window = source.memory ?? this.buffer.subarray(0, 0);
  }

  get length(): number {
    return this.source.length;
  }

  tag(): [number: number, wire: WireType] {
    this.fields += 1;
    if (this.fields > MOST_FIELDS) throw new Error(`it has more than ${MOST_FIELDS} fields`);
    const tag = this.uint32();
    const number = Math.floor(tag / 8);
    if (number === 0) throw new Error("a field has number 0");
    return [number, tag % 8];
  }

  /** Calls `read` for each number of a packed list. */
  eachPacked(read: () => void): void {
    const length = this.uint32();
    const end = this.pos + length;
    while (this.pos < end) {
      this.packed += 1;
      if (this.packed > MOST_PACKED) throw new Error(`it lists more than ${MOST_PACKED} numbers`);
      read();
    }
    if (this.pos !== end) throw new Error("a packed field overruns its length");
  }

  /** An unsigned number, such as a length. */
  uint32(): number {
    const value = this.integer();
    if (value < 0 || value > 0xffff_ffff) throw new Error(`a length or tag is ${value}`);
    return value;
  }

  /** A varint of up to 64 bits, signed; beyond 2^53 it loses digits. */
  integer(): number {
    let low = 0;
    let factor = 1;
    for (let count = 0; count < 7; count += 1) {
      const byte = this.byte();
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) return low;
      factor *= 128;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new Error("a varint is longer than ten bytes");
  }

  float(): number {
    return this.view(4).getFloat32(0, true);
  }

  double(): number {
    return this.view(8).getFloat64(0, true);
  }

  /** A name: everything that is read as text is one. */
  string(): string {
    const length = this.uint32();
    if (length > LONGEST_NAME) throw new Error(`a name has ${length} bytes, and ${LONGEST_NAME} is most`);
    return UTF_8.decode(this.take(length));
  }

  /** A view where the source is in memory. */
  bytes(): Uint8Array {
    return this.take(this.uint32());
  }

  /** Bytes that are left in a file if they are long. */
  payload(): Payload {
    const length = this.uint32();
    if (this.source.memory || length <= LARGEST_READ_PAYLOAD)
      return { kind: "bytes", bytes: this.take(length) };
    const offset = this.pos;
    this.advance(length);
    return { kind: "range", offset, length };
  }

  /** Runs `read` on a nested message, up to whose end it has to come. */
  nested<T>(read: (end: number) => T): T {
    if (this.depth === DEEPEST_MESSAGE) throw new Error(`messages are nested ${DEEPEST_MESSAGE} deep`);
    this.depth += 1;
    const length = this.uint32();
    const value = read(this.pos + length);
    this.depth -= 1;
    return value;
  }

  skip(wire: WireType): void {
    if (wire === WireType.Varint) this.integer();
    else if (wire === WireType.Bit64) this.advance(8);
    else if (wire === WireType.LengthDelimited) this.advance(this.uint32());
    else if (wire === WireType.Bit32) this.advance(4);
    else throw new Error(`a field has wire type ${wire}`);
  }

  private advance(count: number): void {
    if (this.pos + count > this.source.length) throw new Error("it ends too early");
    this.pos += count;
  }

  private byte(): number {
    const index = this.pos - this.windowStart;
    if (index < 0 || index >= this.window.length) {
      this.load();
      return this.byte();
    }
    this.pos += 1;
    return this.window[index];
  }

  private view(count: number): DataView {
    const bytes = this.take(count);
    return new DataView(bytes.buffer, bytes.byteOffset, count);
  }

  /** A view of what is in memory, and a copy of what is read into the window, which other bytes will take. */
  private take(count: number): Uint8Array {
    const start = this.pos;
    this.advance(count);
    if (this.source.memory) return this.window.subarray(start, start + count);
    const index = start - this.windowStart;
    if (index >= 0 && index + count <= this.window.length) return this.window.slice(index, index + count);
    return readBytes(this.source, start, count);
  }

  private load(): void {
    const count = this.source.memory ? 0 : this.source.fill(this.buffer, this.pos);
    this.window = this.buffer.subarray(0, count);
    this.windowStart = this.pos;
    if (count === 0) throw new Error("it ends too early");
  }
}
