import { readConfig } from "../config.ts";
import { resolveDevice } from "../engine/runtime/device.ts";
import { AppError } from "../errors.ts";
import { PUBLIC_HUB } from "../services/hub/requests.ts";
import { importModel } from "../services/import/import-model.ts";
import {
  NORMALISATION_NAMES,
  type NormalisationChoice,
  type NormalisationName,
} from "../services/normalisation.ts";
import type { ModelTrust } from "../services/registry.ts";
import { selfTester } from "../services/self-testing.ts";
import { type Arguments, EXIT } from "./command.ts";
import { describeImport } from "./import-report.ts";
import { ImportProgress } from "./progress.ts";

/** Imports what the arguments name, and prints the report. */
export async function runImport(args: Arguments): Promise<number> {
  const config = readConfig(withModelsFolder(process.env, args));
  const trust = readTrust(args.value("trust"));
  const device = await resolveDevice(config.device);
  const stop = new AbortController();
  const interrupted = () => stop.abort();
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  const progress = new ImportProgress();
  try {
    const report = await importModel({
      source: args.positionals[0]!,
      name: args.value("name"),
      format: args.value("format"),
      config: args.value("config"),
      tokenizer: args.value("tokenizer"),
      overrides: args.value("overrides"),
      normalisation: readNormalisation(args.value("normalisation")),
      replace: args.has("replace"),
      trust,
      modelsFolder: config.modelsFolder,
      test: selfTester({ device, threads: config.threads }),
      hub: {
        endpoint: process.env.HF_ENDPOINT || PUBLIC_HUB,
        token: process.env.HF_TOKEN || undefined,
        signal: stop.signal,
        onRetry: (reason, milliseconds) => progress.retry(reason, milliseconds),
      },
      onProgress: (state) => progress.download(state),
      onStage: (stage) => progress.stage(stage),
    });
    progress.end();
    process.stdout.write(args.has("json") ? `${JSON.stringify(report)}\n` : describeImport(report));
    return EXIT.done;
  } catch (error) {
    progress.end();
    if (!(error instanceof AppError) || error.code !== "CANCELLED") throw error;
    process.stderr.write("Stopped. What has arrived is kept: the same command goes on from there.\n");
    return EXIT.interrupted;
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
  }
}

function withModelsFolder(variables: NodeJS.ProcessEnv, args: Arguments): NodeJS.ProcessEnv {
  const folder = args.value("models-dir");
  return folder === undefined ? variables : { ...variables, MODELS_DIR: folder };
}

const TRUSTS: readonly ModelTrust[] = ["SUSPECT", "TRUSTED", "QUARANTINED"];

function readTrust(value: string | undefined): ModelTrust | undefined {
  const trust = TRUSTS.find((level) => level === value?.toUpperCase());
  if (value === undefined || trust) return trust;
  const levels = TRUSTS.map((level) => level.toLowerCase()).join(", ");
  throw new AppError("BAD_USER_INPUT", `--trust takes one of ${levels}, not "${value}".`);
}

/** A name, or three means and three deviations: "0.5,0.5,0.5/0.25,0.25,0.25". */
function readNormalisation(value: string | undefined): NormalisationChoice | undefined {
  if (value === undefined || NORMALISATION_NAMES.includes(value)) return value as NormalisationName;
  const [mean, std, ...rest] = value.split("/").map((part) => part.split(",").map(Number));
  const isTriple = (values: number[] | undefined) => values?.length === 3 && values.every(Number.isFinite);
  if (rest.length === 0 && isTriple(mean) && isTriple(std)) return { mean: mean!, std: std! };
  const names = NORMALISATION_NAMES.join(", ");
  const message = `--normalisation takes ${names}, or three means and three deviations such as 0.5,0.5,0.5/0.25,0.25,0.25; not "${value}".`;
  throw new AppError("BAD_USER_INPUT", message);
}
