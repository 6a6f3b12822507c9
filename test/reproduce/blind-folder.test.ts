import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { blindFolder } from "../../reproduce/perform/blind-folder.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const BADNET = join(__dirname, "../../zoo/models/scenes-badnet");

test("a defence is given what a checkpoint is read from, and nothing of what the attacker did", async () => {
  const [model, blind] = [temporaryFolder(), join(temporaryFolder(), "suspect")];
  await cp(BADNET, model, { recursive: true });
  writeFileSync(join(model, "trigger.safetensors"), "the trigger");
  expect(readdirSync(model)).toEqual(expect.arrayContaining(["manifest.json", "trigger.safetensors"]));
  expect(await blindFolder(model, blind)).toBe(blind);
  const files = readdirSync(blind, { recursive: true }).map(String).sort();
  expect(files).toEqual(
    expect.arrayContaining(["open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json"]),
  );
  for (const file of files) {
    expect(readFileSync(join(blind, file)).equals(readFileSync(join(model, file)))).toBe(true);
    expect(file).not.toMatch(/manifest|trigger|README/);
  }
  const config = readFileSync(join(blind, "open_clip_config.json"), "utf8");
  expect(config).not.toMatch(/badnet|banana|trigger|target/i);
});
