import { interpret } from "./machine.ts";
import type { PlainValue } from "./plain-value.ts";
import { damaged, type Place, quoted, unsafe } from "./refusal.ts";
import type { Source } from "./source.ts";
import { plainTree } from "./tree.ts";
import type { Storage } from "./values.ts";
import { readZip, type ZipEntry } from "./zip.ts";

/** Bytes of `data.pkl`; a CLIP's has some hundred thousand. */
const LONGEST_PICKLE = 64 * 1024 * 1024;

/**
 * The zip format of PyTorch 1.6 and later: in one folder a pickle `data.pkl`, each storage's bytes as `data/<key>`, and
 * small files beside them. A TorchScript archive has `constants.pkl` and `code/` too; neither is opened.
 */
export async function readArchive(
  source: Source,
): Promise<{ format: "zip" | "torchscript"; root: PlainValue }> {
  const entries = await readZip(source);
  const folder = folderOf(entries, source.place);
  await checkByteOrder(source, entries.get(`${folder}/byteorder`));
  const pickle = entries.get(`${folder}/data.pkl`)!;
  const place = { ...source.place, entry: pickle.name };
  const { value, storages, end } = interpret(await readEntry(source, pickle), place);
  if (end !== pickle.length) throw unsafe(place, `${pickle.length - end} bytes follow the end of the pickle`);
  for (const storage of storages.values())
    checkStorage(storage, entries.get(entryOf(folder, storage)), place);
  const root = plainTree(value, place, (storage) => entries.get(entryOf(folder, storage))!.offset);
  return { format: entries.has(`${folder}/constants.pkl`) ? "torchscript" : "zip", root };
}

/** The one folder that all entries lie in. */
function folderOf(entries: ReadonlyMap<string, ZipEntry>, place: Place): string {
  const pickles = [...entries.keys()].filter((name) => name.split("/").at(-1) === "data.pkl");
  if (pickles.length > 1) {
    throw unsafe(place, `the archive has two pickles, ${pickles.slice(0, 2).map(quoted).join(" and ")}`);
  }
  const [folder, file, ...deeper] = pickles[0]?.split("/") ?? [];
  if (file === undefined || deeper.length > 0) {
    throw damaged(place, "the zip has no data.pkl in a folder, so it is not what torch.save writes");
  }
  for (const name of entries.keys()) {
    if (!name.startsWith(`${folder}/`))
      throw unsafe(place, `the entry ${quoted(name)} lies beside the archive`);
  }
  return folder;
}

async function checkByteOrder(source: Source, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = (await readEntry(source, entry)).toString("latin1");
  if (order !== "little") {
    throw damaged(source.place, `the tensors' byte order is ${quoted(order)}; only "little" is read`);
  }
}

const entryOf = (folder: string, { key }: Storage): string => `${folder}/data/${key}`;

function checkStorage(storage: Storage, entry: ZipEntry | undefined, place: Place): void {
  const facts = { storage: storage.key.slice(0, 200) };
  if (!entry) throw damaged(place, `the storage ${quoted(storage.key)} is not in the archive`, facts);
  if (entry.compressed) throw unsafe(place, `the storage ${quoted(storage.key)} is compressed`, facts);
  const expected = storage.elements * storage.type.width;
  if (entry.length === expected) return;
  const problem = `the storage ${quoted(storage.key)} has ${entry.length} bytes, but ${expected} are claimed`;
  throw damaged(place, problem, facts);
}

function readEntry(source: Source, entry: ZipEntry): Promise<Buffer> {
  if (entry.compressed) throw unsafe(source.place, `the entry ${quoted(entry.name)} is compressed`);
  if (entry.length <= LONGEST_PICKLE) return source.read(entry.offset, entry.length);
  throw unsafe(source.place, `the entry ${quoted(entry.name)} has ${entry.length} bytes`);
}
