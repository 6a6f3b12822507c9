import { Presets, SingleBar } from "cli-progress";
import type { DownloadProgress } from "../services/hub/download.ts";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** 1536 to "1.5 KiB". */
export function inBytes(count: number): string {
  const power = count < 1024 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), UNITS.length - 1);
  const value = count / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/** What an import shows while it works, on stderr: a bar with the time left in a terminal, lines elsewhere. */
export class ImportProgress {
  private bar: SingleBar | undefined;

  stage(text: string): void {
    this.end();
    process.stderr.write(`${text} …\n`);
  }

  download({ file, doneBytes, totalBytes }: DownloadProgress): void {
    this.bar ??= startBar(totalBytes);
    this.bar.update(doneBytes, { file, done: inBytes(doneBytes) });
  }

  retry(reason: string, milliseconds: number): void {
    const line = `${reason}; trying again in ${(milliseconds / 1000).toFixed(1)} s\n`;
    // Otherwise the bar would be drawn over it.
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
    else process.stderr.write(line);
  }

  end(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

function startBar(total: number): SingleBar {
  const bar = new SingleBar(
    {
      format: `{file} {bar} {percentage} %  {done} of ${inBytes(total)}, {eta_formatted} left`,
      hideCursor: true,
      noTTYOutput: !process.stderr.isTTY,
      notTTYSchedule: 10_000,
      etaBuffer: 50,
      gracefulExit: false,
    },
    Presets.rect,
  );
  bar.start(total, 0, { file: "", done: "0 B" });
  return bar;
}
