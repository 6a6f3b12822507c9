/**
 * `npm run schema` writes schema.graphql and the client's types of it; with `--check` it only says whether they are up
 * to date.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lexicographicSortSchema, printSchema } from "graphql";
import { packageRoot } from "./config.ts";
import { createSchema } from "./resolvers/schema.ts";
import { printTypes } from "./schema-types.ts";

const schema = createSchema();
const note = "Generated from src/models and src/resolvers by `npm run schema`. Do not edit.";
const files = {
  "schema.graphql": `# ${note}\n\n${printSchema(lexicographicSortSchema(schema))}\n`,
  "client/schema.ts": `// ${note}\n\n${printTypes(schema)}`,
};

for (const [name, text] of Object.entries(files)) {
  const path = join(packageRoot, name);
  if (!process.argv.includes("--check")) await writeFile(path, text);
  else if ((await readFile(path, "utf8").catch(() => "")) !== text) {
    process.stderr.write(`${name} is stale. Run \`npm run schema\` and commit it.\n`);
    process.exitCode = 1;
  }
}
