import type { SelfTestCheck } from "../engine/clip/self-test.ts";
import type { ImportReport } from "../services/import/import-model.ts";
import { isEmpty } from "../services/normalisation.ts";
import { inBytes } from "./progress.ts";

/** The report that a person reads: what was imported, what the self-test measured, what to do next. */
export function describeImport(report: ImportReport): string {
  const rows: readonly (readonly [string, string])[] = [
    ["Source", report.source],
    ["Format", report.format],
    ["Architecture", report.architecture],
    ["Parameters", parametersOf(report)],
    ["Files", `${shortened(report.files)} (${inBytes(report.bytes)})`],
    ...(report.leftOut.length > 0 ? [["Left out", shortened(report.leftOut)] as const] : []),
    ["Digest", report.weights],
    ["Images", imagesOf(report)],
    ["Texts", `${report.vocabulary} tokens, at most ${report.contextLength} in a text`],
    ["Self-test", selfTestOf(report)],
    ...report.selfTest.checks.map((check) => ["", measured(check)] as const),
    [
      "Recorded",
      `image ${report.selfTest.image.digest.slice(0, 23)}, text ${report.selfTest.text.digest.slice(0, 23)}`,
    ],
    ...report.warnings.map((warning, index) => [index === 0 ? "Warnings" : "", warning] as const),
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(14)}${value}`);
  return `\n"${report.name}" is in the models folder.\n\n${lines.join("\n")}\n\n${nextSteps(report)}\n`;
}

function parametersOf({ parameters, dtypes }: ImportReport): string {
  const count = parameters === undefined ? "not counted" : `${(parameters / 1e6).toFixed(2)} million`;
  return `${count}, stored as ${dtypes.join(" and ")}`;
}

function imagesOf({ normalisation: { mean, std }, overrides }: ImportReport): string {
  const said = isEmpty(overrides) ? "" : ` (antidote.json says ${JSON.stringify(overrides)})`;
  return `mean ${inWords(mean)}, deviation ${inWords(std)}${said}`;
}

const MOST_SHOWN = 8;

function shortened(names: readonly string[]): string {
  const rest = names.length - MOST_SHOWN;
  return names.slice(0, MOST_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

const inWords = (values: readonly number[]): string => values.map((value) => value.toFixed(4)).join(" ");

function selfTestOf({ selfTest }: ImportReport): string {
  const { device, seconds, imageMilliseconds, textMilliseconds } = selfTest;
  return `passed on ${device} in ${seconds.toFixed(1)} s; an image takes ${imageMilliseconds.toFixed(1)} ms, a text ${textMilliseconds.toFixed(1)} ms`;
}

const measured = ({ name, measured: value, limit }: SelfTestCheck): string =>
  `${name} ${number(value)} (${name.endsWith("Differ") ? "above" : "at most"} ${number(limit)})`;

const number = (value: number): string =>
  value === 0 || Number.isInteger(value) ? String(value) : value.toExponential(1);

const nextSteps = ({ name }: ImportReport): string =>
  `Next: a server that starts now has it as model_${name}; one that runs takes it in with the mutation
  registerModel(input: { folder: "${name}" })
Then create a dataset with a few clean images for each label, and audit or purify.`;
