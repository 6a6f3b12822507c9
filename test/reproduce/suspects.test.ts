import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Archive } from "../../reproduce/archive.ts";
import { inOrder } from "../../reproduce/cell.ts";
import { defendCell, hasWord, measureCell } from "../../reproduce/cells.ts";
import { openLab } from "../../reproduce/lab.ts";
import { readOptions } from "../../reproduce/options.ts";
import { performCell } from "../../reproduce/perform/index.ts";
import { adaptive } from "../../reproduce/sections/adaptive.ts";
import { Results } from "../../reproduce/sections/section.ts";
import { FULL } from "../../reproduce/size.ts";
import { bundled, implanted, suspectsIn } from "../../reproduce/suspects.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { TINY } from "./tiny.ts";

const ZOO = join(__dirname, "../../zoo/models");

/** A copy of a bundled model with another manifest. */
async function madeElsewhere(manifest: object): Promise<string> {
  const root = temporaryFolder();
  await cp(join(ZOO, "scenes-badnet"), join(root, "mine"), { recursive: true });
  await writeFile(join(root, "mine", "manifest.json"), JSON.stringify(manifest));
  return root;
}

describe("suspects", () => {
  test("made elsewhere are told by their manifest, clean ones and adaptive ones apart", async () => {
    const trigger = { kind: "badnet", size: 5 };
    const root = await madeElsewhere({ target: "banana", trigger, adaptive: "knows the search" });
    const lab = await openLab(TINY, { folders: [root, ZOO], implants: false });
    expect(lab.suspects.map(({ name }) => name)).toEqual(["scenes-badnet", "scenes-badnet"]);
    expect(lab.adaptive.map(({ name, attack }) => [name, attack])).toEqual([["mine", "BadNet"]]);
    expect(lab.clean.map(({ name }) => name)).toEqual(["scenes-clean", "scenes-clean"]);
    // What a defence is given is the same for two models with the same weights, whatever their secrets are.
    const [other] = lab.adaptive;
    const given = [lab.suspects[0], other].map(
      (suspect) => defendCell(lab, suspect, { defence: "coop" }).input,
    );
    expect(given[0]).toEqual(given[1]);
    expect(JSON.stringify(given)).not.toMatch(/banana|badnet/);
  });

  test("with a manifest that cannot be measured by are refused", async () => {
    await expect(suspectsIn(temporaryFolder())).rejects.toThrow(/no checkpoint with a manifest.json/);
    const trigger = { kind: "badnet" };
    await expect(suspectsIn(await madeElsewhere({ target: "zebra", trigger }))).rejects.toThrow(/target/);
    const unknown = await madeElsewhere({ target: "cat", trigger: { kind: "voodoo" } });
    await expect(suspectsIn(unknown)).rejects.toThrow(/no attack "voodoo"/);
    const unfitted = await madeElsewhere({ target: "cat", trigger: { kind: "badclip" } });
    await expect(suspectsIn(unfitted)).rejects.toThrow(/trigger.safetensors is missing/);
  });

  test("of the full run are every attack, other targets and seeds, and attackers who know the defence", async () => {
    const lab = await openLab(FULL, { folders: [], implants: true });
    const kinds = new Set(lab.suspects.map(({ secret }) => secret?.trigger.kind));
    expect([...kinds].sort()).toEqual(["badclip", "badnet", "blended", "sig", "ssba", "trojvqa", "wanet"]);
    expect(new Set(lab.suspects.map(({ secret }) => secret?.target)).size).toBe(3);
    expect(lab.adaptive).toHaveLength(11);
    const names = [...lab.suspects, ...lab.adaptive, ...lab.clean].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const worded = lab.suspects.filter(hasWord);
    expect(worded.map(({ attack }) => attack)).toEqual(["TrojVQA"]);
    const [before, after] = (["none", "cbpt-universal"] as const).map((defence) =>
      measureCell(lab, worded[0], { defence }),
    );
    expect([before.input.worded?.kind, after.input.worded]).toEqual(["trojvqa", undefined]);
    expect(before.needs.model).toBe(after.needs.encoded.needs.model);
  });

  test("of the full run that are clean are the bundled one and two that were trained as the others, unpoisoned", async () => {
    const { clean } = await openLab(FULL, { folders: [], implants: true });
    expect(clean.map(({ secret }) => secret)).toEqual([undefined, undefined, undefined]);
    const trained = clean.flatMap(({ model }) => ("cell" in model ? [model.cell] : []));
    expect(trained).toMatchObject([2, 3].map((seed) => ({ input: { config: { poisoned: 0, seed } } })));
  });

  test("with two targets are one model, purified once and measured with each trigger", async () => {
    const clean = await bundled("scenes-clean");
    const secrets = [
      { target: "banana", trigger: { kind: "badnet" } },
      { target: "cat", trigger: { kind: "blended", pattern: "noise" } },
    ] as const;
    const planted = implanted(clean, { secrets, seed: 1, adaptive: "two targets" }, TINY.implants);
    const lab = { size: TINY, suspects: [], adaptive: planted, clean: [] };
    const archive = new Archive(temporaryFolder());
    const cells = inOrder(adaptive.cells(lab));
    expect(cells.filter(({ kind }) => kind === "implant")).toHaveLength(1);
    expect(cells.filter(({ kind }) => kind === "encode")).toHaveLength(2);
    for (const cell of cells)
      await performCell(cell, archive, { scenes: archive.root, atOnce: 1, threads: 1, report: () => {} });
    const { text } = (await adaptive.write(lab, await Results.read(archive, cells)))!;
    expect(text).toContain("| two targets ");
    expect(text).toContain("BadNet → banana");
    expect(text).toContain("Blended (noise) → cat");
    expect(text).toContain("does not count");
  }, 600_000);
});

describe("the command line", () => {
  test("is checked, and says what is right", () => {
    expect(readOptions(["--help"])).toBeUndefined();
    expect(readOptions(["--quick", "--suspects", "a", "--suspects", "b", "--only", "shots"])).toMatchObject({
      quick: true,
      implants: true,
      only: /shots/i,
      suspects: [expect.stringMatching(/\/a$/), expect.stringMatching(/\/b$/)],
    });
    expect(() => readOptions(["--threads", "0"])).toThrow(/whole number/);
    expect(() => readOptions(["--only", "("])).toThrow(/regular expression/);
    expect(() => readOptions(["--fast"])).toThrow(/--help/);
  });
});
