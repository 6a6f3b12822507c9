import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { type GuardedText, undefendedText } from "../src/engine/cbpt/guard.ts";
import { readText } from "../src/engine/cbpt/prompt-tensors.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { readSafetensors } from "../src/engine/clip/safetensors.ts";
import { DEFAULT_TEMPLATES, zeroShotMatrix } from "../src/engine/clip/zero-shot.ts";
import type { Measurement } from "../src/engine/evaluation/protocol.ts";
import { type Count, rate } from "../src/engine/evaluation/rate.ts";
import { openSession } from "../src/engine/runtime/session.ts";
import { extend } from "../src/jobs/handlers/extend.ts";
import { type PurifyResult, purify } from "../src/jobs/handlers/purify.ts";
import type { JobContext, JobReport } from "../src/jobs/job.ts";
import { deviceOption } from "./device-option.ts";
import {
  encodeTest,
  listImages,
  measureText,
  readSecret,
  readTest,
  renderTest,
  type TestSet,
} from "./suspect.ts";

const HELP = `Purifies a checkpoint blind, as the server does, and measures it on images that it has not seen.

  node dist/bench/purify.js [--model zoo/models/scenes-badnet] [--json]

  --model     open_clip folder; manifest.json beside it tells the bench, not the defence, what the trigger is
  --shots     class folders of clean examples (default zoo/shots)
  --test      class folders of test images; without it scenes are rendered
  --count     test images: all in all when rendered (default 2000), of each class from folders
  --seed      of the rendered scenes (default 77; 1 to 4 made the zoo)
  --per-class shots of each class (default 16)
  --config    hyper-parameters as JSON, e.g. '{"epochs": 10}'
  --mode      UNIVERSAL (default) or PUBLISHED
  --add       a class that is left out at first, and then added to the purified others
  --threads   default 2
  --device    for the purification: cpu (default), cuda, webgpu; the measurement is the CPU's
  --json      ends with one line of JSON`;

const MEASURES = [
  "ca",
  "asr",
  "asrIncludingTarget",
  "trueLabelUnderTrigger",
  "targetRecall",
  "cleanFloor",
] as const;

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "zoo/models/scenes-badnet" },
    shots: { type: "string", default: "zoo/shots" },
    test: { type: "string" },
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: "77" },
    "per-class": { type: "string", default: "16" },
    config: { type: "string", default: "{}" },
    mode: { type: "string", default: "UNIVERSAL" },
    add: { type: "string" },
    threads: { type: "string", default: "2" },
    device: { type: "string", default: "cpu" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const threads = Number(values.threads);
  const device = await deviceOption(values.device);
  const listed = await listImages(values.shots, Number(values["per-class"]));
  const { labels, images } = values.add === undefined ? listed : withLast(listed, values.add);
  const checkpoint = await openCheckpoint(values.model);
  const secret = await readSecret(values.model);
  const target = secret && labels.indexOf(secret.target);
  const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
  try {
    const templates = DEFAULT_TEMPLATES;
    const config = JSON.parse(values.config);
    const spec = { modelFolder: values.model, labels, templates, shots: images, config, mode: values.mode };
    const result = await learn(spec, { folder, device, threads });
    const artifact = await readSafetensors(join(folder, result.artifact));
    const open = (program: Parameters<typeof openSession>[0]) =>
      openSession(program, { device: "cpu", threads });
    const undefended = await zeroShotMatrix(open, checkpoint, labels, templates);
    const tests = values.test
      ? relabelled(await readTest(checkpoint, values.test, Number(values.count)), listed.labels, labels)
      : await renderTest(checkpoint, labels, Number(values.count), Number(values.seed));
    const set = await encodeTest(checkpoint, tests, secret, threads);
    const text = { undefended, ...(await readText(artifact)) };
    const measured = await measureWays(set, text, labels.length, target).finally(() =>
      set.encoder.session.close(),
    );
    show(measured, result);
    const { audit, seconds, probe, undefendedProbe } = result;
    if (values.json)
      console.log(
        JSON.stringify({
          model: basename(values.model),
          attack: secret?.trigger.attack.name,
          target: secret?.target,
          mode: values.mode,
          before: rates(measured.undefended),
          after: rates(measured["second look"]),
          audit: audit && {
            verdict: audit.verdict,
            suspects: audit.suspects,
            classes: audit.classes.slice(0, 5),
            seconds: audit.seconds,
          },
          probe,
          undefendedProbe,
          device,
          seconds,
        }),
      );
  } finally {
    await rm(folder, { recursive: true });
  }
}

