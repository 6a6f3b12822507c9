/**
 * What a dry run predicts beside what then happens: seconds of each phase and the peak memory of the job's process.
 *
 *     npm run build && node dist/bench/plan.js [--model zoo/models/scenes-badnet] [--shots zoo/shots]
 *       [--per-class 16] [--config '{"epochs": 10}'] [--mode UNIVERSAL] [--threads 2] [--plan-only] [--json]
 *
 * With --classes 1000 it plans, and only plans, for that many classes: the given ones again and again under other
 * names. ImageNet's size on RN50, whose checkpoint npm run parity -- --models rn50 --keep leaves:
 *
 *     node dist/bench/plan.js --model data/parity/parity-rn50 --classes 1000
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_TEMPLATES } from "../src/engine/clip/zero-shot.ts";
import { entryPoint } from "../src/engine/runtime/entry-point.ts";
import type { JobReport } from "../src/jobs/job.ts";
import { DEFAULT_NICENESS } from "../src/jobs/messages.ts";
import { JobProcess } from "../src/jobs/process.ts";
import { type Estimate, Estimates } from "../src/services/estimates.ts";
import { listImages } from "./suspect.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "zoo/models/scenes-badnet" },
    shots: { type: "string", default: "zoo/shots" },
    "per-class": { type: "string", default: "16" },
    config: { type: "string", default: "{}" },
    mode: { type: "string", default: "UNIVERSAL" },
    threads: { type: "string", default: "2" },
    classes: { type: "string" },
    "plan-only": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const MEGABYTE = 2 ** 20;

interface Actual {
  readonly seconds: ReadonlyMap<string, number>;
  readonly peakMemoryBytes: number;
}

const threads = Number(values.threads);
const { labels, images } = await chooseImages(Number(values["per-class"]));
const spec = {
  modelFolder: values.model,
  labels,
  templates: [...DEFAULT_TEMPLATES],
  shots: images,
  config: JSON.parse(values.config),
  mode: values.mode as "UNIVERSAL" | "PUBLISHED",
};
const estimates = new Estimates({ device: "cpu", threads, onOutput: (line) => console.error(line) });
const estimate = await estimates.of("purify", spec, values.model);
const actual = values["plan-only"] || values.classes ? undefined : await perform();
if (values.json)
  console.log(JSON.stringify({ estimate, actual: actual && { ...actual, seconds: [...actual.seconds] } }));
else show(estimate, actual);

async function chooseImages(perClass: number) {
  const listed = await listImages(values.shots, perClass);
  const wanted = Number(values.classes ?? listed.labels.length);
  if (wanted === listed.labels.length) return listed;
  const rounds = Array.from({ length: Math.ceil(wanted / listed.labels.length) }, (_, round) => round);
  const offset = (round: number, label: number) => round * listed.labels.length + label;
  return {
    labels: rounds.flatMap((round) => listed.labels.map((label) => `${label} ${round}`)).slice(0, wanted),
    images: rounds.flatMap((round) =>
      listed.images
        .map(({ blob, label }) => ({ blob, label: offset(round, label) }))
        .filter(({ label }) => label < wanted),
    ),
  };
}

/** Runs the job as the server does and takes the time between its reports. */
async function perform(): Promise<Actual> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
  const seconds = new Map<string, number>();
  let [last, tuning, peakMemoryBytes] = [performance.now(), false, 0];
  const onReport = (report: JobReport) => {
    if (report.kind !== "step") return;
    const now = performance.now();
    // What comes before a phase's first report, but its first step, is the phase that reports nothing.
    const first = !seconds.has(report.phase);
    const silent = seconds.size === 0 ? "prepare" : !tuning && report.phase === "tune" ? "encode" : undefined;
    tuning ||= report.phase === "tune";
    const name = first && silent ? silent : report.phase;
    seconds.set(name, (seconds.get(name) ?? 0) + (now - last) / 1000);
    if (!seconds.has(report.phase)) seconds.set(report.phase, 0);
    last = now;
  };
  try {
    const order = {
      jobId: "bench",
      kind: "purify",
      spec,
      folder,
      device: "cpu",
      threads,
      niceness: DEFAULT_NICENESS,
      handlersModule: entryPoint(import.meta.url, "../src/jobs/handlers/index").href,
    } as const;
    const job = new JobProcess(order, { onReport, onOutput: (line) => console.error(line) });
    const watch = setInterval(() => void look(), 500);
    const look = async () => {
      const status = await readFile(`/proc/${job.pid}/status`, "utf8").catch(() => "");
      const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
      peakMemoryBytes = Math.max(peakMemoryBytes, peak);
    };
    const outcome = await job.outcome;
    clearInterval(watch);
    if (outcome.kind !== "done") throw new Error(JSON.stringify(outcome));
    return { seconds, peakMemoryBytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function show(planned: Estimate, done: Actual | undefined): void {
  const print = (cells: readonly string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(12) : cell.padStart(16))).join(""));
  const cell = (value: number | undefined) => (value === undefined ? "–" : value.toFixed(1));
  print(["phase", "steps", "images", "GFLOP", "planned, s", "actual, s"]);
  for (const { name, steps, images: passes, flops, seconds } of planned.phases)
    print([
      name,
      `${steps}`,
      `${passes}`,
      (flops / 1e9).toFixed(0),
      cell(seconds),
      cell(done?.seconds.get(name)),
    ]);
  const total = done && [...done.seconds.values()].reduce((sum, seconds) => sum + seconds, 0);
  const flops = planned.phases.reduce((sum, phase) => sum + phase.flops, 0);
  print(["in all", "", "", (flops / 1e9).toFixed(0), cell(planned.seconds), cell(total)]);
  print([
    "peak, MB",
    "",
    "",
    "",
    cell(planned.peakMemoryBytes / MEGABYTE),
    cell(done && done.peakMemoryBytes / MEGABYTE),
  ]);
  const { rates, decodeSeconds, seconds } = planned.calibration;
  const speeds = Object.entries(rates).map(([kind, rate]) => `${kind} ${(rate / 1e9).toFixed(1)}`);
  console.log(
    `GFLOP/s: ${speeds.join(", ")}; ${(1000 * decodeSeconds).toFixed(1)} ms a shot; measured in ${seconds.toFixed(1)} s`,
  );
  for (const assumption of planned.assumptions) console.log(assumption);
}
