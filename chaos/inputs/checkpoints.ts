import { type ChildProcess, fork } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../../src/config.ts";
import type { Random } from "../../src/engine/random.ts";
import { mutateBytes } from "./mutate.ts";
import type { Reading } from "./read-checkpoint.ts";

const READER = fileURLToPath(new URL("./read-checkpoint.js", import.meta.url));
const READING_LIMIT_MS = 20_000;

/** Small checkpoints, one of each way in which weights lie in files. */
const SOURCES = {
  safetensors: ["clip/vit", "clip/hugging-face-sharded"],
  ONNX: ["onnx-exports/both-17-fp16", "onnx-exports/towers-14"],
  pickle: ["pickle/openai-vit", "pickle/openai-resnet"],
};

export type CheckpointKind = keyof typeof SOURCES;

export const CHECKPOINT_KINDS = Object.keys(SOURCES) as CheckpointKind[];

/** Breaks one file of a checkpoint and has a process of its own read it. */
export class CheckpointReader {
  private child: ChildProcess | undefined;
  /** Bytes of the reading process, after its first checkpoint and after its last. */
  first: number | undefined;
  last: number | undefined;

  private constructor(private readonly folder: string) {}

  static async open(): Promise<CheckpointReader> {
    const folder = await mkdtemp(join(tmpdir(), "antidote-chaos-"));
    for (const source of Object.values(SOURCES).flat()) {
      await mkdir(join(folder, source), { recursive: true });
      await cp(join(packageRoot, "test", "fixtures", source), join(folder, source), { recursive: true });
      await rm(join(folder, source, "golden.safetensors"), { force: true });
    }
    const reader = new CheckpointReader(folder);
    await reader.readIntact();
    return reader;
  }

  /** What was wrong, if anything was. */
  async attempt(kind: CheckpointKind, random: Random): Promise<string | undefined> {
    const source = SOURCES[kind][random.below(SOURCES[kind].length)];
    const names = await readdir(join(this.folder, source), { recursive: true });
    const files = names.filter((name) => /\.(safetensors|onnx|json|pt|bin)$/.test(name)).sort();
    const weights = files.filter((name) => !name.endsWith(".json"));
    const file =
      random.below(5) === 0 ? files[random.below(files.length)] : weights[random.below(weights.length)];
    const path = join(this.folder, source, file);
    const intact = await readFile(path);
    await writeFile(path, mutateBytes(intact, random));
    try {
      const wrong = await this.read(join(this.folder, source));
      return wrong && `${source}/${file}: ${wrong}`;
    } finally {
      await writeFile(path, intact);
    }
  }

  async close(): Promise<void> {
    this.child?.kill("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  /** What cannot be read before it is broken would prove nothing. */
  private async readIntact(): Promise<void> {
    for (const source of Object.values(SOURCES).flat()) {
      const wrong = await this.read(join(this.folder, source), true);
      if (wrong !== undefined) throw new Error(`The checkpoint ${source} cannot be read: ${wrong}`);
    }
  }

  private async read(folder: string, intact = false): Promise<string | undefined> {
    this.child ??= fork(READER, {
      execArgv: ["--max-old-space-size=512"],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const { child } = this;
    const outcome = await new Promise<Reading | string>((resolve) => {
      const limit = setTimeout(resolve, READING_LIMIT_MS, "it took longer than 20 s");
      const settle = (result: Reading | string) => {
        clearTimeout(limit);
        child.removeAllListeners();
        resolve(result);
      };
      child.on("message", (reading) => settle(reading as Reading));
      child.on("exit", (code, signal) => settle(`the process ended with ${signal ?? `code ${code}`}`));
      child.send(folder);
    });
    if (typeof outcome === "string") {
      child.kill("SIGKILL");
      this.child = undefined;
      return outcome;
    }
    this.first ??= outcome.memory;
    this.last = outcome.memory;
    if (intact && outcome.code !== undefined) return outcome.code;
    return outcome.code === "INTERNAL" ? "INTERNAL" : outcome.unexpected;
  }
}
