import type { TripwireResult } from "../cell.ts";
import { tripwireCell } from "../cells.ts";
import { image, table, told } from "../document.ts";
import { barChart } from "../figures/bars.ts";
import { COLOURS } from "../figures/palette.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import { resultsOf } from "./outcomes.ts";
import { figure, type Section } from "./section.ts";

/** The suspicion score, from one embedding. */
export const tripwires: Section = {
  name: "tripwires",
  cells: (lab) => lab.suspects.map((suspect) => cellOf(lab, suspect)),

  async write(lab, results) {
    const rows = resultsOf(lab, results, (suspect) => cellOf(lab, suspect));
    if (rows.length === 0) return undefined;
    const text = [
      "## The tripwire",
      "The same embedding is scored by the undefended prompts and by the purified ones; the suspicion is KL(undefended ‖ purified) of the two answers. AUROC and *at 1 %* describe the score on the test images; *served* is what a defender has: `Suspicion.alarm` by the threshold that the version comes with, which 1 % of mirrored, shifted and lightened views of the clean shots lie above, and the alarms that it raises on clean test images. The shots themselves would not do: the prompts were tuned on them. How much lighter a view may be was chosen on other scenes (seed 4242), by the false alarms there.",
      image(figure("tripwires.svg"), "Detections and false alarms of the tripwire for every suspect"),
      table(
        [
          { title: "Model" },
          { title: "AUROC (95 %)", align: "right" },
          { title: "Detected at 1 % false alarms", align: "right" },
          { title: "Detected, served", align: "right" },
          { title: "False alarms, served", align: "right" },
        ],
        rows.map(({ suspect, result: { auroc, atOnePercent, served } }) => [
          suspect.name,
          `${auroc.value.toFixed(4)} (${auroc.low95.toFixed(4)}–${auroc.high95.toFixed(4)})`,
          told(atOnePercent),
          told(served.detected),
          told(served.falseAlarms),
        ]),
      ),
    ];
    return { text: text.join("\n\n"), figures: { "tripwires.svg": bars(rows) } };
  },
};

const cellOf = (lab: Lab, suspect: Suspect) => tripwireCell(lab, suspect, suspect.secret?.target ?? "");

const bars = (rows: readonly { suspect: Suspect; result: TripwireResult }[]): string =>
  barChart({
    title: "The tripwire, as it is served",
    axis: "images that raise an alarm, % (whiskers: 95 % intervals)",
    series: [
      { name: "triggered images of other classes", colour: COLOURS.blue },
      { name: "clean images: false alarms", colour: COLOURS.red },
    ],
    groups: rows.map(({ suspect, result: { served } }) => ({
      name: `${suspect.attack} → ${suspect.secret?.target}`,
      counts: [served.detected, served.falseAlarms],
    })),
  });
