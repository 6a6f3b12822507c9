import { damaged, type Place } from "./refusal.ts";

const LONGEST_LINE = 512;

/** Reads a stream of bytes from front to back; nothing is taken from beyond its end. */
export class Cursor {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    readonly place: Place,
    public position = 0,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get atEnd(): boolean {
    return this.position === this.bytes.length;
  }

  uint8(): number {
    return this.view.getUint8(this.advance(1));
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  /** Throws where it is not an exact number in JavaScript, or negative if it was signed. */
  uint64(): number {
    const value = this.view.getBigUint64(this.advance(8), true);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw damaged(this.place, `the number ${value} at byte ${this.position - 8} is too large`);
  }

  /** The one number that pickles store with its highest byte first. */
  float64(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  /** A view of the next bytes: copy it before the stream is let go. */
  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    const start = this.position;
    const bytes = this.take(length);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw damaged(this.place, `the text at byte ${start} is not UTF-8`, { position: start });
    }
  }

  /** The text up to the next line feed, which is passed over. */
  line(): string {
    const start = this.position;
    const end = this.bytes.subarray(start, start + LONGEST_LINE).indexOf(0x0a);
    if (end >= 0) {
      const text = this.text(end);
      this.position++;
      return text;
    }
    throw damaged(this.place, `the name at byte ${start} does not end`, { position: start });
  }

  private advance(length: number): number {
    const start = this.position;
    if (length > this.bytes.length - start) {
      const problem = `the stream ends at byte ${this.bytes.length}, but ${length} bytes were to follow byte ${start}`;
      throw damaged(this.place, problem, { position: start });
    }
    this.position = start + length;
    return start;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
