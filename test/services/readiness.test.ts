import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { AppError, type ErrorCode } from "../../src/errors.ts";
import { Readiness } from "../../src/services/readiness.ts";
import type { ModelRecord } from "../../src/services/registry.ts";
import type { ServedModel } from "../../src/services/serving.ts";

interface Fake {
  readonly name: string;
  readonly trust?: "QUARANTINED";
  /** Whether it is in memory already. */
  loaded?: boolean;
  /** How it fails to be opened; it never answers when this is "hangs". */
  opening?: ErrorCode | "hangs";
  /** How it fails to answer. */
  answering?: ErrorCode;
  readonly waitingImages?: number;
}

let models: Fake[];
/** What was asked to be opened, and to answer. */
let asked: string[];
let now = 0;

const never = new Promise<never>(() => {});
const fail = (code: ErrorCode) => Promise.reject(new AppError(code, `It fails with ${code}.`));

function served({ name, answering, waitingImages = 0 }: Fake): ServedModel {
  const encode = async () => {
    asked.push(`${name} answers`);
    if (answering) await fail(answering);
  };
  return { waitingImages, encode } as unknown as ServedModel;
}

const fakeOf = ({ name }: ModelRecord): Fake => models.find((one) => one.name === name)!;

function readiness(): Readiness {
  const serving = {
    loaded: (record: ModelRecord) => (fakeOf(record).loaded ? served(fakeOf(record)) : undefined),
    model: async (record: ModelRecord) => {
      const fake = fakeOf(record);
      asked.push(`${fake.name} opens`);
      if (fake.opening === "hangs") return never;
      if (fake.opening) await fail(fake.opening);
      return served(fake);
    },
  };
  const list = async () => models as unknown as ModelRecord[];
  return new Readiness({ list }, serving, { check: async () => {} }, { warn: () => {} }, 50);
}

/** Past the time for which an answer is kept. */
const later = (): void => {
  now += 11_000;
};

beforeEach(() => {
  [models, asked] = [[], []];
  jest.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe("one model that is broken or slow takes no server out of service", () => {
  test("with a loaded model, no other is looked at", async () => {
    models = [
      { name: "a", opening: "INVALID_CHECKPOINT" },
      { name: "b", opening: "hangs" },
      { name: "c", loaded: true },
    ];
    expect(await readiness().assert()).toEqual({});
    expect(asked).toEqual(["c answers"]);
  });

  test("a loaded model that fails leaves it to the others, and the idlest is asked first", async () => {
    models = [
      { name: "busy", loaded: true, waitingImages: 90 },
      { name: "broken", loaded: true, answering: "INTERNAL" },
      { name: "idle", loaded: true, waitingImages: 1 },
    ];
    expect(await readiness().assert()).toEqual({});
    expect(asked).toEqual(["broken answers", "idle answers"]);
  });

  test("when all that are loaded fail, the server is not ready", async () => {
    models = [{ name: "a", loaded: true, answering: "GPU_UNAVAILABLE" }, { name: "b" }];
    await expect(readiness().assert()).rejects.toMatchObject({ code: "GPU_UNAVAILABLE" });
  });

  test.each(["INVALID_CHECKPOINT", "OVERLOADED"] as const)(
    "at the start, one that fails with %s is passed over",
    async (opening) => {
      models = [{ name: "a", opening }, { name: "b" }];
      expect(await readiness().assert()).toEqual({});
      expect(asked).toEqual(["a opens", "b opens", "b answers"]);
    },
  );

  test("at the start, one that takes long is not waited for when another answers", async () => {
    models = [{ name: "a", opening: "hangs" }, { name: "b" }];
    expect(await readiness().assert()).toEqual({});
    models = [{ name: "a", opening: "hangs" }];
    await expect(readiness().assert()).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  test("when no model can be had for its own sake, the server is ready and says so", async () => {
    const own = [
      "INVALID_CHECKPOINT",
      "INCOMPATIBLE_MODEL",
      "UNSUPPORTED_ARCHITECTURE",
      "NOT_FOUND",
    ] as const;
    models = own.map((opening) => ({ name: opening, opening }));
    const ready = readiness();
    const told = { detail: expect.stringContaining("None of the models") };
    expect(await ready.assert()).toEqual(told);
    later();
    expect(await ready.assert()).toEqual(told);
    models[0]!.loaded = true;
    later();
    expect(await ready.assert()).toEqual({});
  });

  test("when one fails for another reason and none answers, the server is not ready", async () => {
    models = [
      { name: "a", opening: "INVALID_CHECKPOINT" },
      { name: "b", opening: "GPU_UNAVAILABLE" },
    ];
    await expect(readiness().assert()).rejects.toMatchObject({ code: "GPU_UNAVAILABLE" });
  });

  test("once the server has been ready, it never waits for a model to be loaded", async () => {
    const ready = readiness();
    expect(await ready.assert()).toEqual({});
    models = [{ name: "a", opening: "hangs" }];
    later();
    expect(await ready.assert()).toEqual({});
    expect(asked).toEqual([]);
  });
});

test("quarantined models are not opened", async () => {
  models = [{ name: "a", trust: "QUARANTINED", loaded: true }];
  expect(await readiness().assert()).toEqual({});
  expect(asked).toEqual([]);
});
