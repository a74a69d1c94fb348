import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WerfError } from "../../core/errors.js";
import type { WerfEvent } from "../../core/events.js";
import type { Clock } from "../../core/run-context.js";
import { maxManifestBytes } from "../../oci/manifest.js";
import { openRegistryRoot, type RegistryRoot } from "../store/root.js";
import type { Service } from "./exchange.js";
import { handle } from "./handler.js";
import { SortedTags } from "./sorted-tags.js";
import { UploadSessions } from "./upload-sessions.js";

export interface OpenRegistryOptions {
  /** The directory of the registry; made when first written to. */
  readonly root: string;
  readonly clock: Clock;
  readonly emit: (event: WerfEvent) => void;
  readonly readOnly?: boolean;
  /** Default and upper bound: 4 MiB. */
  readonly maxManifestBytes?: number;
  /** Default: no limit. */
  readonly maxBlobBytes?: number;
  /** How long an unfinished upload waits for its next request, in milliseconds. Default: an hour. */
  readonly uploadExpiryMs?: number;
  /** Whether to force files to the disk. Default true. */
  readonly durable?: boolean;
}

export interface RegistryOptions extends OpenRegistryOptions {
  /** Port 0: a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Closes the server when it aborts. */
  readonly signal: AbortSignal;
}

/** A registry without a port: for a server of one's own, which may look at requests before. */
export interface OpenRegistry {
  readonly root: RegistryRoot;
  /** Answers any request; never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Gives up the uploads under way; to be called when no request is left. */
  close(): Promise<void>;
}

export interface RunningRegistry {
  /** `http://127.0.0.1:5000` */
  readonly url: string;
  /** `127.0.0.1:5000` */
  readonly host: string;
  /** What it serves, to look into without the protocol. */
  readonly root: RegistryRoot;
  /** Takes no new connections, waits for the requests under way, and then (after ten seconds) cuts them off. */
  close(): Promise<void>;
}

const hourMs = 3_600_000;
const idleMs = 5 * 60_000;
const closingMs = 10_000;

export async function openRegistry(options: OpenRegistryOptions): Promise<OpenRegistry> {
  const root = openRegistryRoot(options.root, { durable: options.durable ?? true });
  // What a server that was killed has left; an upload of another process is never a day old.
  await root.sweepStaging(new Date(options.clock.now().getTime() - 24 * hourMs));
  const service: Service = {
    root,
    uploads: new UploadSessions(root.staging, options.clock, options.uploadExpiryMs ?? hourMs),
    sortedTags: new SortedTags(options.clock),
    maxManifestBytes: Math.min(options.maxManifestBytes ?? maxManifestBytes, maxManifestBytes),
    maxBlobBytes: options.maxBlobBytes ?? Number.POSITIVE_INFINITY,
  };
  const handlerOptions = { service, readOnly: options.readOnly ?? false, emit: options.emit };
  return {
    root,
    handle: (request, response) => handle(request, response, handlerOptions),
    close: () => service.uploads.close(),
  };
}

/**
 * Serves a directory by the OCI distribution specification 1.1 (all of end-1 to end-13, deletion of tags, manifests and
 * blobs, the referrers API), and `_catalog`. There is no authentication.
 * @throws WerfError `embedded-registry/listen-failed`
 */
export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  const registry = await openRegistry(options);
  // A large blob takes as long as it takes: there is no limit to a request, only to its headers.
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 60_000, highWaterMark: 1024 * 1024 },
    (request, response) => void registry.handle(request, response),
  );
  // Whoever has gone without a word doesn't hold an upload for ever.
  server.setTimeout(idleMs);
  const host = await listen(server, options.listen);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= stop(server).then(() => registry.close());
    return closed;
  };
  if (options.signal.aborted) await close();
  else options.signal.addEventListener("abort", () => void close(), { once: true });
  return { url: `http://${host}`, host, root: registry.root, close };
}

async function listen(server: Server, where: RegistryOptions["listen"]): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `can't listen on ${where.host}:${where.port}: ${cause.code ?? cause.message}`;
      const hint =
        cause.code === "EADDRINUSE" ? "another program listens there; port 0 takes a free one" : undefined;
      reject(
        new WerfError("embedded-registry/listen-failed", message, {
          cause,
          ...(hint === undefined ? {} : { hint }),
        }),
      );
    });
    server.listen(where.port, where.host, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
}

async function stop(server: Server): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), closingMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cutOff);
}
