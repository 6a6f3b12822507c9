import { Presets, SingleBar } from "cli-progress";
import { inWords } from "../reproduce/progress.ts";
import type { Report } from "./part.ts";

/** Shows how much of a part is done and the time left; away from a terminal, a line for every quarter. */
export function follow(name: string): { readonly report: Report; stop(): void } {
  const began = Date.now();
  const terminal = process.stderr.isTTY;
  const format = `${name} {bar} {percentage} %, {left} left`;
  const bar = new SingleBar({ format, stream: process.stderr }, Presets.shades_classic);
  if (terminal) bar.start(1, 0, { left: "?" });
  let quarter = 0;
  const report: Report = (share) => {
    const left = share > 0 ? inWords(((Date.now() - began) / 1000) * (1 / share - 1)) : "?";
    if (terminal) bar.update(Math.min(1, share), { left });
    else if (Math.floor(4 * share) > quarter) {
      quarter = Math.floor(4 * share);
      process.stderr.write(`${name}: ${25 * quarter} %, ${left} left\n`);
    }
  };
  return { report, stop: () => bar.stop() };
}
