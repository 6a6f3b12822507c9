import type { CheckpointOverrides } from "../engine/clip/overrides.ts";
import type { SelfTest } from "../engine/clip/self-test.ts";
import type { Device } from "../engine/runtime/device.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import { WorkerPool } from "../engine/runtime/worker-pool.ts";

type SelfTestTasks = typeof import("../engine/clip/self-test-tasks.ts");

/** A self-test with where and when it was made. */
export interface RecordedSelfTest extends SelfTest {
  readonly device: Device;
  readonly at: string;
}

/** Tests the checkpoint in a folder. Fails as opening and compiling it do, not where checks fail. */
export type SelfTester = (folder: string, overrides?: CheckpointOverrides) => Promise<RecordedSelfTest>;

/** Tests in a worker thread that ends afterwards. */
export function selfTester(options: { readonly device: Device; readonly threads: number }): SelfTester {
  return async (folder, overrides) => {
    const module = entryPoint(import.meta.url, "../engine/clip/self-test-tasks");
    const pool = new WorkerPool<SelfTestTasks>(module, { size: 1, capacity: 1 });
    try {
      const result = await pool.run("testCheckpoint", { folder, overrides, ...options });
      return { ...result, device: options.device, at: new Date().toISOString() };
    } finally {
      await pool.close();
    }
  };
}
