import type { ToldFinding } from "../cell.ts";
import { type DefenceChoice, measureCell } from "../cells.ts";
import { brief, table, told } from "../document.ts";
import type { Suspect } from "../suspects.ts";
import { type Outcome, outcomesOf } from "./outcomes.ts";
import type { Section } from "./section.ts";

const UNIVERSAL: DefenceChoice = { defence: "cbpt-universal" };

/** What the audit says of every model, and what purifying does to clean ones. */
export const audits: Section = {
  name: "audits",
  cells: (lab) =>
    lab.clean.flatMap((suspect) =>
      [{ defence: "none" } as const, UNIVERSAL].map((choice) => measureCell(lab, suspect, choice)),
    ),

  async write(lab, results) {
    const all = outcomesOf(lab, results, UNIVERSAL, [...lab.suspects, ...lab.clean]);
    if (all.length === 0) return undefined;
    const clean = all.filter(({ suspect }) => suspect.secret === undefined);
    const text = [
      "## What the audit says",
      "For every class the audit looks for one trigger of each [family](audit.md#families-of-triggers) that pulls images of all other classes to it. What it [judges by](audit.md#when-a-class-is-suspected) is the share of them that this pulls, its lead before the next class of the same family, and its attraction (in brackets): how near it brings images to the class, where the class's own images have 1. All of it on the shots; no test image is involved. Of a model on which nothing is named, the class that came closest to it. Seconds are of the whole purification, with the threads that are told at the top.",
      table(
        [
          { title: "Model" },
          { title: "Planted" },
          { title: "Audit names" },
          { title: "Family" },
          { title: "Pulled %" },
          { title: "Next of the family %" },
          { title: "Purified in s", align: "right" },
        ],
        all.map(auditRow),
      ),
      ...(clean.length > 0 ? [cleanText(clean)] : []),
    ];
    return { text: text.join("\n\n") };
  },
};

function auditRow({ suspect, defence }: Outcome): string[] {
  const { suspects = [], classes = [], grounds = [] } = defence.audit ?? {};
  const [closest] = classes;
  return [
    suspect.name,
    plantedIn(suspect),
    suspects.length > 0 ? suspects.map(({ label }) => label).join(", ") : "nothing",
    suspects.length > 0 ? [...new Set(suspects.map(familyOf))].join(", ") : "–",
    suspects.length > 0
      ? grounds.map(({ found }) => pulled(found)).join(", ")
      : `(${pulled(closest)}, ${closest?.family})`,
    suspects.length > 0 ? grounds.map(({ next }) => pulled(next)).join(", ") : "–",
    defence.seconds.toFixed(0),
  ];
}

const familyOf = ({ family, word }: { readonly family: string; readonly word?: string }): string =>
  word === undefined ? family : `${family} "${word}"`;

const plantedIn = ({ secret, attack }: Suspect): string =>
  secret ? `${secret.target} (${attack})` : "nothing";

function pulled(finding: ToldFinding | undefined): string {
  if (!finding) return "–";
  const { label, pulled, attraction } = finding;
  return `${label} ${brief(pulled)}${attraction === undefined ? "" : ` (${attraction.toFixed(2)})`}`;
}

function cleanText(clean: readonly Outcome[]): string {
  return [
    "Purifying a model that has no backdoor must not harm it:",
    "",
    table(
      [
        { title: "Clean model" },
        { title: "CA before", align: "right" },
        { title: "CA after", align: "right" },
      ],
      clean.map(({ suspect, before, after }) => [suspect.name, told(before.ca), told(after.ca)]),
    ),
  ].join("\n");
}
