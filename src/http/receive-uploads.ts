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
    hearEveryError(request);
    receive(request, response, (error?: unknown) => next(error && asProblem(error)));
  };
}

/**
 * A parser that meets a damaged part fails twice, and the library listens once; an error that nobody hears would end
 * the process.
 */
function hearEveryError(request: Request): void {
  const pipe = request.pipe.bind(request);
  request.pipe = (parser, options) =>
    pipe(
      parser.on("error", () => {}),
      options,
    );
}

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
