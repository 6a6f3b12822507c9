#!/usr/bin/env node
// Libraries check less of what they check at every call; they look when they are loaded.
process.env.NODE_ENV ??= "production";
const { runCommandLine } = await import("./commands/index.ts");

const code = await runCommandLine(process.argv.slice(2));
process.exitCode = code;
// What has failed must not live on by a connection that is still open; zero may be a server that goes on.
if (code !== 0) {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
  process.exit();
}
