/** A task for a `WorkerPool`: compiling and running a whole model takes seconds, off the thread that serves. */
import type { Device } from "../runtime/device.ts";
import { stampsOf } from "../runtime/file-stamps.ts";
import { openSession } from "../runtime/session.ts";
import { openCheckpoint } from "./checkpoint.ts";
import type { CheckpointOverrides } from "./overrides.ts";
import { type SelfTest, selfTest } from "./self-test.ts";

export interface SelfTestInput {
  readonly folder: string;
  readonly overrides?: CheckpointOverrides;
  readonly device: Device;
  readonly threads: number;
}

/** Opens the folder and tests it. Fails as `openCheckpoint` and `openSession` do. */
export async function testCheckpoint(input: SelfTestInput): Promise<SelfTest> {
  const { folder, overrides, device, threads } = input;
  const checkpoint = await openCheckpoint(folder, overrides);
  // Whoever has a folder registered may still be writing to it.
  const weights = await stampsOf(checkpoint.folder, checkpoint.files);
  return selfTest((program) => openSession(program, { device, threads, weights }), checkpoint);
}
