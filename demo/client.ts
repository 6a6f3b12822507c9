import { createClient } from "graphql-ws";
import { WebSocket } from "ws";

/** Answers PNG images with the label of each. */
export type Classifier = (images: readonly Buffer[]) => Promise<string[]>;

/** An outside client of the server: GraphQL over HTTP, subscriptions over WebSocket, and nothing else. */
export class Client {
  private readonly url: string;
  private readonly key: string;

  constructor({ url, key }: { url: string; key: string }) {
    this.url = url;
    this.key = key;
  }

  /** Runs a query or mutation. Fails with the server's own words when it answers with errors. */
  async request<Data>(query: string, variables: Record<string, unknown> = {}): Promise<Data> {
    const response = await fetch(`${this.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.key}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string }[] };
    if (errors?.length || !data)
      throw new Error(errors?.map(({ message }) => message).join("; ") ?? "No data came back.");
    return data;
  }

  /** Follows a subscription until the server completes it. */
  async *follow<Data>(query: string, variables: Record<string, unknown>): AsyncGenerator<Data> {
    const socket = createClient({
      url: `${this.url.replace(/^http/, "ws")}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${this.key}` },
    });
    try {
      for await (const { data, errors } of socket.iterate<Data>({ query, variables })) {
        if (errors?.length) throw new Error(errors.map(({ message }) => message).join("; "));
        if (data) yield data;
      }
    } finally {
      await socket.dispose();
    }
  }
}
