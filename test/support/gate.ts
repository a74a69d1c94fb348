import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
}

/** A door in front of a registry that counts what passes and can close after an exact request. */
export interface Gate {
  readonly host: string;
  readonly seen: readonly SeenRequest[];
  /**
   * The n-th request from now on (1-based) still reaches the registry, but its answer is lost; then `onClosed`
   * is called and every connection is cut until `open` is called.
   */
  closeAfter(n: number, onClosed: () => void): void;
  open(): void;
  /** Forgets what was seen. */
  reset(): void;
  /** From now on another registry stands behind the same address. */
  lead(upstream: string): void;
  stop(): Promise<void>;
}

export async function startGate(upstream: string): Promise<Gate> {
  let seen: SeenRequest[] = [];
  let left = Number.POSITIVE_INFINITY;
  let closed = false;
  let onClosed: () => void = () => undefined;
  let upstreamUrl = new URL(`http://${upstream}`);

  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (closed) {
      incoming.socket.destroy();
      return;
    }
    seen.push({ method: incoming.method ?? "", path: incoming.url ?? "" });
    const isLast = --left === 0;
    if (isLast) closed = true;
    const forwarded = request(
      {
        host: upstreamUrl.hostname,
        port: upstreamUrl.port,
        method: incoming.method,
        path: incoming.url,
        // The registry makes its Location from the host that the client named: the gate's.
        headers: incoming.headers,
      },
      (answer) => {
        if (isLast) {
          answer.resume();
          answer.on("end", () => {
            incoming.socket.destroy();
            onClosed();
          });
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forwarded.destroy());
    if (isLast) outgoing.removeAllListeners("close");
    incoming.pipe(forwarded);
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get seen() {
      return seen;
    },
    closeAfter(n, callback) {
      left = n;
      onClosed = callback;
    },
    open() {
      closed = false;
      left = Number.POSITIVE_INFINITY;
    },
    reset() {
      seen = [];
    },
    lead(host) {
      upstreamUrl = new URL(`http://${host}`);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
