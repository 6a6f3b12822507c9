/** Photographs through CLIP at full size: beside a session with nothing around it, and beside transformers.js. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { fillTemplate, score, zeroShotMatrix } from "../../src/engine/clip/zero-shot.ts";
import { openSession } from "../../src/engine/runtime/session.ts";
import { vocabularyWords } from "../../zoo/scenes/vocabulary.ts";
import { type BenchTable, say } from "../report.ts";
import { BareSession } from "./bare-session.ts";
import { photographs, squares } from "./images.ts";
import { ARCHITECTURES, type ArchitectureName, writeExport, writeModel } from "./models.ts";
import { CALM_SHARE, ms, percent, type ServeOptions, times } from "./options.ts";
import { isPeerInstalled, PEER_MISSING, type PeerOutcome, runPeer } from "./peer.ts";
import { inTurns, median } from "./rounds.ts";
import { type Pressure, pooled, type Report, Subject } from "./subject.ts";

/** What an image is to be told apart by. A description is as long as people write them who want to be precise. */
const LABEL_SETS: ReadonlyMap<string, readonly string[]> = new Map([
  ["1 label", words(1)],
  ["20 labels", words(20)],
  ["100 labels", words(100)],
  ["100 descriptions of 24 words", descriptions(100, 24)],
]);
const USUAL = "20 labels";
/** So many that none is waiting twice. */
const IMAGES = 200;
/** Largest difference of probabilities that counts as the same answer. */
const TOLERANCE = 1e-3;
const ROUNDS = 3;

const TEMPLATE = "a photo of a {}.";

function words(count: number): string[] {
  return vocabularyWords().slice(0, count);
}

function descriptions(count: number, length: number): string[] {
  const all = vocabularyWords();
  return Array.from({ length: count }, (_, index) =>
    Array.from({ length }, (_, place) => all[(index + place * 7) % all.length]).join(" "),
  );
}

const labelsOf = (set: string): readonly string[] => LABEL_SETS.get(set) ?? [];
const inputOf = (set: string) => ({ through: { templates: [TEMPLATE] }, labels: labelsOf(set) });

/** The session and the server with as much to do as they can, images a second. */
interface FullRound {
  readonly alone: number;
  readonly decoded: number;
  readonly served: Report;
}

/** Both with little to do. */
interface CalmRound {
  /** Milliseconds of single photographs. */
  readonly singles: readonly number[];
  readonly served: Report;
}

interface Measured {
  readonly full: readonly FullRound[];
  readonly calm: readonly CalmRound[];
  /** Images a second, by the set of labels. */
  readonly served: ReadonlyMap<string, number>;
  readonly peer: ReadonlyMap<string, PeerOutcome>;
  readonly differences: { readonly raw: number; readonly peer?: number };
}

export async function photographTables(
  names: readonly ArchitectureName[],
  options: ServeOptions,
): Promise<BenchTable[]> {
  const measured = new Map<ArchitectureName, Measured>();
  for (const name of names) measured.set(name, await measure(name, options));
  return [sessionTable(measured, options), labelTable(measured)];
}

async function measure(name: ArchitectureName, options: ServeOptions): Promise<Measured> {
  const { device, threads, seconds, folder } = options;
  const { title } = ARCHITECTURES[name];
  const models = join(folder, name);
  const source = await writeModel(models, name);
  const images = await photographs(IMAGES, 1);
  // Both see the same pixels of an image that needs no resizing; of others, transformers.js sees slightly other ones.
  const [square] = await squares(1, 224, 2);
  const files = await writeFiles(join(folder, `${name}-images`), [square, ...images]);
  const peer = await measurePeer(name, source, files, options);

  const settings = { DEVICE: device, MODELS_DIR: models, THREADS: `${threads}`, MAX_WAIT_MS: "1000" };
  const session = BareSession.start({ source, device, threads, seconds, files: files.slice(0, 33) });
  const subject = await Subject.start(settings);
  const load = (set: string, pressure: Omit<Pressure, "bodies">) =>
    subject.load({ bodies: subject.bodies(images, inputOf(set)), ...pressure });
  try {
    const differences = await compare(subject, source, square, await session.measure("embedding"), peer);
    say(`${title}: a session with nothing around it`);
    const capacity = await session.measure("alone");
    say(`${title}: the session and the server in turns`);
    const full = await inTurns<FullRound>(ROUNDS, {
      alone: () => session.measure("alone"),
      decoded: () => session.measure("decoded"),
      served: () => load(USUAL, { rate: 1.15 * capacity, seconds }),
    });
    say(`${title}: both with little to do, in turns`);
    const calm = await inTurns<CalmRound>(ROUNDS, {
      singles: () => session.measure("singles"),
      // One at a time, as those of the session are: a call that waits for another is not what the server adds.
      served: () => load(USUAL, { rate: CALM_SHARE * capacity, seconds: 2 * seconds, gaps: "even" }),
    });
    const served = new Map([[USUAL, median(full.map((round) => round.served.perSecond))]]);
    for (const set of LABEL_SETS.keys()) {
      if (served.has(set)) continue;
      say(`${title}: the server, ${set}`);
      served.set(set, (await load(set, { rate: 1.15 * capacity, seconds })).perSecond);
    }
    return { full, calm, served, peer, differences };
  } finally {
    await Promise.all([subject.stop(), session.stop()]);
  }
}

