import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { deviceOption } from "./device-option.ts";
import { type BenchTable, say, tell } from "./report.ts";
import { attackedTables } from "./serve/attacked.ts";
import { bundledTables } from "./serve/bundled.ts";
import { ARCHITECTURES, type ArchitectureName } from "./serve/models.ts";
import type { ServeOptions } from "./serve/options.ts";
import { overloadTables } from "./serve/overload.ts";
import { isPeerInstalled, PEER_MISSING } from "./serve/peer.ts";
import { photographTables } from "./serve/photographs.ts";

const SECTIONS = ["bundled", "attacked", "rn50", "vit-b-32", "overload"];

const HELP = `The server under load, beside a session with nothing around it and beside transformers.js; see docs/serving.md.

  node dist/bench/serve.js [--only rn50,overload]

  --only      sections, of ${SECTIONS.join(", ")} (default all)
  --threads   for the server, and for those beside it (default: all cores)
  --device    of the server and the session beside it: cpu (default), cuda, webgpu; transformers.js has the CPU
  --seconds   of each measurement (default 10)
  --json      prints the tables as JSON`;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: SECTIONS.join() },
    threads: { type: "string", default: `${availableParallelism()}` },
    device: { type: "string", default: "cpu" },
    seconds: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function main(sections: readonly string[]): Promise<void> {
  const device = await deviceOption(values.device);
  const folder = await mkdtemp(join(tmpdir(), "antidote-serve-"));
  const [threads, seconds] = [values.threads, values.seconds].map(Number);
  const options: ServeOptions = { device, threads, seconds, folder };
  const names = (Object.keys(ARCHITECTURES) as ArchitectureName[]).filter((name) => sections.includes(name));
  const tables: BenchTable[] = [];
  try {
    if (sections.includes("bundled")) tables.push(...(await bundledTables(options)));
    if (sections.includes("attacked")) tables.push(...(await attackedTables(options)));
    if (names.length > 0 && !isPeerInstalled()) say(PEER_MISSING);
    if (names.length > 0) tables.push(...(await photographTables(names, options)));
    if (sections.includes("overload")) tables.push(...(await overloadTables(options)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  tell(tables, values.json);
}

const sections = values.only.split(",");
const unknown = sections.find((section) => !SECTIONS.includes(section));
if (values.help) say(HELP);
else if (unknown === undefined) await main(sections);
else {
  say(`There is no section "${unknown}"; there are ${SECTIONS.join(", ")}.`);
  process.exitCode = 2;
}
