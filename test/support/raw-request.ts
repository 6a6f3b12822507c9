import { once } from "node:events";
import { connect } from "node:net";

/** Sends bytes as they are, as no client would, and answers all that comes back until the server is done. */
export async function rawRequest(url: string, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const received: Buffer[] = [];
  socket.on("data", (chunk) => received.push(chunk));
  // A server that refuses early may close before everything was sent.
  socket.on("error", () => {});
  socket.end(bytes);
  await once(socket, "close");
  return Buffer.concat(received).toString("latin1");
}
