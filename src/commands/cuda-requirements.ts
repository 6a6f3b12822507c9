import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** What is asked of a machine before anything is downloaded for its GPU. */
export interface Machine {
  /** As Node tells them, e.g. "linux" and "x64". */
  readonly platform: string;
  readonly architecture: string;
  /** Whether an NVIDIA driver is loaded. */
  readonly driver: boolean;
  /** File names of the shared libraries that a program would find. */
  readonly libraries: readonly string[];
}

/** What ONNX Runtime's CUDA build is documented to need, with who has it. */
const LIBRARIES = [
  { file: "libcudart.so.12", from: "CUDA 12" },
  { file: "libcublas.so.12", from: "CUDA 12" },
  { file: "libcudnn.so.9", from: "cuDNN 9 for CUDA 12" },
] as const;

/** Why CUDA cannot work on a machine, and what to do; the first reason is enough. */
export function obstacleOf({ platform, architecture, driver, libraries }: Machine): string | undefined {
  if (platform !== "linux" || architecture !== "x64")
    return `ONNX Runtime's CUDA libraries are made for Linux on x64, and this is ${platform} on ${architecture}. DEVICE=webgpu may work without any setup.`;
  if (!driver)
    return "No NVIDIA driver is loaded on this machine. Install the driver of its card (525 or newer); in a container, start it with the GPU passed through. To download the libraries nevertheless, add --force.";
  const missing = LIBRARIES.filter(({ file }) => !libraries.includes(file));
  if (missing.length === 0) return undefined;
  const wanted = [...new Set(missing.map(({ from }) => from))].join(" and ");
  return `${missing.map(({ file }) => file).join(", ")} cannot be found${otherVersions(missing, libraries)}. Install ${wanted}, and if it lies in a folder of its own, name that in LD_LIBRARY_PATH.`;
}

/** Whoever has another version should not look for a mistake elsewhere. */
function otherVersions(missing: readonly { readonly file: string }[], libraries: readonly string[]): string {
  const stems = missing.map(({ file }) => file.replace(/\d+$/, ""));
  const others = libraries.filter((name) => stems.some((stem) => name.startsWith(stem))).sort();
  return others.length === 0 ? "" : ` (there is ${others.join(", ")}, which is another version)`;
}

/** This machine. A driver inside WSL shows as a device instead. */
export function thisMachine(libraryCache: string): Machine {
  return {
    platform: process.platform,
    architecture: process.arch,
    driver: ["/proc/driver/nvidia/version", "/dev/dxg"].some((path) => existsSync(path)),
    libraries: [...cached(libraryCache), ...onPath(process.env.LD_LIBRARY_PATH ?? "")],
  };
}

/** Names in the output of `ldconfig -p`. */
const cached = (output: string): string[] =>
  [...output.matchAll(/^\s*(\S+\.so\S*) \(/gm)].map(([, name]) => name);

const onPath = (path: string): string[] =>
  path
    .split(":")
    .filter((folder) => folder !== "" && existsSync(folder))
    .flatMap((folder) => readdirSync(folder).filter((name) => existsSync(join(folder, name))));
