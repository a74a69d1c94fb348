import type { IncomingMessage } from "node:http";
import { algorithmOf, digestOf, isDigest } from "../../oci/digest.js";
import { parseJsonObject, parseManifest, type RawManifest } from "../../oci/manifest.js";
import { isTag } from "../../oci/reference.js";
import { subjectOf } from "../store/referrer-files.js";
import { ProtocolError, send } from "./answer.js";
import { bodyOf, type Exchange, matchesEtag, notFound, readReference } from "./exchange.js";
import type { RouteOf } from "./route.js";

/** end-3: GET and HEAD; the bytes and the media type are those that were pushed, whatever `Accept` says. */
export async function getManifest(exchange: Exchange, route: RouteOf<"manifest">): Promise<void> {
  const { request, response, service } = exchange;
  const repository = service.root.repository(route.name);
  const reference = readReference(route.reference);
  const found = reference === undefined ? undefined : await repository.readManifest(reference);
  if (found?.kind !== "present") {
    throw await notFound(repository, "MANIFEST_UNKNOWN", { reference: route.reference.slice(0, 200) });
  }
  const { bytes, digest, mediaType } = found.manifest;
  // Who asks so may list it in an index next.
  if (request.method === "HEAD" && !service.readOnly) await repository.renewManifest(digest);
  const etag = `"${digest}"`;
  const headers = { "content-type": mediaType, "docker-content-digest": digest, etag };
  if (matchesEtag(request, etag)) send(response, 304, headers);
  else send(response, 200, headers, bytes);
}

/** end-7: by tag, or by digest and then with any number of `tag` parameters (end-7b of the next version). */
export async function putManifest(exchange: Exchange, route: RouteOf<"manifest">): Promise<void> {
  const { query, request, response, service } = exchange;
  const reference = readReference(route.reference);
  const byDigest = reference !== undefined && isDigest(reference);
  const tags = byDigest ? query.getAll("tag") : [reference ?? ""];
  if (!tags.every(isTag)) {
    const message = "a tag has letters, digits, _ . and -, and is at most 128 long";
    throw new ProtocolError(400, "MANIFEST_INVALID", message);
  }
  const bytes = await readBody(request, service.maxManifestBytes);
  const digest = digestOf(bytes, byDigest ? algorithmOf(reference) : "sha256");
  if (byDigest && digest !== reference) {
    throw new ProtocolError(400, "DIGEST_INVALID", "provided digest did not match uploaded content", {
      detail: { expected: reference, got: digest },
    });
  }
  const manifest: RawManifest = { bytes, mediaType: mediaTypeOf(request, bytes), digest };
  const repository = service.root.repository(route.name);
  if (tags.length === 0) await repository.writeManifest(manifest);
  for (const tag of tags) await repository.writeManifest(manifest, tag);
  const subject = subjectOf(parseManifest(manifest, "the manifest"));
  send(response, 201, {
    location: `/v2/${route.name}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(byDigest && tags.length > 0 ? { "oci-tag": tags.join(", ") } : {}),
    ...(subject === undefined ? {} : { "oci-subject": subject.digest }),
  });
}

/** end-9: a tag goes alone; a digest goes with all its tags. */
export async function deleteManifest(exchange: Exchange, route: RouteOf<"manifest">): Promise<void> {
  const repository = exchange.service.root.repository(route.name);
  const reference = readReference(route.reference);
  const result =
    reference === undefined
      ? undefined
      : isDigest(reference)
        ? await repository.deleteManifest(reference)
        : await repository.deleteTag(reference);
  if (result?.kind !== "deleted") {
    throw await notFound(repository, "MANIFEST_UNKNOWN", { reference: route.reference.slice(0, 200) });
  }
  send(exchange.response, 202, {});
}

/** Without a Content-Type the manifest speaks for itself. */
function mediaTypeOf(request: IncomingMessage, bytes: Uint8Array): string {
  const header = request.headers["content-type"]?.split(";")[0]?.trim();
  if (header) return header;
  const inside = parseJsonObject(bytes, "the manifest")["mediaType"];
  if (typeof inside === "string") return inside;
  throw new ProtocolError(400, "MANIFEST_INVALID", "neither Content-Type nor mediaType says what it is");
}

async function readBody(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  const tooLarge = (): ProtocolError =>
    new ProtocolError(413, "SIZE_INVALID", `a manifest has at most ${limit} bytes here`, {
      headers: { connection: "close" },
    });
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of bodyOf(request)) {
    bytes += chunk.length;
    if (bytes > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}
