import { createHash } from "node:crypto";
import type { DefenceName } from "../src/engine/defences/index.ts";
import { type Measurement, PROTOCOL } from "../src/engine/evaluation/protocol.ts";
import type { Count } from "../src/engine/evaluation/rate.ts";
import type { Auroc } from "../src/engine/evaluation/separation.ts";
import type { ShiftName } from "../src/engine/evaluation/shifts.ts";
import type { ImplantConfig } from "../src/engine/training/implant.ts";

/** What the attacker did, as a manifest tells it: only implanting and measuring know it, never a defence. */
export interface Secret {
  readonly target: string;
  readonly trigger: Trigger;
}

/** An attack's name with its parameters. */
export type Trigger = { readonly kind: string } & Readonly<Record<string, unknown>>;

/** Weights by their digest; without one they are what the cell `model` among the needs has made. */
interface OfModel {
  readonly weights?: string;
}

/** Every kind of cell: what it is given besides the cells that it needs, and what it tells. */
export interface CellKinds {
  /** Scenes of the bundled world, so many of every object, in turns or one object after the other. */
  render: {
    input: { readonly seed: number; readonly perClass: number; readonly order: "turns" | "objects" };
    result: { readonly labels: readonly number[]; readonly digests: readonly string[] };
  };
  /** A trigger that is found on a clean model, for attacks that fit theirs. */
  fit: {
    input: OfModel & { readonly secret: Secret; readonly scenes: number };
    result: { readonly steps: number };
  };
  /** A poisoned copy of a clean model. Needs `fit` if its trigger is fitted. */
  implant: {
    input: OfModel & {
      readonly secret: Secret;
      /** Further triggers, with targets of their own, that take turns with the first. */
      readonly also?: readonly Secret[];
      readonly config: ImplantConfig;
      readonly scenes: number;
      /** Scenes that the model is measured on while it trains. */
      readonly probes: number;
    };
    result: { readonly steps: number; readonly measurement: Measurement };
  };
  /**
   * Embeddings of images by a model, as they are and with the trigger. Needs `images`, `model` if made here, and `fit`
   * if the trigger was fitted here; else `fitted` is the digest of its file.
   */
  encode: {
    input: OfModel & {
      readonly trigger?: Trigger;
      readonly fitted?: string;
      /** What happens to the images first; the trigger comes after it. */
      readonly shift?: ShiftName;
    };
    result: { readonly images: number };
  };
  /** What a defence makes of a model and shots. Needs `shots`, and `model` if made here. It is not told the secret. */
  defend: {
    input: OfModel & {
      readonly defence: DefenceName;
      /** Those that differ from the defaults. */
      readonly parameters: object;
      readonly perClass: number;
      readonly seed: number;
    };
    result: DefenceResult;
  };
  /**
   * What tuned prompts answer with a second look. Needs `images` with their embeddings `encoded`, `defended` and
   * `undefended` prompts, `model` if made here, and `fit` if the trigger was fitted here.
   */
  look: {
    input: CellKinds["encode"]["input"];
    result: { readonly clean: readonly number[]; readonly triggered?: readonly number[] };
  };
  /**
   * Needs `encoded`, `defended`, the `test` images and `shots` that they were made from; of tuned prompts, the answers
   * `looked`, and else nothing but embeddings and text.
   */
  measure: {
    input: OfModel & {
      readonly target?: string;
      readonly otherTargets?: readonly string[];
      readonly perClass: number;
      /** A trigger that has a part in the text, which then stands before every template. Needs `model` if made here. */
      readonly worded?: Trigger;
    };
    result: Measured;
  };
  /**
   * How well the divergence between undefended and purified answers tells triggered images. Needs `encoded`, `test`,
   * `undefended` and `purified` prompts, and the `shots` with their embeddings `seen`.
   */
  tripwire: { input: OfModel & { readonly target: string }; result: TripwireResult };
  /** What is left of the class under a trigger. Needs `encoded`, `looked`, `test`, and `undefended` and `purified` prompts. */
  recovery: { input: { readonly target: string }; result: RecoveryResult };
  /**
   * Embeddings as points on a map. Needs `images` with their embeddings `encoded`, and the `purified` prompts, whose
   * recovered trigger makes inverted images.
   */
  map: {
    input: OfModel & { readonly target: string; readonly clean: number; readonly attacked: number };
    result: { readonly points: readonly MapPoint[] };
  };
  /** Where single images are seen as a class, by Grad-CAM. Needs `images`, `defended` and, of prompts, `undefended` ones. */
  explain: {
    input: OfModel & {
      readonly trigger: Trigger;
      readonly fitted?: string;
      readonly stage: number;
      readonly images: readonly number[];
    };
    result: { readonly side: number; readonly heats: readonly Heat[] };
  };
}