interface Listed {
  readonly labels: string[];
  readonly images: { blob: string; label: number }[];
}

/** The same classes, this one last. */
function withLast({ labels, images }: Listed, last: string): Listed {
  if (!labels.includes(last)) throw new Error(`There are no shots of "${last}".`);
  const ordered = [...labels.filter((label) => label !== last), last];
  return { labels: ordered, images: relabelled(images, labels, ordered) };
}

/** The images with the places that their labels have in another order. */
function relabelled<Image extends { label: number }>(images: Image[], from: string[], to: string[]): Image[] {
  return images.map((image) => ({ ...image, label: to.indexOf(from[image.label]) }));
}

/** All classes together, or the last one after all others. */
async function learn(
  spec: { readonly labels: string[]; readonly shots: Listed["images"] },
  place: Place,
): Promise<PurifyResult> {
  if (values.add === undefined) return purify(spec, contextIn(place));
  const [labels, last] = [spec.labels.slice(0, -1), spec.labels.length - 1];
  const shots = spec.shots.filter(({ label }) => label !== last);
  const { artifact } = await purify({ ...spec, labels, shots }, contextIn(place));
  const base = join(place.folder, "base.safetensors");
  await rename(join(place.folder, artifact), base);
  return extend({ ...spec, base }, contextIn(place));
}

type Place = Pick<JobContext, "folder" | "device" | "threads">;

function contextIn(place: Place): JobContext {
  let phase = "";
  const report = (report: JobReport) => {
    if (report.kind !== "step" || report.phase === phase) return;
    phase = report.phase;
    console.error(
      `${phase}: ${(100 * report.progress).toFixed(0)} %, ${report.imagesPerSecond.toFixed(0)} images/s`,
    );
  };
  const signal = new AbortController().signal;
  return { ...place, checkpoint: undefined, signal, save: async () => {}, report };
}

/** By what answers; the server does as the last. */
type Way = "undefended" | "purified alone" | "recovery prompts" | "second look";

async function measureWays(
  set: TestSet,
  text: GuardedText,
  classes: number,
  target: number | undefined,
): Promise<Record<Way, Measurement>> {
  return {
    undefended: await measureText(set, undefendedText(text.undefended), classes, { target }),
    "purified alone": await measureText(set, undefendedText(text.purified), classes, { target }),
    "recovery prompts": await measureText(set, text, classes, { target, looksAgain: false }),
    "second look": await measureText(set, text, classes, { target }),
  };
}

function rates(measurement: Measurement): Record<string, Count | undefined> {
  return Object.fromEntries(MEASURES.map((name) => [name, measurement[name]]));
}

function show(measured: Record<Way, Measurement>, result: Awaited<ReturnType<typeof purify>>): void {
  const cell = (count: Count | undefined) => {
    if (count === undefined) return "–".padStart(28);
    const { value, low95, high95, n } = rate(count);
    const percent = (share: number) => (100 * share).toFixed(2);
    return `${percent(value)} (${percent(low95)}–${percent(high95)}, n ${n})`.padStart(28);
  };
  const line = (head: string, cells: readonly string[]) => console.log(head.padEnd(24) + cells.join(""));
  const ways = Object.keys(measured);
  line(
    "%",
    ways.map((way) => way.padStart(28)),
  );
  for (const name of MEASURES)
    line(
      name,
      Object.values(measured).map((measurement) => cell(measurement[name])),
    );
  const share = ({ k, n }: Count) => (100 * k) / Math.max(1, n);
  const { audit } = result;
  if (audit) {
    const top = audit.classes
      .slice(0, 4)
      .map(({ label, family, pulled }) => `${label} ${share(pulled).toFixed(0)} (${family})`);
    console.log(
      `audit: ${audit.verdict}, ${audit.suspects.map(({ label }) => label)}; pulled %: ${top.join(", ")}; ${audit.seconds.toFixed(1)} s`,
    );
  }
  console.log(`${result.seconds.toFixed(1)} s in all`);
}
