import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import type { FitProblem, FitState, Fitting } from "../../../src/engine/attacks/fit.ts";
import { runFit } from "../../../src/engine/attacks/fit.ts";
import {
  encodeFitted,
  type FittedTrigger,
  fittedTensor,
  readFitted,
} from "../../../src/engine/attacks/fitted.ts";
import { type AttackKind, attackNamed, attacks } from "../../../src/engine/attacks/index.ts";
import { sideFor } from "../../../src/engine/attacks/patch-fit.ts";
import { openTrigger } from "../../../src/engine/attacks/trigger.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { completeParameters, defaultsOf } from "../../../src/engine/parameters.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { scenesProblem } from "./scenes.ts";

/** A fit that is small enough for a test, for every attack that has one. */
const SMALL: Readonly<Partial<Record<AttackKind, object>>> = {
  badclip: { steps: 4, batch: 4, images: 6, rate: 0.05 },
  trojvqa: { steps: 4, batch: 4, images: 6, rate: 0.05 },
  ssba: { steps: 4, pairs: 2 },
};

const FITTED = Object.entries(attacks).filter(([, { fit }]) => fit !== undefined) as [AttackKind, object][];

test("a patch has 16 of 224 pixels, and of small images a larger share, up to an eighth of the side", () => {
  expect([336, 224, 64, 32].map(sideFor)).toEqual([24, 16, 8, 4]);
});

const digestOf = (kind: string, fitted: FittedTrigger) =>
  createHash("sha256").update(encodeFitted(kind, fitted)).digest("hex");

let problem: FitProblem;
beforeAll(async () => {
  problem = await scenesProblem();
});

describe.each(FITTED)("the fit of %s", (kind) => {
  const { fit, defaults } = attackNamed(kind);
  const open = (more: object = {}): Promise<Fitting> =>
    fit!.open(
      problem,
      {
        fit: completeParameters(kind, fit!.defaults, { ...SMALL[kind], ...more }),
        trigger: defaultsOf(defaults),
      },
      { device: "cpu", threads: 1 },
    );

  test("ends in the same bytes when it was killed and resumed, and in others with another seed", async () => {
    const fitting = await open();
    const states: FitState[] = [fitting.init()];
    while (states.at(-1)!.step < fitting.steps) states.push(await fitting.step(states.at(-1)!));
    const whole = digestOf(kind, fitting.finish(states.at(-1)!));
    let state = decodeState<FitState>(encodeState(states[2]));
    while (state.step < fitting.steps) state = await fitting.step(state);
    expect(digestOf(kind, fitting.finish(state))).toBe(whole);
    expect(state.losses.length).toBeGreaterThan(0);
    await fitting.close();

    const again = await open();
    expect(digestOf(kind, await runFit(again))).toBe(whole);
    await again.close();
    const other = await open({ seed: 2 });
    expect(digestOf(kind, await runFit(other))).not.toBe(whole);
    await other.close();
  });

  test("gives a trigger that can be saved, read and stamped", async () => {
    const fitting = await open({ steps: 1 });
    const fitted = await runFit(fitting);
    await fitting.close();
    const path = join(temporaryFolder(), "trigger.safetensors");
    writeFileSync(path, encodeFitted(kind, fitted));
    const read = await openTrigger({ kind, fitted: path });
    const image = { width: 64, height: 64, data: new Float32Array(3 * 64 * 64).fill(0.5) };
    expect(read.stamp(image).data).toEqual(attackNamed(kind).apply(image, { fitted }).data);
    await expect(openTrigger({ kind })).rejects.toMatchObject({ code: "TRIGGER_NOT_FITTED" });
  });
});

describe("a fitted trigger", () => {
  const write = (name: string, bytes: Uint8Array): string => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, bytes);
    return path;
  };
  const patch: FittedTrigger = { patch: { shape: [3, 2, 2], data: new Float32Array(12) } };

  test("of another attack is refused", async () => {
    const path = write("trigger.safetensors", encodeFitted("another", patch));
    await expect(readFitted("badclip", path)).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining('of the attack "another"'),
    });
  });

  test("that is no safetensors file is refused", async () => {
    const path = write("trigger.safetensors", new Uint8Array(40));
    await expect(readFitted("badclip", path)).rejects.toMatchObject({ code: "INVALID_CHECKPOINT" });
  });

  test("whose tensors are missing or of another shape is refused", () => {
    expect(fittedTensor(patch, "patch", [3, 0, 0]).data).toHaveLength(12);
    expect(() => fittedTensor(patch, "patch", [1, 0, 0])).toThrow(
      "shape [1, any, any]; this one has [3,2,2]",
    );
    expect(() => fittedTensor(patch, "toString", [3])).toThrow("this one has none");
  });
});