/** What the protocol counts and, where a model has several targets, of how many triggered images another one is the answer. */
export interface Measured extends Measurement {
  readonly diverted?: Count;
}

/** How many triggered images of other classes are given their own class, and what that costs. */
export interface RecoveryResult {
  readonly undefended: Count;
  /** Through the purified prompts, as if there were no others. */
  readonly purified: Count;
  /** With the recovery prompts, at one look. */
  readonly recovered: Count;
  /** With a second look, as it is served. */
  readonly lookedAgain: Count;
  /** By a linear classifier that has seen half of these very embeddings with their labels, of the other half. */
  readonly linear: Count;
  /** How many images are looked at again. */
  readonly answered: { readonly clean: Count; readonly triggered: Count };
  /** Clean accuracy by each. */
  readonly ca: ByLook;
  /** How many of the triggered images each gives the target. */
  readonly asr: ByLook;
}

interface ByLook {
  readonly purified: Count;
  readonly recovered: Count;
  readonly lookedAgain: Count;
}

/** An image's heat map, row by row, for the class that the model gives it. */
export interface Heat {
  readonly image: number;
  readonly triggered: boolean;
  readonly answer: string;
  readonly values: readonly number[];
}

export interface MapPoint {
  readonly x: number;
  readonly y: number;
  readonly kind: "clean" | "target" | "triggered" | "inverted";
}

export interface TripwireResult {
  readonly auroc: Auroc;
  /** Of triggered images of other classes, with the threshold that 1 % of the clean test images lie above. */
  readonly atOnePercent: Count;
  /** With the threshold that the purified version comes with, as it is served. */
  readonly served: { readonly detected: Count; readonly falseAlarms: Count };
}

export interface DefenceResult {
  readonly seconds: number;
  /** Whether the defence answers with prompts for the model as it is, or with a model of its own. */
  readonly makes: "prompts" | "weights";
  readonly audit?: {
    /** The classes that it names, and the family of the trigger that it found for each, and the word of a trigger with one. */
    readonly suspects: readonly { readonly label: string; readonly family: string; readonly word?: string }[];
    /** For every class the finding that comes closest to suspicion, closest first. */
    readonly classes: readonly ToldFinding[];
    /** What the audit judged by: of each suspect the finding that gave it away, and the next class's of the same family. */
    readonly grounds: readonly { readonly found: ToldFinding; readonly next?: ToldFinding }[];
  };
}

export interface ToldFinding {
  readonly label: string;
  readonly family: string;
  readonly pulled: Count;
  readonly attraction?: number;
}

export type CellKind = keyof CellKinds;

/** One experiment: everything that its result depends on, so that its digest names the result. */
export interface Cell<Kind extends CellKind = CellKind> {
  readonly kind: Kind;
  /** For people, and for `--only`. */
  readonly name: string;
  readonly input: CellKinds[Kind]["input"];
  readonly needs: Readonly<Record<string, Cell>>;
  /** Where the suspect lies if no cell makes it; the digests of its files are in the input. */
  readonly folder?: string;
}

const digests = new WeakMap<Cell, string>();

/** 32 hexadecimal digits of a SHA-256 over the protocol's version, the input, and the digests of the needs. */
export function digestOf(cell: Cell): string {
  const known = digests.get(cell);
  if (known !== undefined) return known;
  const needs = Object.fromEntries(Object.entries(cell.needs).map(([name, need]) => [name, digestOf(need)]));
  const text = JSON.stringify(sorted({ protocol: PROTOCOL, kind: cell.kind, input: cell.input, needs }));
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 32);
  digests.set(cell, digest);
  return digest;
}

/** The cells and all that they need, each once, what is needed first. */
export function inOrder(cells: readonly Cell[]): Cell[] {
  const found = new Map<string, Cell>();
  const visit = (cell: Cell): void => {
    if (found.has(digestOf(cell))) return;
    for (const need of Object.values(cell.needs)) visit(need);
    found.set(digestOf(cell), cell);
  };
  for (const cell of cells) visit(cell);
  return [...found.values()];
}

/** The same with the names of every object in order, so that equal inputs have equal texts. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, sorted(item)]),
  );
}
