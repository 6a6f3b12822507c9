import { once } from "node:events";
import { createServer } from "node:http";
import type { Registry } from "prom-client";
import { AppError } from "../errors.ts";

/** What a worker shows, which serves nobody: that it is alive, whether it can work, and its metrics. */
export interface WorkerPortOptions {
  readonly port: number;
  readonly host: string | undefined;
  readonly registry: Registry;
  /** Fails when the worker reaches nothing to work for. */
  readonly assertReady: () => Promise<void>;
}

/** Listens; resolves to its end. Fails with INVALID_CONFIGURATION when the port cannot be had. */
export async function openWorkerPort(options: WorkerPortOptions): Promise<() => Promise<void>> {
  const { port, host, registry } = options;
  const server = createServer(async ({ url }, response) => {
    const answer = (status: number, body: string, type = "text/plain") =>
      response.writeHead(status, { "content-type": type }).end(body);
    if (url === "/healthz") answer(200, "alive");
    else if (url === "/metrics") answer(200, await registry.metrics(), registry.contentType);
    else if (url === "/readyz")
      await options.assertReady().then(
        () => answer(200, "ready"),
        () => answer(503, "not ready"),
      );
    else answer(404, "There is nothing here.");
  });
  server.listen({ port, host });
  await once(server, "listening").catch((cause) => {
    const message = `Port ${port} may not be had. Set METRICS_PORT to another.`;
    throw new AppError("INVALID_CONFIGURATION", message, {}, { cause });
  });
  return async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
}
