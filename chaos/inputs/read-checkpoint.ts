/** A process that reads checkpoints for its parent: each message is a folder, each answer what came of it. */
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { AppError } from "../../src/errors.ts";

process.on("message", (folder: string) => {
  void read(folder).then((answer) => process.send?.(answer));
});

export interface Reading {
  /** Of the AppError; undefined where the checkpoint could be read. */
  readonly code?: string;
  /** Of any other error. */
  readonly unexpected?: string;
  /** Bytes. */
  readonly memory: number;
}

async function read(folder: string): Promise<Reading> {
  try {
    const checkpoint = await openCheckpoint(folder);
    checkpoint.tokenizer.encode("a photo of a cat.");
    return { memory: process.memoryUsage.rss() };
  } catch (error) {
    const memory = process.memoryUsage.rss();
    return error instanceof AppError
      ? { code: error.code, memory }
      : { unexpected: error instanceof Error ? (error.stack ?? error.message) : String(error), memory };
  }
}
