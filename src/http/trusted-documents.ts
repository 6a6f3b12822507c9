import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type GraphQLSchema, parse, validate } from "graphql";
import { z } from "zod";
import { AppError } from "../errors.ts";
import type { Caller } from "../services/access.ts";
import type { OperationParameters } from "./operation-parameters.ts";

/** `allow`: documents of the manifest beside all others. `only`: no others, but for keys with the scope `admin`. */
export type TrustMode = "allow" | "only";

/** Pairs of id and text: of an object of documents by id, or of the list of operations that Apollo's tools write. */
const manifest = z.union([
  z
    .object({ operations: z.array(z.object({ id: z.string(), body: z.string() })) })
    .transform(({ operations }) => operations.map(({ id, body }) => [id, body] as const)),
  z.record(z.string(), z.string()).transform((documents) => Object.entries(documents)),
]);

/** Documents that an operator has approved: asked for by id, so that their text does not travel with every request. */
export class TrustedDocuments {
  /** By id, and by the SHA-256 of the text. */
  private readonly texts = new Map<string, string>();

  /** @param documents pairs of id and text. */
  constructor(
    documents: Iterable<readonly [string, string]>,
    private readonly mode: TrustMode,
  ) {
    for (const [id, text] of documents) this.texts.set(id, text).set(sha256(text), text);
  }

  /** Without a manifest: no document has an id, and every one is allowed. */
  static none(): TrustedDocuments {
    return new TrustedDocuments([], "allow");
  }

  /** Fails with INVALID_CONFIGURATION, naming every document that this schema does not know how to answer. */
  static async read(path: string, mode: TrustMode, schema: GraphQLSchema): Promise<TrustedDocuments> {
    const { data: documents } = manifest.safeParse(await readJson(path));
    if (!documents)
      throw unusable(path, 'It must be documents by their ids, or have a list "operations" of { id, body }.');
    const problems = documents.flatMap(([id, text]) =>
      problemsOf(schema, text).map((problem) => `\n  ${id}: ${problem}`),
    );
    if (problems.length > 0)
      throw unusable(path, `Documents in it do not fit the schema:${problems.join("")}`);
    return new TrustedDocuments(documents, mode);
  }

  /**
   * The request with the text of its document, if that may run for this caller. The id is `documentId` or the hash of
   * Apollo's `persistedQuery`; a client never adds a document. Fails with PERSISTED_QUERY_NOT_FOUND or
   * DOCUMENT_NOT_TRUSTED.
   */
  resolve(parameters: OperationParameters, caller: Caller | undefined): OperationParameters {
    const { documentId, ...rest } = parameters;
    const { persistedQuery, ...extensions } = parameters.extensions ?? {};
    const free = parameters.query || undefined;
    const query = free ?? this.find(documentId ?? hashOf(persistedQuery));
    if (this.mode === "only" && !this.isTrusted(free) && !caller?.scopes.includes("admin"))
      throw new AppError(
        "DOCUMENT_NOT_TRUSTED",
        "This server answers only documents that its operator has approved. Ask for one by its `documentId`.",
      );
    return { ...rest, query, extensions };
  }

  /** Of a document that did not come by its id. */
  private isTrusted(text: string | undefined): boolean {
    return text === undefined || this.texts.has(sha256(text));
  }

  private find(id: string | undefined): string | undefined {
    if (id === undefined) return undefined;
    const text = this.texts.get(id) ?? this.texts.get(id.replace(/^sha256:/, ""));
    if (text !== undefined) return text;
    throw new AppError(
      "PERSISTED_QUERY_NOT_FOUND",
      "PersistedQueryNotFound: the operator has approved no such document.",
    );
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function hashOf(persistedQuery: unknown): string | undefined {
  const { sha256Hash } = (persistedQuery ?? {}) as { sha256Hash?: unknown };
  return typeof sha256Hash === "string" ? sha256Hash : undefined;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw unusable(path, (error as Error).message);
  }
}

function problemsOf(schema: GraphQLSchema, text: string): string[] {
  try {
    return validate(schema, parse(text)).map(({ message }) => message);
  } catch (error) {
    return [(error as Error).message];
  }
}

const unusable = (path: string, why: string): AppError =>
  new AppError("INVALID_CONFIGURATION", `TRUSTED_DOCUMENTS, ${path}, cannot be used. ${why}`);
