import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";

const SOURCES = join(__dirname, "../src");

/** What the files of each folder may import beside their own folder and src/errors.ts. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  engine: [],
  store: [],
  telemetry: [],
  jobs: ["engine", "store", "telemetry"],
  services: ["engine", "jobs", "store", "telemetry"],
  models: ["engine", "jobs", "services"],
  http: ["engine", "jobs", "services", "telemetry", "config.ts", "context.ts"],
  "logger.ts": ["jobs", "telemetry", "config.ts"],
  resolvers: ["engine", "http", "jobs", "models", "services", "context.ts"],
  "config.ts": [],
  "context.ts": ["http", "services"],
  "errors.ts": [],
  // The composition root, and the programs.
  "app.ts": [
    "engine",
    "http",
    "jobs",
    "resolvers",
    "services",
    "store",
    "config.ts",
    "context.ts",
    "logger.ts",
    "storage.ts",
  ],
  "worker.ts": ["engine", "http", "jobs", "services", "config.ts", "logger.ts", "storage.ts"],
  "storage.ts": ["jobs", "store", "config.ts"],
  commands: ["engine", "services", "telemetry", "app.ts", "config.ts", "worker.ts"],
  "main.ts": ["commands"],
  "print-schema.ts": ["config.ts", "resolvers", "schema-types.ts"],
  "schema-types.ts": [],
};

const files = (readdirSync(SOURCES, { recursive: true }) as string[]).filter((file) => file.endsWith(".ts"));

/** The sources that a file imports, types among them only if asked for. */
function importsOf(file: string, options: { types: boolean }): string[] {
  const text = readFileSync(join(SOURCES, file), "utf8");
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^;]*?\sfrom\s+)?"(\.[^"]+)"/gm);
  return [...statements]
    .filter(([, type]) => options.types || type === undefined)
    .map(([, , path]) => relative(SOURCES, resolve(SOURCES, dirname(file), path)));
}

const folderOf = (file: string): string => file.split("/")[0];

describe("imports", () => {
  test("point one way", () => {
    const wrong = files.flatMap((file) =>
      importsOf(file, { types: true })
        .filter((path) => folderOf(path) !== folderOf(file) && path !== "errors.ts")
        .filter((path) => !MAY_IMPORT[folderOf(file)]?.includes(folderOf(path)))
        .map((path) => `${file} imports ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  test("never go around in a circle", () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" → "));
      if (done.has(file) || path.includes(file)) return;
      for (const next of importsOf(file, { types: false })) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("of every file that is there are looked at", () => {
    expect(files.length).toBeGreaterThan(150);
    expect(importsOf("app.ts", { types: true })).toContain("config.ts");
    expect(files.map(folderOf).filter((folder) => !(folder in MAY_IMPORT))).toEqual([]);
  });
});