/** transformers.js for each set of labels; nothing where it is not installed. */
async function measurePeer(
  name: ArchitectureName,
  source: string,
  files: readonly string[],
  { threads, seconds, folder }: ServeOptions,
): Promise<Map<string, PeerOutcome>> {
  const peer = new Map<string, PeerOutcome>();
  if (!isPeerInstalled()) return peer;
  for (const [set, labels] of LABEL_SETS) {
    say(`${ARCHITECTURES[name].title}: transformers.js, ${set}`);
    const path = join(folder, `${name}-export-${peer.size}`);
    await writeExport(
      source,
      path,
      labels.map((label) => fillTemplate(TEMPLATE, label)),
    );
    const task = { folder: path, labels, template: TEMPLATE, images: files, threads, seconds };
    peer.set(set, await runPeer(task));
  }
  return peer;
}

async function writeFiles(folder: string, images: readonly Buffer[]): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  return Promise.all(
    images.map(async (image, index) => {
      const path = join(folder, `${index}`);
      await writeFile(path, image);
      return path;
    }),
  );
}

/** Fails unless the server answers what the session's embedding comes to, and what transformers.js answers. */
async function compare(
  { antidote }: Subject,
  source: string,
  image: Buffer,
  embedding: readonly number[],
  peer: ReadonlyMap<string, PeerOutcome>,
): Promise<Measured["differences"]> {
  const labels = labelsOf(USUAL);
  const checkpoint = await openCheckpoint(source);
  const open = (program: Parameters<typeof openSession>[0]) =>
    openSession(program, { device: "cpu", threads: 1 });
  const matrix = await zeroShotMatrix(open, checkpoint, labels, [TEMPLATE]);
  const expected = score(Float32Array.from(embedding), matrix, checkpoint.logitScale).probabilities;
  const { results } = await antidote.classify(image, { ...inputOf(USUAL), topK: 20 });
  const [answer] = results;
  if (answer.__typename !== "Prediction") throw new Error(`The server refused the image: ${answer.message}`);
  const found = new Map(answer.labels.map(({ label, probability }) => [label, probability]));
  const farthest = (of: (label: string, index: number) => number): number =>
    Math.max(...labels.map((label, index) => Math.abs((found.get(label) ?? Number.NaN) - of(label, index))));
  const theirs = peer.get(USUAL)?.probabilities;
  const differences = {
    raw: farthest((_, index) => expected[index]),
    peer: theirs && farthest((label) => theirs[label]),
  };
  for (const [who, difference] of Object.entries(differences))
    if (difference !== undefined && !(difference <= TOLERANCE))
      throw new Error(
        `The server's probabilities are ${difference} away from ${who}'s: nothing here is comparable.`,
      );
  return differences;
}

function sessionTable(
  measured: ReadonlyMap<ArchitectureName, Measured>,
  { device, threads }: ServeOptions,
): BenchTable {
  return {
    title: `Photographs through the server, beside a session with nothing around it, on ${device}, ${threads} threads`,
    columns: [
      "",
      "session images/s",
      "with decoding",
      "server images/s",
      "of the session",
      "of it with decoding",
      "one photograph ms",
      "by the server ms",
      "added ms",
      "event loop p99 ms",
    ],
    rows: [...measured].map(([name, { full, calm }]) => {
      const shareOf = (whole: (round: FullRound) => number) =>
        percent(median(full.map((round) => round.served.perSecond / whole(round))), 1);
      const single = median(calm.flatMap(({ singles }) => singles));
      const answer = pooled(calm.map(({ served }) => served)).median;
      return [
        ARCHITECTURES[name].title,
        median(full.map(({ alone }) => alone)).toFixed(1),
        median(full.map(({ decoded }) => decoded)).toFixed(1),
        median(full.map(({ served }) => served.perSecond)).toFixed(1),
        shareOf(({ alone }) => alone),
        shareOf(({ decoded }) => decoded),
        ms(single),
        ms(answer),
        ms(answer - single),
        ms(Math.max(...full.map(({ served }) => served.loopP99))),
      ];
    }),
    notes: [
      `JPEG files of 500 × 375 pixels and about 100 kB, all different, one in a call, 20 labels. The session is given pixels, at the best of four sizes of batch; with decoding, it is fed by the server's own decoder on as many threads. Offered is 1.15 times the session's rate, arriving at random. Medians of ${ROUNDS} rounds in turns; shares are those of the rounds' own. Added is the median of calls that come one at a time, at 0.15 times the rate, less that of decoding and running one alone in a process that has as little to do, in turns as well.`,
      ...[...measured].map(
        ([name, { differences }]) =>
          `${ARCHITECTURES[name].title}: the server's probabilities differ by at most ${differences.raw.toExponential(0)} from the session's${differences.peer === undefined ? "" : ` and ${differences.peer.toExponential(0)} from transformers.js's`}.`,
      ),
    ],
  };
}

function labelTable(measured: ReadonlyMap<ArchitectureName, Measured>): BenchTable {
  const rows = [...measured].flatMap(([name, { served, peer }]) =>
    [...LABEL_SETS.keys()].map((set) => {
      const ours = served.get(set) ?? Number.NaN;
      const theirs = peer.get(set)?.perSecond;
      return [
        `${ARCHITECTURES[name].title}, ${set}`,
        ours.toFixed(1),
        ...(theirs === undefined ? ["–", "–"] : [theirs.toFixed(2), times(ours, theirs)]),
      ];
    }),
  );
  const version = [...measured.values()].flatMap(({ peer }) => [...peer.values()])[0]?.version;
  return {
    title: "Labels: the server beside transformers.js's zero-shot pipeline",
    columns: ["", "server images/s", "transformers.js images/s", "times as fast"],
    rows,
    notes: [
      version === undefined
        ? PEER_MISSING
        : `transformers.js ${version} on the same network, threads and files; it encodes the labels again for each image, as \`${TEMPLATE}\`, padded to the longest.`,
    ],
  };
}
