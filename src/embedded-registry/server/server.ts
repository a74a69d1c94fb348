import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { messageOf, WerfError } from "../../core/errors.js";
import type { WerfEvent } from "../../core/events.js";
import type { Clock } from "../../core/run-context.js";
import { maxManifestBytes } from "../../oci/manifest.js";
import { openRegistryRoot, type RegistryRoot } from "../store/root.js";
import type { Service } from "./exchange.js";
import { handle } from "./handler.js";
import { Metrics } from "./metrics.js";
import { PasswordFile } from "./password-file.js";
import { SortedTags } from "./sorted-tags.js";
import { maxUploads, UploadSessions } from "./upload-sessions.js";

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
  /** How many uploads may be under way at once. Default and upper bound: 2000. */
  readonly maxUploads?: number;
  /** File of users and bcrypt hashes, as `htpasswd -B` writes it; who isn't in it gets nothing. Default: no passwords. */
  readonly htpasswd?: string;
  /** How long an unfinished upload waits for its next request, in milliseconds. Default: an hour. */
  readonly uploadExpiryMs?: number;
  /** Whether to force files to the disk. Default true. */
  readonly durable?: boolean;
}

export interface RegistryOptions extends OpenRegistryOptions {
  /** Port 0: a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM: the certificate with its chain, and its key. Absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
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
const sweepMs = 60_000;

/** @throws WerfError `embedded-registry/htpasswd-invalid` */
export async function openRegistry(options: OpenRegistryOptions): Promise<OpenRegistry> {
  const users =
    options.htpasswd === undefined ? undefined : await PasswordFile.open(options.htpasswd, options.emit);
  const root = openRegistryRoot(options.root, { durable: options.durable ?? true });
  const readOnly = options.readOnly ?? false;
  const expiryMs = options.uploadExpiryMs ?? hourMs;
  const limit = Math.min(options.maxUploads ?? maxUploads, maxUploads);
  // What a server that was killed has left; an upload of another process is never a day old.
  if (!readOnly) await root.sweepStaging(new Date(options.clock.now().getTime() - 24 * hourMs));
  const service: Service = {
    root,
    uploads: new UploadSessions(root.staging, options.clock, expiryMs, limit),
    sortedTags: new SortedTags(options.clock),
    maxManifestBytes: Math.min(options.maxManifestBytes ?? maxManifestBytes, maxManifestBytes),
    maxBlobBytes: options.maxBlobBytes ?? Number.POSITIVE_INFINITY,
    readOnly,
    metrics: new Metrics(),
  };
  // Abandoned uploads give their room back also when no other comes.
  const sweeping = setInterval(
    () => void service.uploads.sweep().catch(() => undefined),
    Math.min(expiryMs, sweepMs),
  );
  sweeping.unref();
  const handlerOptions = { service, emit: options.emit, ...(users === undefined ? {} : { users }) };
  return {
    root,
    handle: (request, response) => handle(request, response, handlerOptions),
    close() {
      clearInterval(sweeping);
      return service.uploads.close();
    },
  };
}

/**
 * Serves a directory by the OCI distribution specification 1.1 (all of end-1 to end-13, deletion of tags, manifests and
 * blobs, the referrers API), `_catalog`, and for operators `/healthz` and `/metrics`.
 * @throws WerfError `embedded-registry/listen-failed`, `embedded-registry/tls-invalid`, `embedded-registry/htpasswd-invalid`
 */
export async function startRegistry(options: RegistryOptions): Promise<RunningRegistry> {
  const server = createServerFor(options);
  const registry = await openRegistry(options);
  server.on("request", (request, response) => void registry.handle(request, response));
  // Whoever has gone without a word doesn't hold an upload for ever.
  server.setTimeout(idleMs);
  const host = await listen(server, options.listen).catch(async (error: unknown) => {
    await registry.close();
    throw error;
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= stop(server).then(() => registry.close());
    return closed;
  };
  if (options.signal.aborted) await close();
  else options.signal.addEventListener("abort", () => void close(), { once: true });
  return {
    url: `${options.tls === undefined ? "http" : "https"}://${host}`,
    host,
    root: registry.root,
    close,
  };
}

function createServerFor({ tls }: RegistryOptions): Server {
  // A large blob takes as long as it takes: there is no limit to a request, only to its headers.
  const settings = {
    requestTimeout: 0,
    headersTimeout: 60_000,
    keepAliveTimeout: 60_000,
    highWaterMark: 1024 * 1024,
  };
  if (tls === undefined) return createServer(settings);
  try {
    return createTlsServer({ ...settings, ...tls });
  } catch (cause) {
    throw new WerfError(
      "embedded-registry/tls-invalid",
      `the certificate or its key is no good: ${messageOf(cause)}`,
      { cause, hint: "both are PEM, the key without a passphrase, and the one that the certificate is for" },
    );
  }
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
  // A connection that is kept alive after the answer that was under way.
  const idle = setInterval(() => server.closeIdleConnections(), 50);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(cutOff);
  clearInterval(idle);
}
