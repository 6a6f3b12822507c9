import { connect, type Socket } from "node:net";

/** What came back, as far as a load generator looks. */
export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

const HEADER_END = Buffer.from("\r\n\r\n");

/**
 * One kept-alive HTTP/1.1 connection that carries one request at a time. The generator shares the machine with the
 * server, so it costs as little as it can: requests are bytes made beforehand, and of an answer only its length is
 * understood. Answers in chunks are not.
 */
export class Connection {
  private socket: Socket | undefined;
  private parts: Buffer[] = [];
  private size = 0;
  private resolve: (reply: Reply) => void = () => {};
  private reject: (error: Error) => void = () => {};

  constructor(
    private readonly host: string,
    private readonly port: number,
  ) {}

  send(request: readonly Buffer[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
      const socket = this.open();
      socket.cork();
      for (const part of request) socket.write(part);
      socket.uncork();
    });
  }

  close(): void {
    this.socket?.destroy();
  }

  private open(): Socket {
    if (this.socket && !this.socket.destroyed) return this.socket;
    const socket = connect({ host: this.host, port: this.port, noDelay: true });
    socket.on("data", (chunk) => this.receive(chunk));
    socket.on("error", (error) => this.reject(error));
    socket.on("close", () => this.reject(new Error("The server closed the connection.")));
    this.parts = [];
    this.size = 0;
    this.socket = socket;
    return socket;
  }

  private receive(chunk: Buffer): void {
    this.parts.push(chunk);
    this.size += chunk.length;
    const reply = replyIn(this.parts.length === 1 ? chunk : Buffer.concat(this.parts, this.size));
    if (!reply) return;
    this.parts = [];
    this.size = 0;
    this.resolve(reply);
  }
}

/** The whole answer, once it is there. */
function replyIn(bytes: Buffer): Reply | undefined {
  const end = bytes.indexOf(HEADER_END);
  if (end < 0) return undefined;
  const header = bytes.toString("latin1", 0, end);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(header)?.[1] ?? 0);
  const start = end + HEADER_END.length;
  if (bytes.length < start + length) return undefined;
  return { status: Number(header.slice(9, 12)), body: bytes.subarray(start, start + length) };
}
