import { readConfig } from "../config.ts";
import { AppError } from "../errors.ts";
import { tryStorage } from "../services/storage-check.ts";
import { EXIT } from "./command.ts";

/** Does with the bucket of the settings what servers and workers do, and tells how each step went. */
export async function checkStorage(): Promise<number> {
  const { s3 } = readConfig(process.env);
  if (!s3)
    throw new AppError(
      "INVALID_CONFIGURATION",
      "Without S3_BUCKET the files are in the folders DATA_DIR and MODELS_DIR, and there is no bucket to try.",
    );
  let failed = 0;
  for await (const { what, problem } of tryStorage(s3)) {
    if (problem !== undefined) failed++;
    say(problem === undefined ? `works   ${what}` : `FAILED  ${what}: ${problem}`);
  }
  say(failed === 0 ? "The storage does what is asked of it." : `${failed} of the steps failed.`);
  return failed === 0 ? EXIT.done : EXIT.failed;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
