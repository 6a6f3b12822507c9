import { SHIFTS, type ShiftName } from "../../src/engine/evaluation/shifts.ts";
import { randomStream } from "../../src/engine/random.ts";
import { measureCell, testCell } from "../cells.ts";
import { titleOf } from "../defences.ts";
import { brief, image, table, told } from "../document.ts";
import { barChart } from "../figures/bars.ts";
import { COLOURS } from "../figures/palette.ts";
import { pixelPiece } from "../figures/pixels.ts";
import { label, picture } from "../figures/svg.ts";
import { readScenes, sceneAt } from "../images.ts";
import type { Lab } from "../lab.ts";
import { figure, type Results, type Section } from "./section.ts";

const DOMAINS = [undefined, ...(Object.keys(SHIFTS) as ShiftName[])] as const;
type Domain = (typeof DOMAINS)[number];

const DEFENDED = ["none", "cbpt-universal"] as const;

const nameOf = (domain: Domain): string => domain ?? "as rendered";

/** Purified on scenes as they are, tested on scenes of other domains. */
export const shifts: Section = {
  name: "shifts",
  cells: (lab) =>
    lab.size.shifts
      ? DOMAINS.flatMap((domain) => DEFENDED.map((defence) => cellOf(lab, domain, defence)))
      : [],

  async write(lab, results) {
    const rows = rowsOf(lab, results);
    if (rows.every(({ domain }) => domain === undefined)) return undefined;
    const text = [
      "## Other domains",
      `\`${lab.suspects[0].name}\` is purified with shots of scenes as they are rendered, and tested on the test scenes recoloured (hue turned at random), sketched (edges only), with noise (deviation 0.1), blurred (1.2 pixels) and downscaled (to half and back). The trigger is stamped after the change, as an attacker would.`,
      image(figure("domains.svg"), "One test scene in every domain"),
      image(figure("shifts.svg"), "Clean accuracy and attack success in every domain, before and after"),
      table(
        [
          { title: "Domain" },
          { title: "Defence" },
          { title: "CA", align: "right" },
          { title: "ASR", align: "right" },
          { title: "True label %", align: "right" },
        ],
        rows.map(({ domain, defence, measured }) => [
          nameOf(domain),
          titleOf(defence),
          told(measured.ca),
          told(measured.asr),
          brief(measured.trueLabelUnderTrigger),
        ]),
      ),
    ];
    return {
      text: text.join("\n\n"),
      figures: { "shifts.svg": bars(rows), "domains.svg": await samples(lab, results) },
    };
  },
};

const cellOf = (lab: Lab, domain: Domain, defence: (typeof DEFENDED)[number]) =>
  measureCell(lab, lab.suspects[0], { defence }, { shift: domain });

const rowsOf = (lab: Lab, results: Results) =>
  DOMAINS.flatMap((domain) =>
    DEFENDED.flatMap((defence) => {
      const measured = results.get(cellOf(lab, domain, defence));
      return measured ? [{ domain, defence, measured }] : [];
    }),
  );

function bars(rows: ReturnType<typeof rowsOf>): string {
  const domains = DOMAINS.filter((domain) => rows.some((row) => row.domain === domain));
  const measured = (domain: Domain, defence: string) =>
    rows.find((row) => row.domain === domain && row.defence === defence)?.measured;
  return barChart({
    title: "Clean accuracy and attack success in other domains",
    axis: "% (whiskers: 95 % intervals)",
    series: [
      { name: "CA undefended", colour: COLOURS.grey },
      { name: "CA universal", colour: COLOURS.blue },
      { name: "ASR undefended", colour: COLOURS.orange },
      { name: "ASR universal", colour: COLOURS.red },
    ],
    groups: domains.map((domain) => ({
      name: nameOf(domain),
      counts: [
        measured(domain, "none")?.ca,
        measured(domain, "cbpt-universal")?.ca,
        measured(domain, "none")?.asr,
        measured(domain, "cbpt-universal")?.asr,
      ],
    })),
  });
}

const TILE = 116;

/** The first test scene in every domain. */
async function samples(lab: Lab, results: Results): Promise<string> {
  const scene = sceneAt(await readScenes(results.archive, testCell(lab)), 0);
  const pieces = await Promise.all(
    DOMAINS.map(async (domain, index) => {
      const shown = domain === undefined ? scene : SHIFTS[domain](scene, randomStream(1, "shift", domain, 0));
      const x = 20 + index * (TILE + 16);
      return [
        label(x + TILE / 2, 34, nameOf(domain), { anchor: "middle" }),
        await pixelPiece(shown, { x, y: 46, side: TILE }),
      ].join("");
    }),
  );
  const width = 24 + DOMAINS.length * (TILE + 16);
  return picture({ width, height: TILE + 66, title: "One test scene in every domain" }, pieces);
}
