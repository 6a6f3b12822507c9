/** Where the lines go; time is passed in, in milliseconds. */
interface Surroundings {
  write: (text: string) => void;
  now: () => number;
}

const TERMINAL: Surroundings = {
  write: (text) => void process.stderr.write(text),
  now: () => performance.now(),
};

/**
 * Reports on a count towards `total`: a line on stderr with the share done and the time left,
 * every `every` steps and at the end.
 */
export function progress(
  label: string,
  total: number,
  every: number,
  { write, now }: Surroundings = TERMINAL,
): (done: number) => void {
  const start = now();
  return (done) => {
    if (done % every !== 0 && done !== total) return;
    const seconds = (now() - start) / 1000;
    const left = Math.round((seconds / done) * (total - done));
    write(`${label} ${done}/${total}, ${Math.round(seconds)} s, ${left} s left\n`);
  };
}
