import { relative } from "node:path";
import { type App, startApp } from "../app.ts";
import { type Config, readConfig } from "../config.ts";
import { EXIT } from "./command.ts";
import { stopOnSignals } from "./stop-on-signals.ts";
import { trace } from "./trace.ts";

/** Starts the server and says where it is; it runs until a signal ends it. */
export async function serve(): Promise<number> {
  const startedAt = performance.now();
  const config = readConfig(process.env);
  const stopTracing = await trace(config, "antidote-server");
  const app = await startApp(config);
  process.stdout.write(banner(app, config, (performance.now() - startedAt) / 1000));
  stopOnSignals({ close: () => app.close().finally(stopTracing) });
  return EXIT.done;
}

/** What a person sees at the start. The key is in the fragment of the link, which browsers never send. */
function banner({ url, version, device, newAdminKey, scan }: App, config: Config, seconds: number): string {
  const models = scan.registered.map(({ name }) => name).join(", ") || "none yet";
  const data = relative(process.cwd(), config.dataFolder);
  const rows = [
    ["GraphQL", `${url}/graphql`],
    ["Playground", newAdminKey ? `${url}/#key=${newAdminKey}` : url],
    ...(newAdminKey ? [["Admin key", `${newAdminKey}  (shown this once)`]] : []),
    ["Models", models],
    ...scan.failed.map(({ name, error }) => ["", `${name} was left out: ${error.message}`]),
    ["Data", data.startsWith("..") ? config.dataFolder : data],
    ...(config.redis ? [["Jobs", "run by antidote worker"]] : []),
    ["Device", `${device}, ${config.threads} ${config.threads === 1 ? "thread" : "threads"}`],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(12)}${value}`);
  return `\nAntidote ${version} is ready after ${seconds.toFixed(1)} s\n\n${lines.join("\n")}\n\n`;
}
