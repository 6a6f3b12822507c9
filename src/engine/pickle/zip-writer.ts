import { crc32 } from "node:zlib";

/** A file of an archive that is to be written. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
/** Version 2.0 of the format. */
const VERSION = 20;
/** 1 January 1980, the first day that the format has: the same files make the same bytes. */
const DATE = 0x21;

/** A zip of files as they are, not compressed, under 4 GiB in all. (APPNOTE.TXT of PKWARE, 6.3.10.) */
export function encodeZip(files: readonly ZipFile[]): Uint8Array {
  const local: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const file of files) {
    const name = Buffer.from(file.name);
    const facts = factsOf(file, name.length);
    const header = Buffer.concat([uint32(LOCAL), facts, name]);
    directory.push(uint32(CENTRAL), uint16(VERSION), facts, Buffer.alloc(10), uint32(offset), name);
    local.push(header, file.bytes);
    offset += header.length + file.bytes.length;
  }
  const length = directory.reduce((sum, { length }) => sum + length, 0);
  const counts = [uint16(files.length), uint16(files.length)];
  const end = [uint32(END), Buffer.alloc(4), ...counts, uint32(length), uint32(offset), uint16(0)];
  return Buffer.concat([...local, ...directory, ...end]);
}

/** What both headers of a file say of it: version, flags, method, time, date, checksum, sizes, lengths. */
function factsOf({ bytes }: ZipFile, nameLength: number): Buffer {
  return Buffer.concat([
    uint16(VERSION),
    Buffer.alloc(6),
    uint16(DATE),
    uint32(crc32(bytes)),
    uint32(bytes.length),
    uint32(bytes.length),
    uint16(nameLength),
    uint16(0),
  ]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
