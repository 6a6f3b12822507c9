import { parseArgs } from "node:util";
import { type Audit, FALLBACK_FAMILIES, startAudit, stepAudit } from "../src/engine/cbpt/audit.ts";
import { completeConfig } from "../src/engine/cbpt/config.ts";
import { prepareProblem } from "../src/engine/cbpt/prepare.ts";
import { type Finding, suspectsAmong, type TriggerFamily } from "../src/engine/cbpt/verdict.ts";
import { Workbench } from "../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { DEFAULT_TEMPLATES } from "../src/engine/clip/zero-shot.ts";
import { type BenchTable, say, tell } from "./report.ts";
import { listImages, readTest } from "./suspect.ts";

const HELP = `Audits a checkpoint and tells, stage by stage, what it took and which classes are pulled to most: what the
limits in src/engine/cbpt/verdict.ts are held against.

  node dist/bench/audit.js [--model zoo/models/scenes-clean]

  --model     open_clip folder (default zoo/models/scenes-badnet)
  --shots     class folders of clean examples (default zoo/shots)
  --per-class shots of each class (default 16)
  --config    hyper-parameters as JSON, e.g. '{"radius": 2}'
  --threads   default 2
  --json      prints the table as JSON`;

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "zoo/models/scenes-badnet" },
    shots: { type: "string", default: "zoo/shots" },
    "per-class": { type: "string", default: "16" },
    config: { type: "string", default: "{}" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function audited(): Promise<BenchTable> {
  const checkpoint = await openCheckpoint(values.model);
  const perClass = Number(values["per-class"]);
  const { labels } = await listImages(values.shots);
  const problem = await prepareProblem({
    checkpoint,
    config: completeConfig("UNIVERSAL", JSON.parse(values.config)),
    labels,
    templates: DEFAULT_TEMPLATES,
    shots: await readTest(checkpoint, values.shots, perClass),
    device: "cpu",
    threads: Number(values.threads),
  });
  const bench = new Workbench(problem);
  const rows: string[][] = [];
  try {
    let audit = startAudit(problem);
    for (let stage = stopwatch(); audit.stage !== "done"; ) {
      const next = await stepAudit(bench, audit);
      if (nameOf(next) !== nameOf(audit)) {
        say(`${nameOf(audit)} is done`);
        rows.push([nameOf(audit), ...stage(), mostPulled(newOf(next, audit), labels)]);
        stage = stopwatch();
      }
      audit = next;
    }
    return tableOf(rows, audit, labels);
  } finally {
    await bench.close();
  }
}

/** What the stage that is shown is called: its kind, and its place among those of the kind. */
function nameOf(audit: Audit): string {
  if (audit.stage === "fallback") return `fallback ${audit.turn + 1}`;
  return audit.stage === "invert" || audit.stage === "count"
    ? `${audit.stage} ${audit.round + 1}`
    : audit.stage;
}

/** The findings that a stage has added; of a round that another follows, all but the last class's. */
function newOf(next: Audit, audit: Audit): readonly Finding[] {
  const family = familyOf(audit);
  const own = [next, audit].map((state) => findingsOf(state).filter((finding) => finding.family === family));
  return own.find(({ length }) => length > 0) ?? [];
}

function familyOf(audit: Audit): TriggerFamily | undefined {
  if (audit.stage === "fallback") return FALLBACK_FAMILIES[audit.turn];
  return ({ count: "dense", gratings: "grating", words: "word" } as const)[audit.stage as "count"];
}

function findingsOf(audit: Audit): readonly Finding[] {
  if ("findings" in audit) return audit.findings;
  return "dense" in audit ? audit.dense : [];
}

/** Seconds of the clock and of the processors since it was made. */
function stopwatch(): () => [string, string] {
  const [began, before] = [performance.now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(before);
    return [((performance.now() - began) / 1000).toFixed(1), ((user + system) / 1e6).toFixed(1)];
  };
}

const SHOWN = 3;

const mostPulled = (findings: readonly Finding[], labels: readonly string[]): string =>
  [...findings]
    .sort((a, b) => shareOf(b) - shareOf(a))
    .slice(0, SHOWN)
    .map((finding) => {
      const { attraction } = finding;
      const near = attraction === undefined ? "" : ` (${attraction.toFixed(2)})`;
      return `${labels[finding.label]} ${shareOf(finding).toFixed(2)}${near}`;
    })
    .join(", ");

const shareOf = ({ pulled }: Finding): number => pulled.k / pulled.n;

function tableOf(rows: string[][], audit: Audit & { stage: "done" }, labels: readonly string[]): BenchTable {
  const named = suspectsAmong(audit.findings).map(({ label, family }) => `${labels[label]} (${family})`);
  const fitted = audit.suspects.map(
    ({ label, triggers }) => `${labels[label]}: ${triggers.map(({ family }) => family).join(", ")}`,
  );
  return {
    title: `Audit of ${values.model}, ${values.threads} threads`,
    columns: ["stage", "s", "processor s", "most pulled: share (attraction)"],
    rows,
    notes: [
      named.length > 0
        ? `Suspected: ${named.join(", ")}. Dummies: ${fitted.join("; ")}.`
        : "Nothing is suspected.",
    ],
  };
}

if (values.help) console.log(HELP);
else tell([await audited()], values.json);
