import { copyFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { testCheckpoint } from "../../../src/engine/clip/self-test-tasks.ts";
import { importModel } from "../../../src/services/import/import-model.ts";
import { malicious, wrapped } from "../../engine/pickle/fixtures.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const OPENAI = join(__dirname, "../../fixtures/pickle/openai-vit");

function bringIn(source: string, modelsFolder: string) {
  return importModel({
    source,
    name: "suspect",
    modelsFolder,
    replace: false,
    hub: { endpoint: "http://127.0.0.1:1", firstWait: 1 },
    test: async (folder) => ({
      ...(await testCheckpoint({ folder, device: "cpu", threads: 1 })),
      device: "cpu",
      at: new Date(0).toISOString(),
    }),
  });
}

/** A folder with a lone pickle of a training run, and its tokenizer. */
function run(): { weights: string; modelsFolder: string } {
  const folder = temporaryFolder();
  for (const file of ["ViT.pt", "tokenizer.json"]) copyFileSync(join(OPENAI, file), join(folder, file));
  renameSync(join(folder, "ViT.pt"), join(folder, "epoch_3.ckpt"));
  return { weights: join(folder, "epoch_3.ckpt"), modelsFolder: temporaryFolder() };
}

test("a lone pickle is imported, and what was taken for granted is a warning", async () => {
  const { weights, modelsFolder } = run();
  const report = await bringIn(weights, modelsFolder);
  expect(report).toMatchObject({
    format: "PyTorch",
    files: ["epoch_3.ckpt", "tokenizer.json"],
    dtypes: ["F16", "F32"],
    warnings: [expect.stringContaining("QuickGELU")],
    selfTest: { passed: true },
  });
  expect(readdirSync(join(modelsFolder, "suspect")).sort()).toEqual(["epoch_3.ckpt", "tokenizer.json"]);
});

test("a malicious pickle is refused, and nothing of it is left", async () => {
  const { weights, modelsFolder } = run();
  const { pickle } = malicious.find(({ name }) => name === "REDUCE of builtins.eval")!;
  writeFileSync(weights, wrapped(pickle, "legacy"));
  await expect(bringIn(weights, modelsFolder)).rejects.toMatchObject({
    code: "UNSAFE_ARTIFACT",
    details: { global: "builtins.eval" },
  });
  expect(readdirSync(modelsFolder)).not.toContain("suspect");
});
