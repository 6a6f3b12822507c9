/** transformers.js beside us, in a package of its own that is installed on demand. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "../../src/config.ts";

const FOLDER = join(packageRoot, "bench/peers/transformers-js");

export const PEER_MISSING =
  "transformers.js is not there, so there is no column for it. To add it: npm ci --prefix bench/peers/transformers-js (474 MB).";

export interface PeerTask {
  /** As `writeExport` makes it. */
  readonly folder: string;
  readonly labels: readonly string[];
  /** With {} for the label. */
  readonly template: string;
  /** Files. */
  readonly images: readonly string[];
  readonly threads: number;
  readonly seconds: number;
}

export interface PeerOutcome {
  readonly version: string;
  /** Of the first image, by label. */
  readonly probabilities: Readonly<Record<string, number>>;
  readonly perSecond: number;
}

export const isPeerInstalled = (): boolean =>
  existsSync(join(FOLDER, "node_modules/@huggingface/transformers"));

/** In a process of its own, on so many threads, with nothing else running. */
export async function runPeer(task: PeerTask): Promise<PeerOutcome> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(FOLDER, "peer.js"), JSON.stringify(task)],
    { maxBuffer: 2 ** 28 },
  );
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as PeerOutcome;
}
