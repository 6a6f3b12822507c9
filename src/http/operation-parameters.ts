import type { Request } from "express";
import { z } from "zod";
import { AppError } from "../errors.ts";

const record = z.record(z.string(), z.unknown(), "must be an object").nullish();
const text = z.string("must be a string").nullish();

const parameters = z.object(
  { query: text, documentId: text, operationName: text, variables: record, extensions: record },
  "the request must be a JSON object",
);

/** What a request asks for, on whichever transport it comes. */
export type OperationParameters = z.infer<typeof parameters>;

/** Of the query string of a GET, else of the body, which is parsed already. Fails with BAD_USER_INPUT. */
export function parametersOf(request: Request): OperationParameters {
  if (request.method !== "GET" && request.body === undefined) throw noBody();
  const parsed = parameters.safeParse(request.method === "GET" ? fromQueryString(request) : request.body);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => [path.join("."), message].join(" ").trim());
  throw new AppError("BAD_USER_INPUT", `The request is not in order: ${problems.join("; ")}.`);
}

/** A body of another type is not read at all. */
const noBody = (): AppError =>
  new AppError(
    "BAD_USER_INPUT",
    "The request has no JSON in its body: send a JSON object, with the header `content-type: application/json`.",
  );

function fromQueryString({ query }: Request): unknown {
  const { variables, extensions } = query;
  return {
    ...query,
    variables: parseJson("variables", variables),
    extensions: parseJson("extensions", extensions),
  };
}

function parseJson(name: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(String(value));
  } catch {
    throw new AppError("BAD_USER_INPUT", `The parameter \`${name}\` is no JSON.`);
  }
}
