import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import express, { type Router } from "express";
import { packageRoot } from "../config.ts";

const packages = createRequire(import.meta.url);

/** Files of installed packages that the page loads: package and path. Nothing comes from another server. */
const VENDORED: Readonly<Record<string, readonly [string, string]>> = {
  "graphiql.css": ["graphiql", "graphiql.min.css"],
  "graphiql.js": ["graphiql", "graphiql.min.js"],
  "react.js": ["react", "umd/react.production.min.js"],
  "react-dom.js": ["react-dom", "umd/react-dom.production.min.js"],
};

/** GraphiQL at `/`, ready to use offline. */
export function playground(): Router {
  const router = express.Router();
  const folder = join(packageRoot, "playground");
  router.get("/", (_request, response) => response.sendFile(join(folder, "index.html")));
  router.use("/playground", express.static(folder, { index: false }));
  // Several small modules that import each other by relative names.
  router.use("/playground/graphql-ws", express.static(dirname(packages.resolve("graphql-ws/client"))));
  for (const [name, [owner, file]] of Object.entries(VENDORED)) {
    const path = join(dirname(packages.resolve(`${owner}/package.json`)), file);
    router.get(`/playground/${name}`, (_request, response) => response.sendFile(path, { maxAge: "1h" }));
  }
  return router;
}
