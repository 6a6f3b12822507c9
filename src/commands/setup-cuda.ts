import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type DeviceProbe, probeDevice } from "../engine/runtime/device.ts";
import { AppError } from "../errors.ts";
import { type Arguments, EXIT } from "./command.ts";
import { obstacleOf, thisMachine } from "./cuda-requirements.ts";

const require = createRequire(import.meta.url);
const RUNTIME = dirname(require.resolve("onnxruntime-node/package.json"));
/** What the download adds beside the runtime. */
const ADDED = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];
const LONGEST_LOOK_MILLISECONDS = 15_000;

/** Where ONNX Runtime's own install script downloads from. */
interface InstallMetadata {
  readonly feeds: { readonly nuget: { readonly index: string } };
}

/** Checks the machine, downloads ONNX Runtime's CUDA libraries unless they are there, and tries the GPU. */
export async function setupCuda(args: Arguments): Promise<number> {
  const obstacle = obstacleOf(thisMachine(await libraryCache()));
  if (obstacle && !args.has("force")) throw unavailable(obstacle);
  if (obstacle) tell(`Going on although: ${obstacle}`);
  if (isInstalled() && !args.has("force")) tell("ONNX Runtime's CUDA libraries are there already.");
  else await install();
  return conclude(await probeDevice("cuda"));
}

const isInstalled = (): boolean =>
  ADDED.every((file) => existsSync(join(RUNTIME, "bin/napi-v6/linux/x64", file)));

/** What the dynamic linker finds without being told; nothing where it has no such list. */
async function libraryCache(): Promise<string> {
  const { PATH = "" } = process.env;
  const options = { env: { PATH: `${PATH}:/sbin:/usr/sbin` } };
  return promisify(execFile)("ldconfig", ["-p"], options).then(
    ({ stdout }) => stdout,
    () => "",
  );
}

async function install(): Promise<void> {
  await requireNetwork();
  tell("Downloading ONNX Runtime's CUDA libraries …");
  const script = join(RUNTIME, "script/install.js");
  // Said in the environment too, which is stronger: npm hands a project's "skip" down to its scripts.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "cuda12" };
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [script, "--onnxruntime-node-install=cuda12"], {
      env,
      stdio: "inherit",
    });
    child.on("error", reject);
    child.on("exit", resolve);
  });
  if (code !== 0 || !isInstalled())
    throw unavailable(
      "The download of ONNX Runtime's CUDA libraries failed; its reason is above. Run this again once it is put right.",
    );
}

/** The script itself would end with a stack trace. */
async function requireNetwork(): Promise<void> {
  const { feeds } = require("onnxruntime-node/script/install-metadata.js") as InstallMetadata;
  const { index } = feeds.nuget;
  try {
    const response = await fetch(index, { signal: AbortSignal.timeout(LONGEST_LOOK_MILLISECONDS) });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
  } catch (error) {
    const { message, cause } = error as Error;
    const reason = (cause as Error | undefined)?.message ?? message;
    throw unavailable(
      `The libraries come from ${new URL(index).host}, which cannot be reached: ${reason}. Run this where there is a network; behind a proxy, set GLOBAL_AGENT_HTTPS_PROXY and run ONNX Runtime's own script: ONNXRUNTIME_NODE_INSTALL=cuda12 node ${join("node_modules", "onnxruntime-node", "script", "install.js")}.`,
    );
  }
}

function conclude(probe: DeviceProbe): number {
  if (!probe.works)
    throw unavailable(
      `The libraries are installed, but CUDA does not work: ${probe.reason}. Most often CUDA 12 or cuDNN 9 cannot be found, or the driver is older than they are.`,
    );
  const [gpu, cpu] = [probe.speed, probe.cpuSpeed].map(({ flopsPerMillisecond: flops }) =>
    (flops / 1e6).toFixed(0),
  );
  tell(`CUDA works: matrix products at ${gpu} GFLOP/s, and ${cpu} on the CPU. Set DEVICE=cuda.`);
  return EXIT.done;
}

const tell = (line: string): void => void process.stdout.write(`${line}\n`);

const unavailable = (message: string): AppError =>
  new AppError("GPU_UNAVAILABLE", message, { device: "cuda" });
