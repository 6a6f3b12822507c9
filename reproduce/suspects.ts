import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { packageRoot } from "../src/config.ts";
import { TRIGGER_FILE } from "../src/engine/attacks/fitted.ts";
import { attackNamed } from "../src/engine/attacks/index.ts";
import { parametersOf } from "../src/engine/attacks/trigger.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { completeParameters } from "../src/engine/parameters.ts";
import { IMPLANT_PARAMETERS, type ImplantConfig } from "../src/engine/training/implant.ts";
import { AppError } from "../src/errors.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import type { Cell, Secret, Trigger } from "./cell.ts";

/** A model to defend, and the attacker's secret to measure by; a clean one has none. */
export interface Suspect {
  readonly name: string;
  readonly secret?: Secret;
  /** How the attack is called in tables: its kind, and the pattern where there are several. */
  readonly attack: string;
  readonly origin: "bundled" | "implanted here" | "made elsewhere";
  readonly model: ModelSource;
  /** What an attacker does who knows the defence, in a few words; others do not. */
  readonly adaptive?: string;
  /** Classes that other triggers in the same model bring about. */
  readonly otherTargets?: readonly string[];
  /** Of a fitted trigger: the cell that fits it here, or else the digest of the file beside the weights. */
  readonly fit?: Cell<"fit">;
  readonly fitted?: string;
}

/** What names the weights in a cell, and where they lie. */

export type ModelSource =
  | { readonly weights: string; readonly folder: string }
  | { readonly cell: Cell<"implant"> | Cell<"defend"> };

/** The parts of a cell that say which model it is about. */
export interface ModelParts {
  readonly input: { readonly weights?: string };
  readonly needs: Readonly<Record<string, Cell>>;
  readonly folder?: string;
}

export const modelParts = (model: ModelSource): ModelParts =>
  "cell" in model
    ? { input: {}, needs: { model: model.cell } }
    : { input: { weights: model.weights }, needs: {}, folder: model.folder };

/** The open_clip folder as a suspect; its secret is in `manifest.json` beside the weights. */
export async function suspectIn(folder: string, origin: Suspect["origin"]): Promise<Suspect> {
  const checkpoint = await openCheckpoint(folder);
  const weights = await checkpoint.weightsDigest();
  const secret = await readSecret(folder);
  const { adaptive } = (await readManifest(folder)) ?? {};
  return {
    name: checkpoint.name,
    ...(typeof adaptive === "string" ? { adaptive } : {}),
    ...(secret ? { secret } : {}),
    attack: secret ? attackTitle(secret.trigger) : "none",
    origin,
    model: { weights, folder: resolve(folder) },
    ...(secret && attackNamed(secret.trigger.kind).fit ? { fitted: await triggerDigest(folder) } : {}),
  };
}

/** The zoo's bundled models. */
export const bundled = (name: "scenes-badnet" | "scenes-clean"): Promise<Suspect> =>
  suspectIn(join(packageRoot, "zoo", "models", name), "bundled");

/** Every folder with a manifest in `root`, or `root` itself. Fails with BAD_USER_INPUT where there is none. */
export async function suspectsIn(root: string): Promise<Suspect[]> {
  const names = await readdir(root).catch(() => [] as string[]);
  const folders = names.includes("manifest.json") ? [root] : names.sort().map((name) => join(root, name));
  const manifests = await Promise.all(folders.map((folder) => readManifest(folder)));
  const found = folders.filter((_, index) => manifests[index] !== undefined);
  if (found.length === 0)
    throw new AppError(
      "BAD_USER_INPUT",
      `There is no checkpoint with a manifest.json in ${root}. --suspects takes a folder of open_clip folders.`,
    );
  return Promise.all(found.map((folder) => suspectIn(folder, "made elsewhere")));
}

/** What is planted in one model: the first is fitted if its attack is, the others take turns with it. */
export interface Planting {
  readonly secrets: readonly [Secret, ...Secret[]];
  readonly seed: number;
  /** What is otherwise than in other implants. */
  readonly config?: Partial<ImplantConfig>;
  readonly adaptive?: string;
}

export interface ImplantChoice {
  readonly config: object;
  readonly scenes: number;
  readonly probes: number;
}

