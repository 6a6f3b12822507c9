import { Cursor } from "./cursor.ts";
import { damaged, type Place, quoted, unsafe } from "./refusal.ts";
import type { Source } from "./source.ts";

/**
 * The zip files that PyTorch writes, as a list of where each entry's bytes lie. Every byte of the file must belong to
 * one entry, the directory or the end, and each entry must be described alike in both places where a zip describes it,
 * so that no other reader can see another archive in the same file. (APPNOTE.TXT of PKWARE, 6.3.10.)
 */
export interface ZipEntry {
  readonly name: string;
  /** Of the stored bytes, from the start of the file. */
  readonly offset: number;
  /** As stored. */
  readonly length: number;
  /** Of no use but to be left alone: the code of a TorchScript archive is. */
  readonly compressed: boolean;
}

interface DirectoryEntry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly checksum: number;
  readonly stored: number;
  readonly size: number;
  /** Of its local header. */
  readonly header: number;
}

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly length: number;
}

const END = 0x06054b50;
const END_LENGTH = 22;
const LOCATOR = 0x07064b50;
const LOCATOR_LENGTH = 20;
const END_64 = 0x06064b50;
const END_64_LENGTH = 56;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const LOCAL_LENGTH = 30;

const MOST_ENTRIES = 50_000;
const LONGEST_DIRECTORY = 16 * 1024 * 1024;

const ENCRYPTED = 1 << 0;
/** Sizes and checksum follow the bytes; the local header may leave them out. */
const DESCRIBED_AFTER = 1 << 3;
const STORED = 0;
const DEFLATED = 8;
/** "See the 64-bit field." */
const ELSEWHERE_16 = 0xffff;
const ELSEWHERE_32 = 0xffffffff;

/** Reads where the entries lie, by name. Throws UNSAFE_ARTIFACT that names the entry, or INVALID_CHECKPOINT. */
export async function readZip(source: Source): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await readEnd(source);
  const described = await readDirectory(source, directory);
  described.sort((a, b) => a.header - b.header);
  const entries = await Promise.all(described.map((entry) => locate(source, entry, directory.offset)));
  let position = 0;
  for (const [index, { name, flags, header }] of described.entries()) {
    const { offset, length } = entries[index];
    checkGap(source.place, position, header, quoted(name));
    position = offset + length;
    const next = described[index + 1]?.header ?? directory.offset;
    if (flags & DESCRIBED_AFTER && DESCRIPTOR_LENGTHS.has(next - position)) position = next;
  }
  checkGap(source.place, position, directory.offset, "the directory");
  return new Map(entries.map((entry) => [entry.name, entry]));
}

/** With or without a signature, with sizes of 32 or 64 bits. */
const DESCRIPTOR_LENGTHS: ReadonlySet<number> = new Set([12, 16, 20, 24]);

function checkGap(place: Place, end: number, start: number, next: string): void {
  if (start < end) throw unsafe(place, `${next} overlaps the entry before it, at byte ${start}`);
  if (start > end) throw unsafe(place, `${start - end} bytes before ${next} belong to nothing`);
}

/** The end of a zip says where its directory lies; nothing may follow it, a comment neither. */
async function readEnd(source: Source): Promise<Directory> {
  const { place, size } = source;
  const at = size - END_LENGTH;
  const end = new Cursor(await source.read(Math.max(at, 0), Math.min(END_LENGTH, size)), place);
  if (size < END_LENGTH || end.uint32() !== END) {
    throw damaged(place, "the zip does not end with its directory: it is truncated, or something follows it");
  }
  const disks = [end.uint16(), end.uint16()];
  const counts = [end.uint16(), end.uint16()];
  const small = { entries: counts[0], length: end.uint32(), offset: end.uint32() };
  if (disks.some((disk) => disk !== 0) || counts[0] !== counts[1]) throw damaged(place, "the zip has parts");
  const { directory, start } = (await readEnd64(source, at, small)) ?? { directory: small, start: at };
  if (directory.offset + directory.length !== start) {
    throw unsafe(place, "the zip's directory does not lie where its end says");
  }
  if (directory.entries > MOST_ENTRIES || directory.length > LONGEST_DIRECTORY) {
    throw unsafe(place, `the zip has a directory of ${directory.entries} entries, ${directory.length} bytes`);
  }
  return directory;
}

async function readEnd64(
  source: Source,
  at: number,
  small: Directory,
): Promise<{ directory: Directory; start: number } | undefined> {
  const { place } = source;
  const start = at - LOCATOR_LENGTH - END_64_LENGTH;
  if (start < 0) return undefined;
  const cursor = new Cursor(await source.read(start, END_64_LENGTH + LOCATOR_LENGTH), place, END_64_LENGTH);
  if (cursor.uint32() !== LOCATOR) return undefined;
  const located = [cursor.uint32(), cursor.uint64(), cursor.uint32()];
  cursor.position = 0;
  const isRecord = cursor.uint32() === END_64 && cursor.uint64() === END_64_LENGTH - 12;
  if (!isRecord || located.join() !== [0, start, 1].join()) {
    throw unsafe(place, "the zip's 64-bit end does not lie where it is said to");
  }
  cursor.take(4);
  const disks = [cursor.uint32(), cursor.uint32()];
  const entries = cursor.uint64();
  const agrees = disks.every((disk) => disk === 0) && cursor.uint64() === entries;
  const directory = { entries, length: cursor.uint64(), offset: cursor.uint64() };
  const same =
    isSame(small.entries, entries, ELSEWHERE_16) &&
    isSame(small.length, directory.length, ELSEWHERE_32) &&
    isSame(small.offset, directory.offset, ELSEWHERE_32);
  if (!agrees || !same) throw unsafe(place, "the zip's two ends describe different directories");
  return { directory, start };
}

