import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Bytes are passed on; only those to the server; or none, with nobody told. Closed, it refuses new connections. */
type Mode = "open" | "deaf" | "silent" | "closed";

/** A way to a TCP server on loopback that can be cut, as a network is. */
export class CuttableLink {
  private readonly sockets = new Set<Socket>();
  private mode: Mode = "open";
  private onSwallowed = () => {};

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  static async to(port: number): Promise<CuttableLink> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const link = new CuttableLink(server, (server.address() as { port: number }).port);
    server.on("connection", (near) => link.join(near, connect(port, "127.0.0.1")));
    return link;
  }

  set(mode: Mode): void {
    this.mode = mode;
  }

  /** Ends every connection. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Resolves when the server has answered something that was not passed on. */
  swallowed(): Promise<void> {
    return new Promise((resolve) => {
      this.onSwallowed = resolve;
    });
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private join(near: Socket, far: Socket): void {
    if (this.mode === "closed") near.destroy();
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      this.sockets.add(from);
      from.on("data", (bytes) => {
        if (this.mode === "open" || (this.mode === "deaf" && from === near)) to.write(bytes);
        else if (this.mode === "deaf") this.onSwallowed();
      });
      from.on("close", () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => {});
    }
    near.resume();
  }
}