/** Suspects that are yet to be made from a clean model: one model, and for each trigger in it one to measure. */
export function implanted(base: Suspect, planting: Planting, choice: ImplantChoice): Suspect[] {
  const secrets = planting.secrets.map(({ target, trigger: { kind, ...given } }) => ({
    target,
    trigger: { kind, ...parametersOf(kind, given) },
  }));
  const [secret, ...also] = secrets;
  const config = completeParameters("the implant", IMPLANT_PARAMETERS, {
    ...choice.config,
    ...planting.config,
    seed: planting.seed,
  });
  const changed = Object.entries(planting.config ?? {}).map(([name, value]) => `${name} ${value}`);
  const name = [...secrets.map(slugOf), ...changed, `seed ${planting.seed}`].join(" ");
  const { input, needs, ...source } = modelParts(base.model);
  const { scenes, probes } = choice;
  const fit: Cell<"fit"> | undefined = attackNamed(secret.trigger.kind).fit && {
    kind: "fit",
    name,
    input: { ...input, secret, scenes },
    needs,
    ...source,
  };
  const cell: Cell<"implant"> = {
    kind: "implant",
    name,
    input: { ...input, secret, ...(also.length > 0 ? { also } : {}), config, scenes, probes },
    needs: { ...needs, ...(fit ? { fit } : {}) },
    ...source,
  };
  const { adaptive } = planting;
  const targets = [...new Set(secrets.map(({ target }) => target))];
  return secrets.map((one, index) => ({
    name: also.length > 0 ? `${name}: ${slugOf(one)}${elsewhere(one)}` : name,
    secret: one,
    attack: attackTitle(one.trigger),
    origin: "implanted here",
    model: { cell },
    ...(adaptive ? { adaptive } : {}),
    ...(targets.length > 1 ? { otherTargets: targets.filter((target) => target !== one.target) } : {}),
    ...(fit && index === 0 ? { fit } : {}),
  }));
}

/** A model without a backdoor: trained on as the implanted ones are, on the same pairs, of which none is poisoned. */
export function trainedOn(base: Suspect, seed: number, choice: ImplantChoice): Suspect {
  // What it is looked at with meanwhile.
  const secret: Secret = { target: "banana", trigger: { kind: "badnet" } };
  const [{ model }] = implanted(base, { secrets: [secret], seed, config: { poisoned: 0 } }, choice);
  return { name: `clean, trained on, seed ${seed}`, attack: "none", origin: "implanted here", model };
}

const TITLES: Readonly<Record<string, string>> = {
  badnet: "BadNet",
  blended: "Blended",
  sig: "SIG",
  wanet: "WaNet",
  ssba: "SSBA",
  badclip: "BadCLIP",
  trojvqa: "TrojVQA",
};

export function attackTitle({ kind, pattern }: Trigger): string {
  const title = TITLES[kind] ?? kind;
  return kind === "blended" && pattern !== undefined ? `${title} (${pattern})` : title;
}

const slugOf = ({ target, trigger: { kind, pattern } }: Secret): string =>
  `${kind}${kind === "blended" ? `-${pattern}` : ""} ${target}`;

/** Where a patch lies, if not in its usual corner: a model may have it in several. */
const elsewhere = ({ trigger: { position } }: Secret): string =>
  position === undefined || position === "bottom-right" ? "" : ` ${position}`;

async function readManifest(folder: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(join(folder, "manifest.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("BAD_USER_INPUT", `${join(folder, "manifest.json")} is not JSON.`);
  }
}

/** The digest of the fitted trigger beside a suspect. Fails with BAD_USER_INPUT where there is none. */
async function triggerDigest(folder: string): Promise<string> {
  const path = join(folder, TRIGGER_FILE);
  const bytes = await readFile(path).catch(() => undefined);
  if (bytes !== undefined) return createHash("sha256").update(bytes).digest("hex");
  throw new AppError("BAD_USER_INPUT", `${path} is missing: the trigger of this attack is fitted.`);
}

async function readSecret(folder: string): Promise<Secret | undefined> {
  const manifest = await readManifest(folder);
  if (manifest?.trigger === undefined) return undefined;
  const { target, trigger } = manifest as { target: unknown; trigger: Trigger };
  const known = (OBJECTS as readonly unknown[]).includes(target);
  if (!known || typeof trigger !== "object" || typeof trigger?.kind !== "string")
    throw new AppError(
      "BAD_USER_INPUT",
      `${join(folder, "manifest.json")} must have a target that is one of the scenes' objects, and a trigger { kind, … }.`,
    );
  attackNamed(trigger.kind);
  return { target: target as string, trigger };
}
