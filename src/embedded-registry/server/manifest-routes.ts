import type { IncomingMessage } from "node:http";
import { algorithmOf, digestOf, isDigest } from "../../oci/digest.js";
import { parseJsonObject, parseManifest, type RawManifest } from "../../oci/manifest.js";
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
  const etag = `"${digest}"`;
  const headers = { "content-type": mediaType, "docker-content-digest": digest, etag };
  if (matchesEtag(request, etag)) send(response, 304, headers);
  else send(response, 200, headers, bytes);
}

/** end-7. */
export async function putManifest(exchange: Exchange, route: RouteOf<"manifest">): Promise<void> {
  const { request, response, service } = exchange;
  const reference = readReference(route.reference);
  if (reference === undefined) {
    throw new ProtocolError(
      400,
      "MANIFEST_INVALID",
      "a tag has letters, digits, _ . and -, and is at most 128 long",
    );
  }
  const bytes = await readBody(request, service.maxManifestBytes);
  const algorithm = isDigest(reference) ? algorithmOf(reference) : "sha256";
  const digest = digestOf(bytes, algorithm);
  if (isDigest(reference) && digest !== reference) {
    throw new ProtocolError(400, "DIGEST_INVALID", "provided digest did not match uploaded content", {
      detail: { expected: reference, got: digest },
    });
  }
  const manifest: RawManifest = { bytes, mediaType: mediaTypeOf(request, bytes), digest };
  await service.root
    .repository(route.name)
    .writeManifest(manifest, isDigest(reference) ? undefined : reference);
  const subject = subjectOf(parseManifest(manifest, "the manifest"));
  send(response, 201, {
    location: `/v2/${route.name}/manifests/${digest}`,
    "docker-content-digest": digest,
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
