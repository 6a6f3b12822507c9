import { type Interpreted, interpret } from "./machine.ts";
import type { PlainValue } from "./plain-value.ts";
import { damaged, type Place, quoted, unsafe } from "./refusal.ts";
import type { Source } from "./source.ts";
import { plainTree } from "./tree.ts";
import { Mapping, Sequence, type Storage, type Value } from "./values.ts";

/** Bytes before the storages: a CLIP has some hundred thousand. */
const LONGEST_HEAD = 64 * 1024 * 1024;
const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
const COUNT_BYTES = 8;

/**
 * The format before PyTorch 1.6, one after the other: a pickled magic number, the protocol's version, facts about the
 * system, the object, the list of its storages' keys; then for each key eight bytes of element count and its elements.
 */
export async function readLegacy(source: Source): Promise<PlainValue> {
  const { place } = source;
  const bytes = await source.read(0, Math.min(source.size, LONGEST_HEAD));
  const magic = interpret(bytes, place);
  if (magic.value !== MAGIC) throw damaged(place, "the file is a pickle, but not one of torch.save");
  const version = interpret(bytes, place, magic.end);
  if (version.value !== PROTOCOL) throw damaged(place, "the file is of an unknown version of torch.save");
  const system = interpret(bytes, place, version.end);
  checkSystem(system.value, place);
  const object = interpret(bytes, place, system.end);
  const keys = interpret(bytes, place, object.end);
  const offsets = await locateStorages(source, object, keys);
  return plainTree(object.value, place, (storage) => offsets.get(storage.key)!);
}

function checkSystem(value: Value, place: Place): void {
  if (value instanceof Mapping && value.entries.get("little_endian") === true) return;
  throw damaged(place, "the tensors are not said to be little-endian, the only byte order that is read");
}

/** The offset of each storage's first byte. */
async function locateStorages(
  source: Source,
  object: Interpreted,
  keys: Interpreted,
): Promise<ReadonlyMap<string, number>> {
  const { place } = source;
  const offsets = new Map<string, number>();
  let position = keys.end;
  for (const key of keyList(keys.value, place)) {
    const storage = object.storages.get(key);
    if (!storage || offsets.has(key)) {
      throw damaged(place, `the list of storages has ${quoted(key)}, which no tensor has, or twice`);
    }
    await checkCount(source, position, storage);
    offsets.set(key, position + COUNT_BYTES);
    position += COUNT_BYTES + storage.elements * storage.type.width;
  }
  const missing = [...object.storages.keys()].find((key) => !offsets.has(key));
  if (missing !== undefined) throw damaged(place, `the storage ${quoted(missing)} is not in the file`);
  if (position > source.size) throw damaged(place, `the file ends before byte ${position}; it is truncated`);
  if (position < source.size) throw unsafe(place, `${source.size - position} bytes follow the last storage`);
  return offsets;
}

function keyList(value: Value, place: Place): string[] {
  if (value instanceof Sequence && value.items.every((key) => typeof key === "string")) {
    return value.items as string[];
  }
  throw damaged(place, "the list of storages is no list of texts");
}

async function checkCount(source: Source, position: number, { key, elements }: Storage): Promise<void> {
  const count = (await source.read(position, COUNT_BYTES)).readBigInt64LE();
  if (count === BigInt(elements)) return;
  const problem = `the storage ${quoted(key)} has ${count} elements, but ${elements} are claimed`;
  throw damaged(source.place, problem, { storage: key.slice(0, 200) });
}
