import { realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { type CheckpointFolder, openFolder } from "../../engine/clip/checkpoint-folder.ts";
import { openCheckpoint } from "../../engine/clip/index.ts";
import { OVERRIDES_FILE } from "../../engine/clip/overrides.ts";
import { AppError } from "../../errors.ts";
import { type HubAddress, isHubAddress, parseHubAddress } from "../hub/address.ts";
import { type DownloadProgress, downloadFiles } from "../hub/download.ts";
import { type HubListing, listRepository } from "../hub/listing.ts";
import { type HubOptions, HubRequests } from "../hub/requests.ts";
import { findReplacements, type ReplacementOptions, type Replacements, replaced } from "./replacements.ts";
import { isWeightsFile, type Selection, selectFile, selectFromFolder } from "./selection.ts";
import type { Bundle, Workplace } from "./workplace.ts";

export interface SourceOptions extends ReplacementOptions {
  /** A folder, a file of weights, or `hf:owner/name[@revision][/path]`. */
  readonly source: string;
  /** The only layout, or kind of weights, to look for. */
  readonly format?: string;
  readonly hub: HubOptions;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** What an import works with: the files, on this machine. */
export interface Gathered {
  readonly files: Bundle;
  readonly leftOut: readonly string[];
  /** What the model could be called. */
  readonly name: string;
  /** The source with all that identifies it, such as the commit. */
  readonly origin: string;
  /** Removes what was downloaded. */
  discard(): Promise<void>;
}

/** Finds what makes up the checkpoint, and downloads it if it is elsewhere. */
export async function gather(options: SourceOptions, workplace: Workplace): Promise<Gathered> {
  const instead = await findReplacements(options);
  const gathered = isHubAddress(options.source)
    ? await gatherFromHub(parseHubAddress(options.source), options, workplace, instead)
    : await gatherLocal(resolve(options.source), options, instead);
  return { ...gathered, files: new Map([...gathered.files, ...instead]) };
}

async function gatherLocal(path: string, options: SourceOptions, instead: Replacements): Promise<Gathered> {
  const status = await stat(path).catch(() => undefined);
  if (!status) throw missing(options.source);
  const local = { origin: path, discard: async () => {} };
  if (status.isDirectory())
    return {
      ...local,
      ...(await filesOfFolder(path, options, instead)),
      name: basename(await realpath(path)),
    };
  if (!isWeightsFile(path)) throw notWeights(options.source);
  const inner = basename(dirname(path)) === "onnx" ? dirname(dirname(path)) : dirname(path);
  const folder = await openFolder(inner);
  const weights = path.slice(inner.length + 1);
  const selection = selectFile(replaced(folder.files, instead), weights, options.format);
  return { ...local, files: located(folder, selection), leftOut: [], name: nameOfFile(path) };
}

async function filesOfFolder(
  path: string,
  { format }: SourceOptions,
  instead: Replacements,
): Promise<Pick<Gathered, "files" | "leftOut">> {
  const folder = await openFolder(path);
  const listing = replaced(folder.files, instead);
  if (format !== undefined || listing !== folder.files) {
    const selection = selectFromFolder(listing, format);
    return { files: located(folder, selection), leftOut: selection.leftOut };
  }
  // The engine knows best which files it reads.
  const { files } = await openCheckpoint(path);
  return {
    files: new Map(files.map((file) => [file, placeOf(folder, file)])),
    leftOut: folder.files.filter((file) => !files.includes(file)),
  };
}

const placeOf = (folder: CheckpointFolder, file: string): string => join(folder.root, folder.locate(file));

function located(folder: CheckpointFolder, { files }: Selection): Bundle {
  const there = files.filter(({ from }) => folder.has(from));
  const places = there.map(({ from, to }): [string, string] => [to, placeOf(folder, from)]);
  // What an operator has said holds for any layout, so none of them asks for it.
  if (folder.has(OVERRIDES_FILE)) places.push([OVERRIDES_FILE, placeOf(folder, OVERRIDES_FILE)]);
  return new Map(places);
}

async function gatherFromHub(
  address: HubAddress,
  options: SourceOptions,
  workplace: Workplace,
  instead: Replacements,
): Promise<Gathered> {
  const requests = new HubRequests(options.hub);
  const listing = await listRepository(requests, address);
  const { prefix, selection } = selectFromListing(listing, address, instead, options.format);
  const key = `${address.repository.replace("/", "--")}--${listing.commit.slice(0, 12)}`;
  const folder = workplace.downloads(key);
  const paths = new Set(selection.files.map(({ from }) => prefix + from));
  const files = listing.files.filter(({ path }) => paths.has(path));
  // Small files first: what is wrong with a configuration should not be found after the weights.
  files.sort((a, b) => a.bytes - b.bytes);
  await downloadFiles(requests, listing, files, folder, options.onProgress);
  const there = selection.files.filter(({ from }) => files.some(({ path }) => path === prefix + from));
  return {
    files: new Map(there.map(({ from, to }) => [to, join(folder, prefix + from)])),
    leftOut: selection.leftOut,
    name:
      address.path && !isWeightsFile(address.path) ? basename(address.path) : basename(address.repository),
    origin: `hf:${address.repository}@${listing.commit}${address.path && `/${address.path}`}`,
    discard: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The files for a path in the repository; what they are named within is `prefix`. */
function selectFromListing(
  { files }: HubListing,
  { path, repository }: HubAddress,
  instead: Replacements,
  format: string | undefined,
): { prefix: string; selection: Selection } {
  const names = files.map((file) => file.path);
  if (names.includes(path)) {
    if (!isWeightsFile(path)) throw notWeights(path);
    return { prefix: "", selection: selectFile(replaced(names, instead), path, format) };
  }
  const prefix = path && `${path}/`;
  const inside = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  if (inside.length === 0)
    throw new AppError("NOT_FOUND", `${repository} has no file or folder "${path}".`, { path });
  return { prefix, selection: selectFromFolder(replaced(inside, instead), format) };
}

const GENERIC = /^(open_clip_)?(pytorch_)?model$/;

/** A file with a name that all of them have is called like its folder. */
function nameOfFile(path: string): string {
  const stem = basename(path, extname(path));
  if (!GENERIC.test(stem)) return stem;
  const folder = dirname(path);
  return basename(basename(folder) === "onnx" ? dirname(folder) : folder);
}

const missing = (source: string): AppError =>
  new AppError(
    "NOT_FOUND",
    `There is no file or folder "${source}". To download from the hub, write hf:OWNER/NAME.`,
  );

const notWeights = (source: string): AppError =>
  new AppError(
    "BAD_USER_INPUT",
    `"${source}" is not a file of weights. Name a folder, or a .safetensors, .onnx, .pt, .pth or .bin file.`,
  );
