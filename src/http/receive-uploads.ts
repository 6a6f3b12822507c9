import type { Request, RequestHandler } from "express";
import { graphqlUploadExpress } from "graphql-upload-minimal";
import type { Limits } from "../config.ts";
import { AppError } from "../errors.ts";

/** Reads multipart requests: their operation becomes the body, with the files in it as they come. */
export function receiveUploads({ uploadBytes, uploadFiles, requestBytes }: Limits): RequestHandler {
  const receive = graphqlUploadExpress({
    maxFileSize: uploadBytes,
    maxFiles: uploadFiles,
    maxFieldSize: requestBytes,
  });
  return (request, response, next) => {
    if (!request.is("multipart/form-data")) return next();
    guardParser(request);
    receive(request, response, (error?: unknown) => next(error && asProblem(error)));
  };
}

/** The library makes its parser itself; this is where it can be had. */
function guardParser(request: Request): void {
  const pipe = request.pipe.bind(request);
  request.pipe = (parser, options) => {
    // A parser that meets a damaged part fails twice, and the library listens once; an error that nobody hears would
    // end the process.
    parser.on("error", () => {});
    refuseStrayMaps(parser);
    return pipe(parser, options);
  };
}

/**
 * The library writes files wherever a path of the `map` leads, and `variables.hasOwnProperty.call` leads out of the
 * request into what every object of this process inherits.
 */
function refuseStrayMaps(parser: NodeJS.WritableStream): void {
  const listeners = parser.listeners("field");
  let operations = "";
  parser.removeAllListeners("field").on("field", (name: string, value: string, ...facts: unknown[]) => {
    if (name === "operations") operations = value;
    const stray = name === "map" ? strayPath(operations, value) : undefined;
    // Said at once: were it destroyed, the parser would first go on, and its next complaint would be told.
    if (stray !== undefined) parser.emit("error", leadsNowhere(stray));
    else for (const listener of listeners) listener.call(parser, name, value, ...facts);
  });
}

const leadsNowhere = (path: string): Error =>
  Object.assign(new Error(`The path "${path}" of its \`map\` leads nowhere in its \`operations\`.`), {
    status: 400,
  });

/** The first path of a map that leaves what was sent; of a field that is not in order the library tells what is wrong. */
function strayPath(operations: string, map: string): string | undefined {
  const target = parsed(operations);
  return Object.values(parsed(map) ?? {})
    .flat()
    .find((path) => typeof path === "string" && !isWithin(target, path));
}

function parsed(json: string): object | undefined {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Whether a path goes through what the target itself has. Its end is emptied: no later path goes through a file. */
function isWithin(target: unknown, path: string): boolean {
  const names = path.split(".");
  const last = names.pop() as string;
  let place = target;
  for (const name of names) {
    if (!isObject(place) || !Object.hasOwn(place, name)) return false;
    place = place[name];
  }
  if (!isObject(place)) return false;
  place[last] = null;
  return true;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** The parser's words are for programmers of servers, and some of its errors say that it is the server's fault. */
function asProblem(error: unknown): unknown {
  const { status, message } = error as { readonly status?: number; readonly message?: string };
  if (status === 413) return error;
  const told =
    status === 400 ? message : "Its parts cannot be read; look at its boundary, and whether it is whole.";
  return new AppError(
    "BAD_USER_INPUT",
    `The multipart request is not in order. ${told}`,
    {},
    { cause: error },
  );
}
