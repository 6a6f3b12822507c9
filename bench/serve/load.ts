import { seededRandom } from "../../zoo/scenes/random.ts";
import { Connection, type Reply } from "./connection.ts";

/** Calls that arrive whether or not those before them were answered. */
export interface Load {
  readonly host: string;
  readonly port: number;
  readonly key: string;
  /** GraphQL requests as JSON, sent in turns; each with an image of its own. */
  readonly bodies: readonly string[];
  /** Calls a second. */
  readonly rate: number;
  /** Whether they arrive as independent callers do, with exponential gaps, or as one caller who waits in between. */
  readonly gaps: "random" | "even";
  readonly seconds: number;
  /** Calls of the first so many seconds are made and not counted. */
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly seed: number;
}

/** What became of the calls; times in milliseconds from when a call was to be sent, sorted. */
export interface Outcome {
  readonly answered: readonly number[];
  /** Refused with OVERLOADED. */
  readonly shed: readonly number[];
  readonly failed: number;
  readonly firstFailure?: string;
  /** Calls counted. */
  readonly calls: number;
  /** That were counted. */
  readonly seconds: number;
  /**
   * Answers that came within them, whenever their calls were sent: under a load that is too large, the first of them
   * answer calls that waited before.
   */
  readonly answersWithin: number;
}

interface Call {
  readonly due: number;
  readonly counted: boolean;
  readonly request: readonly Buffer[];
}

const ERRORS = Buffer.from('"errors"');
const SHED = Buffer.from('"OVERLOADED"');

/** Sends the load from this process. A call that finds no free connection waits for one, on its own clock. */
export async function sendLoad(load: Load): Promise<Outcome> {
  const requests = load.bodies.map((body) => requestOf(body, load));
  const idle = Array.from({ length: load.connections }, () => new Connection(load.host, load.port));
  const all = [...idle];
  const waiting: Call[] = [];
  const answered: number[] = [];
  const shed: number[] = [];
  const failures: string[] = [];
  let under = 0;
  let answersWithin = 0;
  let finish = () => {};
  const begin = performance.now();
  const countedFrom = begin + 1000 * load.warmUpSeconds;
  const end = countedFrom + 1000 * load.seconds;

  const note = ({ due, counted }: Call, problem: string | undefined): void => {
    const now = performance.now();
    if (problem === undefined && now >= countedFrom && now <= end) answersWithin++;
    if (!counted) return;
    if (problem === undefined) answered.push(now - due);
    else if (problem === "OVERLOADED") shed.push(now - due);
    else failures.push(problem);
  };
  const start = (call: Call, connection: Connection): void => {
    under++;
    connection
      .send(call.request)
      .then(problemOf, (error: Error) => error.message)
      .then((problem) => {
        note(call, problem);
        under--;
        const next = waiting.shift();
        if (next) start(next, connection);
        else idle.push(connection);
        finish();
      });
  };

  let calls = 0;
  const random = seededRandom(load.seed);
  let due = begin;
  for (let sent = 0; ; sent++) {
    due += (1000 / load.rate) * (load.gaps === "even" ? 1 : -Math.log(1 - random()));
    if (due > end) break;
    await until(due);
    const call = { due, counted: due >= countedFrom, request: requests[sent % requests.length] };
    if (call.counted) calls++;
    const connection = idle.pop();
    if (connection) start(call, connection);
    else waiting.push(call);
  }
  await new Promise<void>((resolve) => {
    finish = () => void (under === 0 && resolve());
    finish();
  });
  for (const connection of all) connection.close();
  const sorted = (values: number[]) => values.sort((a, b) => a - b);
  return {
    answered: sorted(answered),
    shed: sorted(shed),
    failed: failures.length,
    firstFailure: failures[0],
    calls,
    seconds: load.seconds,
    answersWithin,
  };
}

function requestOf(body: string, { host, port, key }: Load): Buffer[] {
  const bytes = Buffer.from(body);
  const header = [
    "POST /graphql HTTP/1.1",
    `host: ${host}:${port}`,
    `authorization: Bearer ${key}`,
    "content-type: application/json",
    `content-length: ${bytes.length}`,
  ].join("\r\n");
  return [Buffer.from(`${header}\r\n\r\n`), bytes];
}

function problemOf({ status, body }: Reply): string | undefined {
  if (status === 200 && !body.includes(ERRORS)) return undefined;
  return body.includes(SHED) ? "OVERLOADED" : `${status} ${body.toString("utf8", 0, 300)}`;
}

/** Timers are a millisecond coarse, which is within what is measured; a call that is late is sent at once. */
function until(due: number): Promise<void> | undefined {
  const wait = due - performance.now();
  return wait > 0 ? new Promise((resolve) => setTimeout(resolve, wait)) : undefined;
}
