import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { Archive } from "../../reproduce/archive.ts";
import { type Cell, digestOf, inOrder } from "../../reproduce/cell.ts";
import { standingChapters } from "../../reproduce/kept-chapters.ts";
import type { Lab } from "../../reproduce/lab.ts";
import { performCell } from "../../reproduce/perform/index.ts";
import { writeReport } from "../../reproduce/report.ts";
import { ablations } from "../../reproduce/sections/ablations.ts";
import { comparison } from "../../reproduce/sections/comparison.ts";
import { SECTIONS } from "../../reproduce/sections/index.ts";
import { Results, type Section } from "../../reproduce/sections/section.ts";
import { bundled } from "../../reproduce/suspects.ts";
import { type Measurement, PROTOCOL } from "../../src/engine/evaluation/protocol.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TINY } from "./tiny.ts";

describe("the document", () => {
  const root = temporaryFolder();
  const path = join(root, "results.md");

  test("leaves out what is not finished", async () => {
    const lab: Lab = { size: TINY, suspects: [await bundled("scenes-badnet")], adaptive: [], clean: [] };
    expect(await writeReport(lab, new Archive(root), path)).toEqual({ sections: 0, kept: 0 });
    const text = await readFile(path, "utf8");
    expect(text).toContain("Nothing is finished yet.");
    expect(text).not.toContain("undefined");
    expect(text).not.toContain("NaN");
  });

  test("has every part, and every figure is a whole picture that the text shows", async () => {
    const suspect = await bundled("scenes-badnet");
    const knowing = { ...suspect, adaptive: "knows the defence" };
    const lab: Lab = { size: TINY, suspects: [suspect], adaptive: [knowing], clean: [] };
    const archive = new Archive(root);
    const performed = SECTIONS.filter((section) => section !== ablations && section !== comparison);
    const surroundings = { scenes: root, atOnce: 1, threads: 1, report: () => {} };
    for (const cell of inOrder(performed.flatMap((section) => section.cells(lab))))
      await performCell(cell, archive, surroundings);
    expect(await writeReport(lab, archive, path)).toEqual({ sections: performed.length, kept: 0 });
    const text = await readFile(path, "utf8");
    expect(text).not.toMatch(/undefined\b(?! )|NaN|\[object/);
    const figures = await readdir(join(root, "results"));
    const shown = [...text.matchAll(/!\[[^\]]+\]\(results\/([^)]+)\)/g)].map(([, name]) => name);
    expect(shown.toSorted()).toEqual(figures.toSorted());
    for (const name of figures) await expectPicture(await readFile(join(root, "results", name), "utf8"));
    for (const line of text.split("\n").filter((one) => one.startsWith("|")))
      expect(line.split("|")).toHaveLength(line.trim().split("|").length);

    // Somewhere else, where nothing is computed yet, they stay.
    const chapters = await standingChapters(path);
    expect(chapters.size).toBe(performed.length);
    const elsewhere = new Archive(temporaryFolder());
    expect(await writeReport(lab, elsewhere, path)).toEqual({
      sections: performed.length,
      kept: performed.length,
    });
    expect(await standingChapters(path)).toEqual(chapters);
    expect(await readFile(path, "utf8")).toContain("Computed elsewhere.");
    expect((await readdir(join(root, "results"))).toSorted()).toEqual(figures.toSorted());
    // Those of another size do not: their numbers do not go together.
    const larger: Lab = { ...lab, size: { ...TINY, name: "full" } };
    expect(await writeReport(larger, elsewhere, path)).toEqual({ sections: 0, kept: 0 });
    expect(await readdir(join(root, "results"))).toEqual([]);
  }, 600_000);

  /** Finished as cells are, with numbers that stand for others. */
  async function madeUp(lab: Lab, section: Section) {
    const archive = new Archive(temporaryFolder());
    const cells = inOrder(section.cells(lab));
    const measurement = { protocol: PROTOCOL, ca: { k: 39, n: 40 }, asr: { k: 1, n: 38 }, perClass: [] };
    for (const cell of cells) {
      const result = cell.kind === "measure" ? measurement : { seconds: 7, makes: "prompts" };
      await archive.finish(cell as Cell<"measure">, result as Measurement, {
        engine: "none",
        machine: "none",
        seconds: 0,
        finished: "2026-01-01",
      });
    }
    return (await section.write(lab, await Results.read(archive, cells)))!;
  }

  test("shows ablations as tables, and numbers along a curve", async () => {
    const size = { ...TINY, ablations: { shots: [1, 2], lengths: [2, 4] } };
    const lab: Lab = { size, suspects: [await bundled("scenes-badnet")], adaptive: [], clean: [] };
    // One shot, and the default of two; two lengths, one of them the default; three positions; three positives; four
    // margins and four weights for recovery, of which one is the default; four of the own label without recovery.
    expect(new Set(ablations.cells(lab).map(digestOf)).size).toBe(2 * (2 + 1 + 2) + 2 + 3 + 3 + 3);
    const { text, figures = {} } = await madeUp(lab, ablations);
    expect(text.match(/97\.50 % \(39\/40;/g)).toHaveLength(2 * (2 + 2 + 3) + 3 + 4 + 4 + 4);
    expect(Object.keys(figures)).toEqual([
      "shots.svg",
      "length.svg",
      "margin.svg",
      "recovery-weight.svg",
      "true-label.svg",
    ]);
    for (const svg of Object.values(figures)) await expectPicture(svg);
  });

  test("compares defences, at every learning rate those that change weights", async () => {
    const size = { ...TINY, comparison: { suspects: 1, learningRates: [1e-5, 1e-4] } };
    const lab: Lab = { size, suspects: [await bundled("scenes-badnet")], adaptive: [], clean: [] };
    const { text, figures = {} } = await madeUp(lab, comparison);
    expect(text.match(/2\.63 % \(1\/38;/g)).toHaveLength(4 + 3 * 2);
    expect(text).toMatch(/\| PAR +\| +1e−5 \|/);
    await expectPicture(figures["comparison-1.svg"]);
  });
});

/** Reads it as strictly as XML is read; what is not a number is written as a word. */
async function expectPicture(svg: string): Promise<void> {
  expect((await sharp(Buffer.from(svg)).metadata()).format).toBe("svg");
  const drawn = svg.replaceAll(/base64,[^"]*/g, "");
  expect(drawn.match(/NaN|undefined|Infinity/)).toBeNull();
}
