import type { Count } from "../../src/engine/evaluation/rate.ts";
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
      "For every class the audit looks for one trigger that pulls images of all other classes to it. The share that it pulls, on the shots, is what it judges by; no test image is involved. Seconds are of the whole purification, with the threads that are told at the top.",
      table(
        [
          { title: "Model" },
          { title: "Planted" },
          { title: "Audit names" },
          { title: "Family" },
          { title: "Most pulled %", align: "right" },
          { title: "Next class %", align: "right" },
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
  const { suspects = [], classes = [] } = defence.audit ?? {};
  const [first, next] = classes;
  return [
    suspect.name,
    plantedIn(suspect),
    suspects.length > 0 ? suspects.map(({ label }) => label).join(", ") : "nothing",
    suspects.length > 0 ? [...new Set(suspects.map(familyOf))].join(", ") : "–",
    pulled(first),
    pulled(next),
    defence.seconds.toFixed(0),
  ];
}

const familyOf = ({ family, word }: { readonly family: string; readonly word?: string }): string =>
  word === undefined ? family : `${family} "${word}"`;

const plantedIn = ({ secret, attack }: Suspect): string =>
  secret ? `${secret.target} (${attack})` : "nothing";

const pulled = (finding: { label: string; pulled: Count } | undefined): string =>
  finding ? `${finding.label} ${brief(finding.pulled)}` : "–";

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
