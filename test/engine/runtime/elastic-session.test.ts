import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { ElasticSession } from "../../../src/engine/runtime/elastic-session.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import type { SessionOptions } from "../../../src/engine/runtime/session.ts";
import { openWorkerSession } from "../../../src/engine/runtime/worker-session.ts";
import { AppError } from "../../../src/errors.ts";

const SIDE = 256;

/** "x" [1, 256, 256] to "y" = x³¹: 1 billion operations, which are worth several threads. */
function powers(): Program {
  const g = new GraphBuilder({ name: "powers" });
  const x = g.input("x", [1, SIDE, SIDE]);
  g.output(
    Array.from({ length: 30 }).reduce<typeof x>((power) => g.matmul(power, x), x),
    "y",
  );
  return { graph: g.build(), folder: "." };
}

/** `factor` times the unit matrix. */
const scaled = (factor: number) =>
  float32(
    [1, SIDE, SIDE],
    Float32Array.from({ length: SIDE * SIDE }, (_, at) => (at % (SIDE + 1) === 0 ? factor : 0)),
  );

/** An elastic session on four threads, whose opened sessions and runs are noted by their threads. */
async function watched({
  mayOpen = () => true,
  idleMilliseconds,
}: {
  mayOpen?: (options: SessionOptions) => boolean;
  idleMilliseconds?: number;
} = {}) {
  const [opened, ran]: [number[], number[]] = [[], []];
  let open = 0;
  const openWatched: typeof openWorkerSession = async (program, options) => {
    if (!mayOpen(options)) throw new AppError("INVALID_GRAPH", "There is no memory.");
    const own = await openWorkerSession(program, options);
    opened.push(options.threads);
    open++;
    return {
      run: (...call) => {
        ran.push(options.threads);
        return own.run(...call);
      },
      close: async () => {
        await own.close();
        open--;
      },
    };
  };
  const session = await ElasticSession.open(
    powers(),
    { device: "cpu", threads: 4 },
    { open: openWatched, idleMilliseconds },
  );
  const run = async (factor: number): Promise<number> =>
    (await session.run({ x: scaled(factor) })).y.data[0] as number;
  /** Runs pairs until one of them has met the sessions for shares. */
  const untilOpened = async () => {
    while (opened.length < 3) await Promise.all([run(1), run(1)]);
    ran.length = 0;
  };
  return { session, run, opened, ran, untilOpened, stillOpen: () => open };
}

describe("an elastic session", () => {
  test("gives a run that is alone all threads, and runs beside each other a share each", async () => {
    const { session, run, opened, ran, untilOpened } = await watched();
    expect([await run(1), await run(-1)]).toEqual([1, -1]);
    expect(opened).toEqual([4]);
    await untilOpened();
    expect(opened).toEqual([4, 2, 2]);
    expect(await Promise.all([run(1), run(-1), run(0)])).toEqual([1, -1, 0]);
    expect(ran).toEqual([4, 2, 2]);
    expect(await run(-1)).toBe(-1);
    expect(ran.at(-1)).toBe(4);
    await session.close();
  });

  test("goes on with one where there is no memory for more", async () => {
    const { session, run, ran, stillOpen } = await watched({ mayOpen: ({ threads }) => threads === 4 });
    for (let round = 0; round < 3; round++) expect(await Promise.all([run(1), run(-1)])).toEqual([1, -1]);
    expect(new Set(ran)).toEqual(new Set([4]));
    await session.close();
    expect(stillOpen()).toBe(0);
  });

  test("closes what it has opened, also what it is just opening", async () => {
    const { session, run, stillOpen } = await watched();
    await Promise.all([run(1), run(1)]);
    await session.close();
    expect(stillOpen()).toBe(0);
  });

  test("gives the memory of the shares back when runs have not met for a while, and opens them anew", async () => {
    const { session, run, opened, ran, untilOpened, stillOpen } = await watched({ idleMilliseconds: 200 });
    await untilOpened();
    expect(await Promise.all([run(1), run(-1)])).toEqual([1, -1]);
    for (const end = Date.now() + 5000; stillOpen() > 1 && Date.now() < end; ) {
      await run(1);
      await delay(20);
    }
    expect(stillOpen()).toBe(1);
    while (opened.length < 5) expect(await Promise.all([run(1), run(-1)])).toEqual([1, -1]);
    ran.length = 0;
    await Promise.all([run(1), run(1)]);
    expect(ran).toEqual([4, 2]);
    await session.close();
    expect(stillOpen()).toBe(0);
  });

  test("is one ordinary session where there is nothing to share", async () => {
    const session = await ElasticSession.open(powers(), { device: "cpu", threads: 1 });
    expect(session).not.toBeInstanceOf(ElasticSession);
    await session.close();
  });
});
