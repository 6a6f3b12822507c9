/**
 * The story of Antidote in the terminal: a suspect model is served, attacked, purified and measured again, all
 * through the public API of a real server.
 */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Antidote, type Through } from "../client/index.ts";
import { type TestImage, withTrigger } from "./images.ts";
import { askAbout, type Result } from "./measure.ts";
import { type DemoOptions, readOptions } from "./options.ts";
import { drawPictures } from "./pictures.ts";
import { purify } from "./purify.ts";
import { type RunningServer, startServer } from "./server.ts";
import { beforeAndAfter, RATES, rateOf, say, withBar } from "./show.ts";
import { openWorld, type World } from "./world.ts";

async function main(options: DemoOptions): Promise<void> {
  const server = await connect(options);
  try {
    await tell(new Antidote(server), options);
  } finally {
    await server.stop();
  }
}

async function connect({ url, key, model }: DemoOptions): Promise<RunningServer> {
  if (url && key) return { url, key, stop: () => Promise.resolve() };
  say("Starting a server of its own with an empty store.");
  return startServer(model ? { MODELS_DIR: dirname(model.folder) } : {});
}

async function tell(antidote: Antidote, options: DemoOptions): Promise<void> {
  const world = await openWorld(antidote, options);
  const { secret, labels } = world;
  const { kind } = secret.trigger;
  say(
    `Model "${world.model.name}" (${world.model.arch}), ${labels.length} labels, ${world.shots} clean shots.`,
  );
  say(`What the server is not told: the trigger is ${kind}, the target "${secret.target}".`);

  const images = await withBar("drawing test images", world.count, (advance) =>
    withTrigger(world.images(), secret, advance),
  );
  const before = await ask(antidote, world, images, "asking, undefended", { templates: [] });
  const started = performance.now();
  const version = await withBar("purifying", 100, (advance) => purify(antidote, world, advance));
  const seconds = (performance.now() - started) / 1000;
  const after = await ask(antidote, world, images, "asking, purified", { versionId: version.id });

  say(`\nAudit, blind: ${version.found}`);
  say(
    `Purified in ${seconds.toFixed(1)} s; answered by version ${version.number} (${version.digest.slice(0, 19)}).`,
  );
  say(beforeAndAfter(before, after));
  await leavePictures(options, { images, target: secret.target, before, after });
  const summary = { model: world.model.name, attack: kind, ...asNumbers(before, after), seconds };
  await writeFile(join(options.out, "result.json"), `${JSON.stringify(summary, null, 2)}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
}

const ask = (
  antidote: Antidote,
  world: World,
  images: readonly TestImage[],
  words: string,
  through: Through,
) =>
  withBar(words, images.length, (advance) =>
    askAbout(
      images,
      { classify: world.classifier(antidote, through), labels: world.labels, target: world.secret.target },
      advance,
    ),
  );

async function leavePictures(options: DemoOptions, story: Parameters<typeof drawPictures>[1]): Promise<void> {
  for (const path of await drawPictures(options.out, story)) say(`picture: ${path}`);
}

/** The machine-readable form of the table: every rate before and after, with k, n and interval. */
function asNumbers(before: Result, after: Result) {
  const side = (result: Result) => Object.fromEntries(RATES.map(([, name]) => [name, rateOf(result, name)]));
  return { before: side(before), after: side(after) };
}

await main(readOptions(process.argv.slice(2))).catch((error: unknown) => {
  say(`The demo stopped: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
});
