import type { ServerResponse } from "node:http";
import { isWerfError, messageOf } from "../../core/errors.js";
import { ChildMissingError } from "../store/repository.js";

/** distribution-spec, "Error Codes"; UNKNOWN and PAGINATION_NUMBER_INVALID are CNCF distribution's. */
export type ProtocolCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "PAGINATION_NUMBER_INVALID"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNKNOWN"
  | "UNSUPPORTED";

export interface ProtocolErrorOptions {
  readonly detail?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the client did wrong or asked for in vain; becomes the answer. */
export class ProtocolError extends Error {
  readonly status: number;
  readonly code: ProtocolCode;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: ProtocolCode, message: string, options: ProtocolErrorOptions = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }
}

/** The answer to a failure of the store; undefined when it is the server's own. */
export function protocolErrorOf(error: unknown): ProtocolError | undefined {
  if (error instanceof ProtocolError) return error;
  if (!isWerfError(error)) return undefined;
  if (error instanceof ChildMissingError) {
    const detail = error.missing.map((digest) => ({ digest }));
    return new ProtocolError(400, "MANIFEST_BLOB_UNKNOWN", error.message, { detail });
  }
  switch (error.code) {
    case "oci/digest-mismatch":
    case "oci/digest-invalid":
      return new ProtocolError(400, "DIGEST_INVALID", error.message);
    case "oci/manifest-invalid":
    case "oci/manifest-schema1":
      return new ProtocolError(400, "MANIFEST_INVALID", error.message);
    case "oci/manifest-too-large":
    case "embedded-registry/blob-too-large":
      return new ProtocolError(413, "SIZE_INVALID", error.message, { headers: { connection: "close" } });
    default:
      return undefined;
  }
}

export function sendError(response: ServerResponse, error: ProtocolError): void {
  const { code, message, detail } = error;
  const body = { errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }] };
  sendJson(response, error.status, body, error.headers);
}

export function sendInternalError(response: ServerResponse, error: unknown): void {
  const full = (error as NodeJS.ErrnoException).code === "ENOSPC";
  const what = full ? "the disk of the registry is full" : "the registry failed; see its log";
  sendError(response, new ProtocolError(full ? 507 : 500, "UNKNOWN", what));
}

export function describeFailure(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(JSON.stringify(body));
  send(response, status, { "content-type": "application/json", ...headers }, bytes);
}

/** Answers with a whole body; for HEAD node sends its length and leaves out the bytes. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body?: Uint8Array,
): void {
  const length = status === 204 || status === 304 ? {} : { "content-length": String(body?.length ?? 0) };
  response.writeHead(status, { ...length, ...headers });
  response.end(body);
}
