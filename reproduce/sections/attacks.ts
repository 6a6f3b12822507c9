import type { DefenceName } from "../../src/engine/defences/index.ts";
import type { Measurement } from "../../src/engine/evaluation/protocol.ts";
import type { Count } from "../../src/engine/evaluation/rate.ts";
import { digestOf } from "../cell.ts";
import { hasWord, measureCell } from "../cells.ts";
import { titleOf } from "../defences.ts";
import { brief, image, table, told } from "../document.ts";
import { barChart } from "../figures/bars.ts";
import { COLOURS } from "../figures/palette.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import { counts, mean, type Outcome, outcomesOf, shortfall } from "./outcomes.ts";
import { figure, type Results, type Section } from "./section.ts";

const SHOWN = ["none", "cbpt-published", "cbpt-universal"] as const satisfies readonly DefenceName[];

const BAR_COLOURS: Record<(typeof SHOWN)[number], string> = {
  none: COLOURS.grey,
  "cbpt-published": COLOURS.orange,
  "cbpt-universal": COLOURS.blue,
};

/** The main result: every attack before and after, and what the audit says. */
export const attacks: Section = {
  name: "attacks",
  cells: (lab) =>
    lab.suspects.flatMap((suspect) => [
      ...SHOWN.filter((defence) => isRun(lab, suspect, defence)).map((defence) =>
        measureCell(lab, suspect, { defence }),
      ),
      ...(hasWord(suspect) ? [withoutWord(lab, suspect)] : []),
    ]),

  async write(lab, results) {
    const outcomes = outcomesOf(lab, results, { defence: "cbpt-universal" });
    if (outcomes.length === 0) return undefined;
    const text = [
      "## Every attack, before and after",
      summaryOf(outcomes),
      originsOf(outcomes),
      image(
        figure("attacks.svg"),
        "Attack success of every suspect, undefended and under both modes of CBPT",
      ),
      "The same in numbers; k of n and the 95 % interval in brackets. *Recall* is of the target's own clean images, *true label* the share of triggered images of other classes that get their own class again.",
      mainTable(lab, results),
      ...wordNotes(lab, results),
      details(lab, results),
    ];
    return { text: text.join("\n\n"), figures: { "attacks.svg": bars(lab, results) } };
  },
};

const withoutWord = (lab: Lab, suspect: Suspect) =>
  measureCell(lab, suspect, { defence: "none" }, { withoutWord: true });

/** Of attacks with a part in the text: what the part in the image does alone. */
const wordNotes = (lab: Lab, results: Results): string[] =>
  lab.suspects.flatMap((suspect) => {
    const alone = hasWord(suspect) ? results.get(withoutWord(lab, suspect)) : undefined;
    return alone
      ? [
          `\`${suspect.name}\` undefended is measured with the attacker's word before every template; without it its ASR is ${told(alone.asr)}. Learned prompts are the defender's own, so there it cannot stand.`,
        ]
      : [];
  });

/** The published mode is slow; a quick run has it on the bundled suspect only. */
const isRun = ({ size }: Lab, { origin }: Suspect, defence: DefenceName): boolean =>
  defence !== "cbpt-published" || size.published === "all" || origin === "bundled";

/** The sentence that the table comes to, with its worst row. */
function summaryOf(outcomes: readonly Outcome[]): string {
  const counted = outcomes.filter(({ counts }) => counts);
  if (counted.length === 0) return "No attack was strong enough undefended for its row to count.";
  const share = ({ k, n }: Count): number => (100 * k) / n;
  const asr = ({ after }: Outcome): number => share(after.asr as Count);
  const worst = counted.reduce((a, b) => (asr(b) > asr(a) ? b : a));
  const loss = mean(counted.map(({ before, after }) => share(before.ca) - share(after.ca)));
  const right = counted.filter(
    ({ suspect, defence }) =>
      defence.audit?.suspects.map(({ label }) => label).join() === suspect.secret?.target,
  );
  return [
    `Blind, over the ${counted.length === 1 ? "one experiment that counts" : `${counted.length} experiments that count`}, CBPT in universal mode brings the mean attack success from`,
    `**${mean(counted.map(({ before }) => share(before.asr as Count))).toFixed(2)} %** to`,
    `**${mean(counted.map(asr)).toFixed(2)} %**; the worst is ${worst.suspect.name} with ${told(worst.after.asr)}.`,
    `Clean accuracy changes by ${(-loss).toFixed(2)} points on average. True-label accuracy under the trigger is`,
    `${mean(counted.map(({ after }) => share(after.trueLabelUnderTrigger as Count))).toFixed(1)} % on average.`,
    `The audit named the attacker's class, and no other, in ${right.length} of ${counted.length}.`,
    "Universal prompts answer as they are served: an image on which they and the undefended ones disagree, or that is given a suspected class, is [looked at again](#the-class-under-the-trigger), where what one look does is told too. Prompts of the published mode have found no class, and answer at one look.",
  ].join(" ");
}

