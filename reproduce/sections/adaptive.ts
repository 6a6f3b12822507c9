import type { Count } from "../../src/engine/evaluation/rate.ts";
import { measureCell } from "../cells.ts";
import { brief, image, table, told } from "../document.ts";
import { barChart } from "../figures/bars.ts";
import { COLOURS } from "../figures/palette.ts";
import { type Outcome, outcomesOf } from "./outcomes.ts";
import { figure, type Section } from "./section.ts";

const UNIVERSAL = { defence: "cbpt-universal" } as const;

/** Above this share a trigger still works, for its own target or for another one of the same attacker. */
const BROKEN = 0.05;

/** Attackers who know the defence. */
export const adaptive: Section = {
  name: "adaptive",
  cells: (lab) =>
    lab.adaptive.flatMap((suspect) =>
      [{ defence: "none" } as const, UNIVERSAL].map((choice) => measureCell(lab, suspect, choice)),
    ),

  async write(lab, results) {
    const outcomes = outcomesOf(lab, results, UNIVERSAL, lab.adaptive);
    if (outcomes.length === 0) return undefined;
    const text = [
      "## Attackers who know the defence",
      summaryOf(outcomes),
      image(figure("adaptive.svg"), "Attack success of adaptive attacks, undefended and purified"),
      table(
        [
          { title: "What the attacker does" },
          { title: "Trigger → target" },
          { title: "ASR undefended", align: "right" },
          { title: "ASR purified", align: "right" },
          { title: "CA undefended", align: "right" },
          { title: "CA purified", align: "right" },
          { title: "Recall %", align: "right" },
          { title: "True label %", align: "right" },
          { title: "Another target %", align: "right" },
          { title: "Audit names" },
        ],
        outcomes.map(rowOf),
      ),
    ];
    return { text: text.join("\n\n"), figures: { "adaptive.svg": bars(outcomes) } };
  },
};

const nameOf = ({ suspect }: Outcome): string => `${suspect.attack} → ${suspect.secret?.target}`;

function summaryOf(outcomes: readonly Outcome[]): string {
  const counted = outcomes.filter(({ counts }) => counts);
  const standing = counted.filter(({ after }) =>
    [after.asr, after.diverted].some((one) => shareOf(one) > BROKEN),
  );
  const names = standing.map((outcome) => `${nameOf(outcome)} (${outcome.suspect.adaptive})`);
  const verdict =
    standing.length === 0
      ? "None of them is left with more."
      : `These are: ${names.join("; ")}. Against them the defence, as it is, does not hold.`;
  return `Each row is one trigger in one model; a model with several is purified once and measured with each. *Another target* is the share of triggered images that are given the target of another trigger in the same model. A defence that leaves a trigger more than ${100 * BROKEN} % of either has failed on it. ${verdict}`;
}

const shareOf = (count: Count | undefined): number => (count === undefined ? 0 : count.k / count.n);

const rowOf = (outcome: Outcome): string[] => {
  const { suspect, before, after, defence, counts } = outcome;
  const named = defence.audit?.suspects.map(({ label, family }) => `${label} (${family})`) ?? [];
  return [
    suspect.adaptive ?? "",
    nameOf(outcome),
    `${told(before.asr)}${counts ? "" : ", does not count"}`,
    told(after.asr),
    told(before.ca),
    told(after.ca),
    `${brief(before.targetRecall)} → ${brief(after.targetRecall)}`,
    `${brief(before.trueLabelUnderTrigger)} → ${brief(after.trueLabelUnderTrigger)}`,
    brief(after.diverted),
    named.length > 0 ? named.join(", ") : "nothing",
  ];
};

const bars = (outcomes: readonly Outcome[]): string =>
  barChart({
    title: "Attack success of attackers who know the defence",
    axis: "triggered images of other classes that are given the target, % (whiskers: 95 % intervals)",
    series: [
      { name: "undefended", colour: COLOURS.grey },
      { name: "CBPT universal", colour: COLOURS.blue },
    ],
    groups: outcomes.map((outcome, index) => ({
      name: `${index + 1}. ${nameOf(outcome)}`,
      counts: [outcome.before.asr, outcome.after.asr],
    })),
  });
