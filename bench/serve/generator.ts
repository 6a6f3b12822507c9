/** Entry of the load generator's process: the load as JSON in the file named by its argument, the outcome on stdout. */
import { readFile } from "node:fs/promises";
import { type Load, sendLoad } from "./load.ts";

const load = JSON.parse(await readFile(process.argv[2], "utf8")) as Load;
process.stdout.write(JSON.stringify(await sendLoad(load)));
