import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface FaultyRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** How often this method asked for this path, this time included; the uploads of a repository count as one path. */
  readonly count: number;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** What goes wrong with a request. */
export type Fault =
  /** The registry isn't asked. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The registry's answer is passed on as `change` makes it. */
  | { readonly kind: "alter"; change(answer: Answer): Answer }
  /** So many bytes of the answer's body come, then the connection is cut; `nothing`: the registry isn't even asked. */
  | { readonly kind: "cut"; readonly after: number | "nothing" }
  /** The same, but the connection stays and is silent. */
  | { readonly kind: "stall"; readonly after: number | "nothing" };

/** `undefined`: all is well. */
export type Faults = (request: FaultyRequest) => Fault | undefined;

/** A proxy in front of a registry that lies, breaks and refuses as it is told. */
export interface FaultyRegistry {
  readonly host: string;
  readonly seen: readonly FaultyRequest[];
  /** From now on; what was seen and counted is forgotten. */
  fail(faults: Faults): void;
  stop(): Promise<void>;
}

export async function startFaultyRegistry(upstream: string): Promise<FaultyRegistry> {
  const upstreamUrl = new URL(`http://${upstream}`);
  let faults: Faults = () => undefined;
  let seen: FaultyRequest[] = [];

  function note(incoming: IncomingMessage): FaultyRequest {
    const { method = "", url: path = "", headers } = incoming;
    const place = placeOf(path);
    const count = 1 + seen.filter((r) => r.method === method && placeOf(r.path) === place).length;
    const noted = { method, path, headers, count };
    seen.push(noted);
    return noted;
  }

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const fault = faults(note(incoming));
    if (fault?.kind === "answer") {
      incoming.resume();
      outgoing.writeHead(fault.status, fault.headers).end(fault.body ?? "");
      return;
    }
    const { kind } = fault ?? {};
    const after = fault !== undefined && "after" in fault ? fault.after : undefined;
    if (after === "nothing") {
      incoming.resume();
      if (kind === "cut") outgoing.destroy();
      return;
    }
    const answer = await forward(upstreamUrl, incoming);
    if (fault === undefined) return send(outgoing, answer);
    if (fault.kind === "alter") return send(outgoing, fault.change(answer));
    outgoing.writeHead(answer.status, headersOf(answer));
    outgoing.write(answer.body.subarray(0, after), () => {
      if (kind === "cut") outgoing.destroy();
    });
  }

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get seen() {
      return seen;
    },
    fail(next) {
      faults = next;
      seen = [];
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const isManifest = ({ method, path }: FaultyRequest): boolean =>
  method === "GET" && path.includes("/manifests/");

export const isBlob = ({ method, path }: FaultyRequest): boolean =>
  method === "GET" && path.includes("/blobs/sha256:");

export function when(applies: (request: FaultyRequest) => boolean, fault: Fault): Faults {
  return (request) => (applies(request) ? fault : undefined);
}

/** JSON, where a body looks like it and no header says otherwise. */
export function answering(status: number, body = "", headers: Record<string, string> = {}): Fault {
  const type = body.startsWith("{") ? { "content-type": "application/json" } : {};
  return { kind: "answer", status, headers: { ...type, ...headers }, body };
}

/** The body of a refusal: distribution-spec, "Error Codes". */
export function registryErrors(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}

/** Another body, of the length that is announced. */
export function withBody(change: (body: Buffer) => Buffer): Fault {
  return {
    kind: "alter",
    change(answer) {
      const body = change(answer.body);
      return { ...answer, body, headers: { ...answer.headers, "content-length": String(body.length) } };
    },
  };
}

/** With one bit in its middle changed. */
export function flipped(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const at = copy.length >> 1;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function placeOf(path: string): string {
  return path.replace(/\/blobs\/uploads\/.*/, "/blobs/uploads/");
}

/** Whole bodies: the tests' blobs are small, and an altered one must be known to its end. */
function forward(upstream: URL, incoming: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const forwarded = request(
      {
        host: upstream.hostname,
        port: upstream.port,
        method: incoming.method,
        path: incoming.url,
        // The registry makes its Location from the host that the client named: this one.
        headers: incoming.headers,
      },
      (answer) => {
        buffer(answer).then(
          (body) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body }),
          reject,
        );
      },
    );
    forwarded.on("error", reject);
    incoming.pipe(forwarded);
  });
}

function send(outgoing: ServerResponse, answer: Answer): void {
  outgoing.writeHead(answer.status, headersOf(answer)).end(answer.body);
}

/** Without those that belong to the connection to the registry behind. */
function headersOf({ headers }: Answer): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || /^(?:connection|keep-alive|transfer-encoding)$/.test(name)
        ? []
        : [[name, value] as const],
    ),
  );
}
