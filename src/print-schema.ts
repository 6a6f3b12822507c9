/** `npm run schema` writes schema.graphql; with `--check` it only says whether the file is up to date. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lexicographicSortSchema, printSchema } from "graphql";
import { packageRoot } from "./config.ts";
import { createSchema } from "./resolvers/schema.ts";

const path = join(packageRoot, "schema.graphql");
const text = `# Generated from src/models and src/resolvers by \`npm run schema\`. Do not edit.\n\n${printSchema(lexicographicSortSchema(createSchema()))}\n`;

if (process.argv.includes("--check")) {
  if ((await readFile(path, "utf8").catch(() => "")) !== text) {
    process.stderr.write("schema.graphql is stale. Run `npm run schema` and commit it.\n");
    process.exitCode = 1;
  }
} else {
  await writeFile(path, text);
}