const isSame = (short: number, long: number, elsewhere: number): boolean =>
  short === long || short === elsewhere;

async function readDirectory(source: Source, directory: Directory): Promise<DirectoryEntry[]> {
  const { place } = source;
  const cursor = new Cursor(await source.read(directory.offset, directory.length), place);
  const names = new Set<string>();
  const entries = Array.from({ length: directory.entries }, () => {
    const entry = readDirectoryEntry(cursor);
    checkName(entry.name, place);
    if (names.has(entry.name)) throw unsafe(place, `the zip has two entries ${quoted(entry.name)}`);
    names.add(entry.name);
    return entry;
  });
  if (!cursor.atEnd) throw unsafe(place, "the zip's directory has more than it says");
  return entries;
}

function readDirectoryEntry(cursor: Cursor): DirectoryEntry {
  const { place } = cursor;
  if (cursor.uint32() !== CENTRAL) throw damaged(place, "the zip's directory is corrupt");
  cursor.take(4);
  const [flags, method] = [cursor.uint16(), cursor.uint16()];
  cursor.take(4);
  const checksum = cursor.uint32();
  const [stored, size] = [cursor.uint32(), cursor.uint32()];
  const lengths = [cursor.uint16(), cursor.uint16(), cursor.uint16()];
  const disk = cursor.uint16();
  cursor.take(6);
  const header = cursor.uint32();
  const name = cursor.text(lengths[0]);
  const extra = new Cursor(cursor.take(lengths[1]), place);
  cursor.take(lengths[2]);
  if (disk !== 0) throw damaged(place, "the zip has parts");
  // In the 64-bit field's order: size, stored size, offset.
  const [longSize, longStored, longHeader] = wide([size, stored, header], extra);
  return { name, flags, method, checksum, stored: longStored, size: longSize, header: longHeader };
}

/** Fills in the numbers that a 64-bit extra field holds. */
function wide(numbers: readonly number[], extra: Cursor): number[] {
  if (!numbers.includes(ELSEWHERE_32)) return [...numbers];
  while (!extra.atEnd) {
    const [id, length] = [extra.uint16(), extra.uint16()];
    const field = new Cursor(extra.take(length), extra.place);
    if (id === 1) return numbers.map((number) => (number === ELSEWHERE_32 ? field.uint64() : number));
  }
  return [...numbers];
}

function checkName(name: string, place: Place): void {
  const refuse = (why: string) => unsafe(place, `the zip's entry ${quoted(name)} ${why}`, { name });
  if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw refuse("has an absolute path");
  if (/[\\\0]/.test(name)) throw refuse("has a backslash or a NUL in its path");
  if (name.split("/").some((part) => part === ".." || part === ".")) throw refuse("leaves the archive");
}

/** Where the bytes of an entry lie, once its local header has been found to agree with the directory. */
async function locate(source: Source, entry: DirectoryEntry, end: number): Promise<ZipEntry> {
  const { name, flags, method, stored } = entry;
  const refuse = (why: string) =>
    unsafe(source.place, `the zip's entry ${quoted(name)} ${why}`, { name: name.slice(0, 200) });
  if (flags & ENCRYPTED) throw refuse("is encrypted");
  if (method !== STORED && method !== DEFLATED) throw refuse(`is compressed by method ${method}`);
  if (method === STORED && stored !== entry.size) throw refuse("has two sizes");
  const nameLength = Buffer.byteLength(name);
  if (entry.header + LOCAL_LENGTH + nameLength > end) throw refuse("lies outside the archive");
  const cursor = new Cursor(await source.read(entry.header, LOCAL_LENGTH + nameLength), source.place);
  const extraLength = readLocalHeader(cursor, entry);
  if (extraLength === undefined) throw refuse("is described in two ways");
  const offset = entry.header + LOCAL_LENGTH + nameLength + extraLength;
  if (offset + stored > end) throw refuse("lies outside the archive");
  return { name, offset, length: stored, compressed: method !== STORED };
}

/** The length of the extra field that follows; undefined where the header does not agree with the directory. */
function readLocalHeader(cursor: Cursor, entry: DirectoryEntry): number | undefined {
  const isLocal = cursor.uint32() === LOCAL;
  cursor.take(2);
  const sameKind = cursor.uint16() === entry.flags && cursor.uint16() === entry.method;
  cursor.take(4);
  const numbers = [cursor.uint32(), cursor.uint32(), cursor.uint32()];
  const nameLength = cursor.uint16();
  const extraLength = cursor.uint16();
  const expected = [entry.checksum, entry.stored, entry.size];
  const isLeftOut = (entry.flags & DESCRIBED_AFTER) !== 0 && numbers.every((number) => number === 0);
  const sameNumbers = numbers.every((number, at) =>
    at === 0 ? number === expected[at] : isSame(number, expected[at], ELSEWHERE_32),
  );
  const sameName = nameLength === Buffer.byteLength(entry.name) && cursor.text(nameLength) === entry.name;
  return isLocal && sameKind && sameName && (isLeftOut || sameNumbers) ? extraLength : undefined;
}
