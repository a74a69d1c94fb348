import type { IncomingMessage, ServerResponse } from "node:http";
import { type Digest, isDigest } from "../../oci/digest.js";
import { isTag } from "../../oci/reference.js";
import type { EmbeddedRepository } from "../store/repository.js";
import type { RegistryRoot } from "../store/root.js";
import { ProtocolError } from "./answer.js";
import type { Metrics } from "./metrics.js";
import type { SortedTags } from "./sorted-tags.js";
import type { UploadSessions } from "./upload-sessions.js";

/** What the routes work on. */
export interface Service {
  readonly root: RegistryRoot;
  readonly uploads: UploadSessions;
  readonly sortedTags: SortedTags;
  readonly maxManifestBytes: number;
  readonly maxBlobBytes: number;
  readonly readOnly: boolean;
  readonly metrics: Metrics;
}

/** One request and its answer. */
export interface Exchange {
  readonly service: Service;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path as it came. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** @throws ProtocolError DIGEST_INVALID */
export function wantDigest(text: string | null): Digest {
  if (text !== null && isDigest(text)) return text;
  throw new ProtocolError(
    400,
    "DIGEST_INVALID",
    "a digest is sha256: or sha512: and lower-case hexadecimal digits",
    {
      detail: { digest: text?.slice(0, 200) ?? null },
    },
  );
}

/**
 * A tag or a digest. What can't be a tag isn't there for who reads, and is an error for who writes.
 * @throws ProtocolError DIGEST_INVALID
 */
export function readReference(text: string): Digest | string | undefined {
  if (text.includes(":")) return wantDigest(text);
  return isTag(text) ? text : undefined;
}

/** The error for what isn't in the repository: says so when it is the repository that isn't there. */
export async function notFound(
  repository: EmbeddedRepository,
  code: "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN",
  detail: object,
): Promise<ProtocolError> {
  if (!(await repository.exists())) return nameUnknown(repository.name);
  const what = code === "BLOB_UNKNOWN" ? "blob" : "manifest";
  return new ProtocolError(404, code, `${what} unknown to the repository`, { detail });
}

export function nameUnknown(name: string): ProtocolError {
  return new ProtocolError(404, "NAME_UNKNOWN", "repository name not known to registry", {
    detail: { name },
  });
}

/** Whether the client has this content already: RFC 9110, 13.1.2. */
export function matchesEtag(request: IncomingMessage, etag: string): boolean {
  const header = request.headers["if-none-match"];
  return header?.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag) ?? false;
}

/** The body; leaving off in the middle keeps the connection, so that the client can be told why. */
export function bodyOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}
