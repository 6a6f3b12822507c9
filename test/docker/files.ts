import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { environment } from "../../src/config.ts";

export const DOCKER = join(__dirname, "../../docker");

/** Every variable that the program reads. */
export const VARIABLES: ReadonlySet<string> = new Set([
  ...Object.keys(environment.shape),
  // Read by Node's libraries.
  "NODE_ENV",
]);

export const readText = (file: string): string => readFileSync(join(DOCKER, file), "utf8");

export interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
  readonly read_only?: boolean;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export const readCompose = (): Compose => parse(readText("compose.yaml"), { merge: true }) as Compose;

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds are looked at, each for what it should have.
export type Manifest = any;

/** Every document of every manifest for Kubernetes; a file that is no YAML throws. */
export function readManifests(): Manifest[] {
  const files = readdirSync(join(DOCKER, "kubernetes")).filter((file) => file.endsWith(".yaml"));
  return files.flatMap((file) =>
    parseAllDocuments(readText(join("kubernetes", file))).map((document) => {
      if ("errors" in document && document.errors.length > 0) throw document.errors[0];
      return document.toJS();
    }),
  );
}
