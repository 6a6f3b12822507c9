import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readArguments } from "../../src/commands/arguments.ts";
import { runImport } from "../../src/commands/import.ts";
import { importCommand } from "../../src/commands/import-command.ts";
import { inBytes } from "../../src/commands/progress.ts";
import { type Behaviour, startHub } from "../services/hub/hub-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { antidote, start } from "./program.ts";

const MODEL = join(__dirname, "../fixtures/clip/resnet");
const WEIGHTS = "open_clip_model.safetensors";

const files = Object.fromEntries(
  ["open_clip_config.json", WEIGHTS, "tokenizer.json"].map((file) => [
    file,
    new Uint8Array(readFileSync(join(MODEL, file))),
  ]),
);

const hubWith = (...behaviours: Behaviour[]) =>
  startHub({ "owner/tiny": { files, token: "secret", behaviours: { [WEIGHTS]: behaviours } } });

const models = (folder: string) => readdirSync(folder).filter((name) => !name.startsWith("."));

describe("antidote import", () => {
  test("prints what a person wants to know", async () => {
    const folder = temporaryFolder();
    const args = ["import", MODEL, "--models-dir", folder, "--name", "mine", "--normalisation", "none"];
    const { code, out, err } = await antidote(args);
    expect(err).toBe("Looking at the source …\nReading the checkpoint …\nTesting it …\n");
    expect(code).toBe(0);
    for (const line of [
      /^"mine" is in the models folder\.$/m,
      /^ {2}Format +open_clip$/m,
      /^ {2}Architecture +ModifiedResNet/m,
      /^ {2}Parameters +0\.11 million, stored as F32$/m,
      /^ {2}Images +mean 0\.0000 .* \(antidote\.json says .*"normalisation":"none"/m,
      /^ {2}Left out +golden\.safetensors$/m,
      /^ {2}Digest +sha256:[0-9a-f]{64}$/m,
      /^ {2}Self-test +passed on cpu in \d/m,
      /^ +textPadding \S+ \(at most 1\.0e-4\)$/m,
      /registerModel\(.*"mine"/,
    ])
      expect(out).toMatch(line);
    expect(models(folder)).toEqual(["mine"]);
  });

  test("downloads with the token, and prints one line of JSON when asked", async () => {
    const hub = await hubWith({ kind: "status", status: 500 }, { kind: "whole" });
    const folder = temporaryFolder();
    const { code, out, err } = await antidote(["import", "hf:owner/tiny", "--json"], {
      HF_ENDPOINT: hub.url,
      HF_TOKEN: "secret",
      MODELS_DIR: folder,
    });
    expect(code).toBe(0);
    expect(err).toContain("the hub answered 500; trying again in 0.5 s");
    const report = JSON.parse(out);
    expect(report).toMatchObject({ name: "tiny", format: "open_clip", selfTest: { passed: true } });
    expect(out.trim().split("\n")).toHaveLength(1);
    expect(models(folder)).toEqual(["tiny"]);
  });

  test("that is interrupted keeps what has arrived, and goes on from there", async () => {
    const folder = temporaryFolder();
    const variables = { HF_TOKEN: "secret", MODELS_DIR: folder };
    const slow = await hubWith({ kind: "silence" });
    const { child, finished } = start(["import", "hf:owner/tiny"], { ...variables, HF_ENDPOINT: slow.url });
    while (!slow.requests.some(({ path }) => path.endsWith(WEIGHTS)))
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    const { code, err } = await finished;
    expect(code).toBe(130);
    expect(err).toContain("the same command goes on from there");
    expect(models(folder)).toEqual([]);

    const hub = await hubWith({ kind: "whole" });
    const again = await antidote(["import", "hf:owner/tiny"], { ...variables, HF_ENDPOINT: hub.url });
    expect(again.code).toBe(0);
    // The small files had arrived.
    const fetched = hub.requests.map(({ path }) => path).filter((path) => path.includes("/resolve/"));
    expect(new Set(fetched.map((path) => path.split("/").at(-1)))).toEqual(new Set([WEIGHTS]));
    expect(models(folder)).toEqual(["tiny"]);
  });

  test.each([
    [["import", "x", "--modelsdir", "y"], 2, "Did you mean --models-dir?"],
    [["import", "/nowhere/at-all"], 1, "There is no file or folder"],
  ])("%j ends with code %d and the reason", async (args, code, reason) => {
    const result = await antidote(args);
    expect(result).toMatchObject({ code, out: "" });
    expect(result.err).toContain(reason);
  });

  test.each([
    ["--trust", "blindly", /--trust takes one of suspect, trusted, quarantined/],
    [
      "--normalisation",
      "openai",
      /--normalisation takes none, clip, imagenet, half, configuration, or three/,
    ],
    ["--normalisation", "0,0,0/1,1", /three means and three deviations/],
  ])("%s does not take %s", (flag, value, message) => {
    const args = readArguments("import", importCommand, ["x", flag, value]);
    return expect(runImport(args)).rejects.toThrow(message);
  });
});

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [605 * 1024 ** 2, "605.0 MiB"],
  [1.5 * 1024 ** 3, "1.5 GiB"],
])("%d bytes are %s", (count, words) => expect(inBytes(count)).toBe(words));
