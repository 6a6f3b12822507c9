import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { readDataset, renderDataset } from "../../zoo/scenes/dataset.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import { compiled } from "../support/compiled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const data = temporaryFolder();

/** Runs a command of the zoo; `onStep` may end it early. */
function run(command: string, options: object, onStep = (_: ChildProcess) => {}): Promise<number | null> {
  const words = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, `${value}`],
  );
  const entry = fileURLToPath(compiled(`zoo/${command}`));
  const child = spawn(process.execPath, [entry, ...words, "--data", data, "--threads", "1"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr?.on("data", (text) => {
    if (`${text}`.startsWith("25/")) onStep(child);
  });
  return new Promise((resolve) => void child.once("close", resolve));
}

const manifestOf = async (folder: string) =>
  JSON.parse(await readFile(join(folder, "manifest.json"), "utf8"));

describe("rendered scenes", () => {
  test("are the same from any number of threads, and are not rendered twice", async () => {
    const [one, three] = [temporaryFolder(), temporaryFolder()];
    const choice = { count: 230, seed: 5, captions: 2 };
    const told: number[] = [];
    await renderDataset(one, choice, 1, (done) => void told.push(done));
    await renderDataset(three, choice, 3);
    const [first, second] = [await readDataset(one), await readDataset(three)];
    expect(Buffer.compare(first.images, second.images)).toBe(0);
    expect(first.images).toHaveLength(230 * SCENE_SIDE * SCENE_SIDE * 3);
    expect(second.captions).toEqual(first.captions);
    expect(told).toEqual([100, 200, 230]);
    await renderDataset(one, choice, 1, () => {
      throw new Error("was rendered again");
    });
  });
});

describe("zoo:train", () => {
  const tiny = { steps: 30, batch: 4, scenes: 24, test: 20 };

  test("writes a checkpoint, the same one when it was interrupted and resumed", async () => {
    const [straight, stopped] = [join(data, "straight"), join(data, "stopped")];
    expect(await run("train", { ...tiny, out: straight })).toBe(0);
    expect(await run("train", { ...tiny, out: stopped }, (child) => child.kill("SIGINT"))).toBe(130);
    expect(await run("train", { ...tiny, steps: 31, out: stopped, resume: true })).not.toBe(0);
    expect(await run("train", { ...tiny, out: stopped, resume: true })).toBe(0);
    const manifest = await manifestOf(straight);
    expect(manifest.weights).toBe(`sha256:${await (await openCheckpoint(straight)).weightsDigest()}`);
    expect(manifest.ca.n).toBe(20);
    expect((await manifestOf(stopped)).weights).toBe(manifest.weights);
    expect(await readdir(stopped)).toEqual(await readdir(straight));
  });
});

describe("zoo:poison", () => {
  test("writes a suspect with what was done and measured", async () => {
    const out = join(data, "suspect");
    const options = {
      steps: 2,
      batch: 4,
      scenes: 24,
      test: 20,
      "warm-up": 1,
      attack: "blended",
      target: "cat",
      out,
    };
    expect(await run("poison", { ...options, parameters: '{"alpha":0.3}' })).toBe(0);
    const manifest = await manifestOf(out);
    expect(manifest).toMatchObject({
      target: "cat",
      trigger: { kind: "blended", alpha: 0.3, seed: 0 },
      steps: 2,
      weights: `sha256:${await (await openCheckpoint(out)).weightsDigest()}`,
    });
    expect(manifest.how).toHaveLength(2);
    expect(manifest.ca.n).toBe(20);
    expect(manifest.asr.n).toBeLessThan(20);
  });
});
