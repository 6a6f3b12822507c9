import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { Archive } from "../../reproduce/archive.ts";
import { type Cell, digestOf, inOrder } from "../../reproduce/cell.ts";
import { measureCell, shotsCell } from "../../reproduce/cells.ts";
import { engineDigest } from "../../reproduce/engine-digest.ts";
import { readScenes, SCENE_VALUES } from "../../reproduce/images.ts";
import type { Lab } from "../../reproduce/lab.ts";
import { missingCells } from "../../reproduce/missing.ts";
import { writeReport } from "../../reproduce/report.ts";
import { runCells, type Watcher } from "../../reproduce/run.ts";
import { attacks } from "../../reproduce/sections/attacks.ts";
import { audits } from "../../reproduce/sections/audits.ts";
import { bundled, type Suspect } from "../../reproduce/suspects.ts";
import { decodeImage } from "../../src/engine/clip/decoding.ts";
import { isEffective } from "../../src/engine/evaluation/protocol.ts";
import { planesOf } from "../../zoo/scenes/dataset.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TINY } from "./tiny.ts";

let suspect: Suspect;
let lab: Lab;
let cells: Cell[];

beforeAll(async () => {
  suspect = await bundled("scenes-badnet");
  lab = { size: TINY, suspects: [suspect], adaptive: [], clean: [] };
  cells = inOrder(attacks.cells(lab));
});

/** Runs them in this archive; `onEnd` is told how many ended, and may stop it. */
async function run(
  root: string,
  these = cells,
  { atOnce = 1, again = false, onEnd = (_ended: number, _stop: AbortController) => {} } = {},
) {
  const stop = new AbortController();
  const started: string[] = [];
  const failures: string[] = [];
  let ended = 0;
  const watcher: Watcher = {
    start: (missing) => void started.push(...missing.map(({ kind, name }) => `${kind} ${name}`)),
    share: () => {},
    end: (cell, reason) => {
      if (reason) failures.push(`${cell.kind}: ${reason}`);
      onEnd(++ended, stop);
    },
  };
  const options = {
    archive: new Archive(root),
    scenes: root,
    atOnce,
    threads: 1,
    signal: stop.signal,
    watcher,
  };
  await runCells(await missingCells(options.archive, these, again), options);
  return { started, failures };
}

describe("a reproduction", () => {
  const root = temporaryFolder();

  test("goes on where it was stopped, and writes what it found", async () => {
    const onEnd = (ended: number, stop: AbortController): void => {
      if (ended === 4) stop.abort(new Error("stopped"));
    };
    await expect(run(root, cells, { atOnce: 2, onEnd })).rejects.toThrow("stopped");
    const finished = (await readdir(join(root, "cells"))).length;
    expect(finished).toBeGreaterThanOrEqual(4);
    const { started, failures } = await run(root, cells, { atOnce: 3 });
    expect(failures).toEqual([]);
    expect(started).toHaveLength(cells.length - finished);
    expect((await run(root)).started).toEqual([]);

    const path = join(root, "results.md");
    expect(await writeReport(lab, new Archive(root), path, [attacks, audits])).toEqual({
      sections: 2,
      kept: 0,
    });
    const text = await readFile(path, "utf8");
    const archive = new Archive(root);
    const { asr } = await archive.result(measureCell(lab, suspect, { defence: "none" }));
    expect(isEffective("badnet", asr!)).toBe(true);
    expect(text).toContain(`(${asr!.k}/${asr!.n};`);
    expect(asr!.n).toBe(TINY.test.perClass * (OBJECTS.length - 1));
    expect(text).toContain("antidote-evaluation-2");
    expect(text).toContain("(results/attacks.svg)");
    expect(await readdir(join(root, "results"))).toEqual(["attacks.svg"]);
  });

  test("defends with the scenes that the zoo bundles as shots", async () => {
    const scenes = await readScenes(new Archive(root), shotsCell(lab));
    const file = await readFile(join(__dirname, "../../zoo/shots", OBJECTS[0], "01.png"));
    const { data } = await decodeImage(file);
    const bundledShot = planesOf({ images: Uint8Array.from(data) }, 0);
    expect(Buffer.compare(scenes.bytes.subarray(SCENE_VALUES, 2 * SCENE_VALUES), bundledShot)).toBe(0);
  });

  test("makes anew what another engine made and what rests on it, and loses nothing of it when stopped before", async () => {
    expect((await run(root, cells, { again: true })).started).toEqual([]);
    const encoded = cells.find(({ kind }) => kind === "encode")!;
    const archive = new Archive(root);
    const made = (await archive.find(encoded))!;
    await archive.finish(encoded, made.result, { ...made, engine: "another" });
    const rests = (cell: Cell): boolean =>
      digestOf(cell) === digestOf(encoded) || Object.values(cell.needs).some(rests);
    const stale = cells.filter(rests);
    expect((await missingCells(archive, cells, true)).map(digestOf)).toEqual(stale.map(digestOf));
    expect(stale.length).toBeGreaterThan(1);
    const stopAtOnce = (_: number, stop: AbortController): void => stop.abort(new Error("stopped"));
    await expect(run(root, cells, { again: true, onEnd: stopAtOnce })).rejects.toThrow("stopped");
    // What was not begun is still there, and is older now than what it was made from.
    const kept = await Promise.all(stale.map((cell) => archive.find(cell)));
    expect(kept.filter((entry) => entry === undefined).length).toBeLessThan(2);
    expect((await archive.find(encoded))!.engine).toBe(await engineDigest("encode"));
    expect((await run(root)).started.length).toBeGreaterThan(0);
    expect((await run(root, cells, { again: true })).started).toEqual([]);
  });

  test("refuses to test on shots, tries a failed cell again, and spares those that do not need it", async () => {
    const measured = measureCell(lab, suspect, { defence: "none" });
    const same = { ...measured, needs: { ...measured.needs, test: shotsCell(lab), shots: shotsCell(lab) } };
    const { failures } = await run(root, inOrder([same]));
    expect(failures).toEqual([expect.stringMatching(/40 of 40 test images are among the shots/)]);
    expect((await run(root, inOrder([same]))).started).toHaveLength(1);

    const lost = { ...suspect, model: { weights: "0", folder: join(root, "nowhere") } };
    const { failures: more } = await run(
      root,
      inOrder([measureCell(lab, lost, { defence: "none" }), measureCell(lab, suspect, { defence: "ft" })]),
    );
    expect(more.map((failure) => failure.split(":")[0])).toEqual(["defend", "encode", "measure"]);
    await rm(join(root, "cells"), { recursive: true });
  });
});
