import { Presets, SingleBar } from "cli-progress";

/** Runs the work under a bar with the time left, on stderr; `advance` takes how much of `total` was just done. */
export async function withProgress<Value>(
  total: number,
  work: (advance: (done: number, what: string) => void) => Promise<Value>,
): Promise<Value> {
  const bar = new SingleBar(
    {
      format: "{bar} {percentage} %  {duration_formatted}, {eta_formatted} left  {what}",
      hideCursor: true,
      noTTYOutput: !process.stderr.isTTY,
      notTTYSchedule: 10_000,
      etaBuffer: 50,
    },
    Presets.rect,
  );
  bar.start(total, 0, { what: "" });
  try {
    return await work((done, what) => bar.increment(done, { what }));
  } finally {
    bar.stop();
  }
}
