import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readText, VARIABLES } from "./files.ts";

const ROOT = join(__dirname, "../..");

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions of a Dockerfile, each on one line. */
function instructionsOf(file: string): Instruction[] {
  const lines = readText(file)
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n/g, " ")
    .split("\n");
  return lines
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) ?? [];
      if (!name) throw new Error(`${file}: no instruction: ${line}`);
      return { name, text };
    });
}

describe.each(["Dockerfile", "Dockerfile.cuda"])("%s", (file) => {
  const all = instructionsOf(file);
  const last = all.slice(all.findLastIndex(({ name }) => name === "FROM"));
  const texts = (name: string, of = all) => of.filter((one) => one.name === name).map(({ text }) => text);

  test("builds in stages, upon bases that are pinned by a version", () => {
    const bases = texts("FROM").map((text) => text.split(" ")[0]);
    expect(bases).toHaveLength(3);
    for (const base of bases) expect(base).toMatch(/^[\w/]+:\d+\.\d+[\w.-]+$/);
  });

  test("brings along what runs, and nothing that builds or tests", () => {
    const copied = texts("COPY", last);
    expect(copied.some((text) => /--from=dependencies \S*node_modules/.test(text))).toBe(true);
    expect(copied.some((text) => /--from=build \S*dist/.test(text))).toBe(true);
    expect(copied.filter((text) => /\b(src|test)\b/.test(text))).toEqual([]);
    expect(texts("RUN").filter((text) => text.includes("npm ci --omit=dev"))).toHaveLength(1);
    expect(texts("RUN", last).filter((text) => text.includes("npm"))).toEqual([]);
  });

  test("copies only what is there and goes to the builder", () => {
    const allowed = readFileSync(join(ROOT, ".dockerignore"), "utf8").match(/^!(.*)$/gm) ?? [];
    const own = texts("COPY").filter((text) => !text.startsWith("--from"));
    const sources = own.flatMap((text) => text.split(/\s+/).slice(0, -1)).filter((source) => source !== ".");
    for (const source of sources) {
      expect(existsSync(join(ROOT, source))).toBe(true);
      expect(allowed).toContain(`!${source}`);
    }
    const included = (JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8")) as { include: string[] })
      .include;
    for (const folder of included) expect(allowed).toContain(`!${folder}`);
  });

  test("is nobody's root, answers for its health, and passes signals on", () => {
    expect(texts("USER", last)).toEqual(["node"]);
    expect(texts("HEALTHCHECK", last)[0]).toContain("/healthz");
    expect(JSON.parse(texts("ENTRYPOINT", last)[0])).toEqual(["tini", "--", "node", "dist/src/main.js"]);
    expect(JSON.parse(texts("CMD", last)[0])).toEqual(["serve"]);
    expect(texts("EXPOSE", last)).toEqual(["4000"]);
  });

  test("leaves no lists of packages behind, and installs only what it names", () => {
    for (const text of texts("RUN").filter((text) => text.includes("apt-get"))) {
      expect(text).toContain("--no-install-recommends");
      expect(text).toContain("rm -rf /var/lib/apt/lists/*");
    }
  });

  test("sets variables that the program reads", () => {
    const names = texts("ENV").flatMap((text) => text.split(/\s+/).map((pair) => pair.split("=")[0]));
    expect(names.filter((name) => !VARIABLES.has(name))).toEqual([]);
  });
});

test("what the program imports is installed in the images", () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const sources = (readdirSync(join(ROOT, "src"), { recursive: true }) as string[]).filter((file) =>
    file.endsWith(".ts"),
  );
  const imported = sources.flatMap((file) =>
    [
      ...readFileSync(join(ROOT, "src", file), "utf8").matchAll(
        /^(?:import|export|\}).* from "([^".][^"]*)";$/gm,
      ),
    ].map(([, name]) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name),
  );
  const packages = [...new Set(imported)].filter((name) => !name.startsWith("node:"));
  expect(packages.length).toBeGreaterThan(20);
  expect(packages.filter((name) => !(name in dependencies) || name === "typescript")).toEqual([]);
});
