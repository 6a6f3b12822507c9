import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import type { Express } from "express";

/**
 * The HTTP server of an Express application, which makes requests and responses with the application's prototypes.
 * Express gives them these otherwise, at each request anew; V8 then knows no two of them to be alike, and
 * whatever reads a property of one looks for it from the beginning.
 */
export function serverOf(app: Express): Server {
  class Request extends IncomingMessage {}
  class Response extends ServerResponse<Request> {}
  const { request, response } = app as unknown as { request: object; response: object };
  Object.setPrototypeOf(Request.prototype, request);
  Object.setPrototypeOf(Response.prototype, response);
  Object.assign(app, { request: Request.prototype, response: Response.prototype });
  return createServer({ IncomingMessage: Request, ServerResponse: Response }, app);
}
