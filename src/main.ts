#!/usr/bin/env node
// Libraries check less of what they check at every call; they look when they are loaded.
process.env.NODE_ENV ??= "production";
const { runCommandLine } = await import("./commands/index.ts");

process.exitCode = await runCommandLine(process.argv.slice(2));
