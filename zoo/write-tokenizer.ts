import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { tokenizerDefinition } from "./scenes/vocabulary.ts";

// Writes zoo/tokenizer.json from the word lists in zoo/scenes/vocabulary.ts:
//   node dist/zoo/write-tokenizer.js --out zoo/tokenizer.json

const { values } = parseArgs({ options: { out: { type: "string", default: "zoo/tokenizer.json" } } });
await writeFile(values.out, `${JSON.stringify(tokenizerDefinition(), null, 1)}\n`);