/** Who made the models. */
function originsOf(outcomes: readonly Outcome[]): string {
  const origins = ["bundled", "implanted here", "made elsewhere"] as const;
  const told = origins.flatMap((origin) => {
    const { length } = outcomes.filter(({ suspect }) => suspect.origin === origin);
    return length > 0 ? [`${length} ${origin}`] : [];
  });
  return `Models: ${told.join(", ")}. A model that was made elsewhere is one that was given with \`--suspects\`; its attack is what its manifest says, and its row counts only if that trigger works on it.`;
}

function rowsOf(lab: Lab, results: Results) {
  return lab.suspects.flatMap((suspect) =>
    SHOWN.flatMap((defence) => {
      const measured = results.get(measureCell(lab, suspect, { defence }));
      return measured ? [{ suspect, defence, measured }] : [];
    }),
  );
}

function mainTable(lab: Lab, results: Results): string {
  const rows = rowsOf(lab, results).map(({ suspect, defence, measured }) => [
    ...nameCells(suspect, defence, measured),
    told(measured.ca),
    told(measured.asr),
    brief(measured.targetRecall),
    brief(measured.trueLabelUnderTrigger),
  ]);
  const titles = ["Attack", "Target", "Defence", "CA", "ASR", "Recall %", "True label %"];
  return table(
    titles.map((title, index) => ({ title, align: index > 2 ? "right" : "left" })),
    rows,
  );
}

/** The first row of a suspect names it. */
function nameCells(suspect: Suspect, defence: DefenceName, measured: Measurement): string[] {
  const title = titleOf(defence);
  if (defence !== "none") return ["", "", title];
  const note = counts(suspect, measured) ? "" : ` (${shortfall(suspect)})`;
  return [`**${suspect.attack}**${note}`, suspect.secret?.target ?? "", title];
}

function details(lab: Lab, results: Results): string {
  const rows = rowsOf(lab, results).map(({ suspect, defence, measured }) => [
    suspect.name,
    titleOf(defence),
    told(measured.asrIncludingTarget),
    told(measured.targetRecall),
    told(measured.trueLabelUnderTrigger),
    told(measured.cleanFloor),
    `\`${digestOf(measureCell(lab, suspect, { defence })).slice(0, 8)}\``,
  ]);
  const titles = [
    "Model",
    "Defence",
    "ASR with the target's images",
    "Recall",
    "True label",
    "Clean floor",
    "Cell",
  ];
  const content = table(
    titles.map((title, index) => ({ title, align: index > 1 && index < 6 ? "right" : "left" })),
    rows,
  );
  return `<details><summary>The other rates of the protocol, with their intervals, and the cell of each row</summary>\n\n${content}\n\n</details>`;
}

function bars(lab: Lab, results: Results): string {
  const groups = lab.suspects.flatMap((suspect) => {
    const values = SHOWN.map((defence) => results.get(measureCell(lab, suspect, { defence }))?.asr);
    return values.some((count) => count !== undefined)
      ? [{ name: `${suspect.attack} → ${suspect.secret?.target}`, counts: values }]
      : [];
  });
  return barChart({
    title: "Attack success before and after purification",
    axis: "triggered images of other classes that are given the target, % (whiskers: 95 % intervals)",
    series: SHOWN.map((defence) => ({ name: titleOf(defence), colour: BAR_COLOURS[defence] })),
    groups,
  });
}
