import { isWerfError, WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import { algorithmOf, type Digest, digestOf, isDigest } from "../../oci/digest.js";
import { maxManifestBytes, parseJsonObject, parseManifest, type RawManifest } from "../../oci/manifest.js";
import { acceptedManifests, mediaTypes } from "../../oci/media-types.js";
import type { ManifestRead, ManifestReference, ManifestStat } from "../../oci/store.js";
import { isHtml, pageError, readRefusal, refusalError, saysRepositoryUnknown } from "./answer.js";
import type { Endpoint } from "./endpoint.js";

const accept = acceptedManifests.join(", ");
/** What servers say when they don't know what they serve. */
const vagueTypes = new Set(["", "application/json", "text/plain", "application/octet-stream"]);

/** HEAD `/v2/NAME/manifests/REFERENCE`; GET where a registry's HEAD tells too little. */
export async function statManifest(endpoint: Endpoint, reference: ManifestReference): Promise<ManifestStat> {
  const response = await endpoint.request({
    method: "HEAD",
    path: `manifests/${reference}`,
    headers: { accept },
  });
  if (response.status === 404 && !isHtml(response)) return { kind: "missing" };
  const told = response.status === 200 ? describe(response) : undefined;
  if (told !== undefined) {
    if (isDigest(reference) && told.digest !== reference) throw otherDigest(endpoint, reference, told.digest);
    return { kind: "present", descriptor: told };
  }
  // A HEAD has no body that could say what is wrong; the GET has.
  const read = await readManifest(endpoint, reference);
  if (read.kind === "missing") return read;
  const { mediaType, digest, bytes } = read.manifest;
  return { kind: "present", descriptor: { mediaType, digest, size: bytes.length } };
}

function describe(response: HttpResponse): { mediaType: string; digest: Digest; size: number } | undefined {
  const digest = response.headers["docker-content-digest"] ?? "";
  const size = Number(response.headers["content-length"] ?? Number.NaN);
  const mediaType = contentType(response);
  if (!isDigest(digest) || !Number.isSafeInteger(size) || size <= 0 || vagueTypes.has(mediaType))
    return undefined;
  return { mediaType, digest, size };
}

/** GET `/v2/NAME/manifests/REFERENCE`: the bytes as they came, checked against every digest we were told. */
export async function readManifest(endpoint: Endpoint, reference: ManifestReference): Promise<ManifestRead> {
  const source = `${endpoint.address}${isDigest(reference) ? "@" : ":"}${reference}`;
  const { response, bytes } = await getManifest(endpoint, reference, source);
  if (bytes === undefined) {
    const refusal = await readRefusal(response);
    if ((refusal.status === 404 && !refusal.isHtml) || saysRepositoryUnknown(refusal))
      return { kind: "missing" };
    throw refusalError(refusal, `read the manifest of ${source}`, endpoint.host);
  }
  if (isHtml(response)) throw pageError(bytes, source, "a manifest");
  const told = response.headers["docker-content-digest"] ?? "";
  const asked = isDigest(reference) ? reference : isDigest(told) ? told : digestOf(bytes);
  for (const expected of isDigest(told) ? [asked, told] : [asked]) {
    const actual = digestOf(bytes, algorithmOf(expected));
    if (actual !== expected) throw otherDigest(endpoint, expected, actual);
  }
  const type = contentType(response);
  const mediaType = vagueTypes.has(type) ? inferType(bytes, source) : type;
  const manifest: RawManifest = { bytes, mediaType, digest: asked };
  parseManifest(manifest, source);
  return { kind: "present", manifest };
}

async function getManifest(
  endpoint: Endpoint,
  reference: string,
  source: string,
): Promise<{ response: HttpResponse; bytes: Uint8Array | undefined }> {
  try {
    return await endpoint.requestBytes(
      { method: "GET", path: `manifests/${reference}`, headers: { accept } },
      maxManifestBytes,
    );
  } catch (cause) {
    if (!isWerfError(cause) || cause.code !== "http/body-too-large") throw cause;
    throw new WerfError(
      "oci/manifest-too-large",
      `${source}: a manifest of more than ${maxManifestBytes} bytes`,
      { cause },
    );
  }
}

/** PUT `/v2/NAME/manifests/REFERENCE`. `hasReferrersApi`: the registry has taken note of the subject. */
export async function putManifest(
  endpoint: Endpoint,
  manifest: RawManifest,
  reference: ManifestReference,
): Promise<{ hasReferrersApi: boolean }> {
  const source = `${endpoint.address}${isDigest(reference) ? "@" : ":"}${reference}`;
  const response = await endpoint.request({
    method: "PUT",
    path: `manifests/${reference}`,
    headers: { "content-type": manifest.mediaType },
    body: manifest.bytes,
  });
  if (response.status < 200 || response.status > 202) {
    const refusal = await readRefusal(response);
    const error = refusalError(refusal, `write the manifest ${source}`, endpoint.host);
    if (!/^(?:MANIFEST_)?BLOB_UNKNOWN$|^MANIFEST_UNKNOWN$/.test(refusal.code)) throw error;
    throw new WerfError("registry/content-missing", error.message, {
      hint: "something that the manifest needs was removed meanwhile; run again",
      cause: error,
    });
  }
  await response.discard();
  const told = response.headers["docker-content-digest"] ?? "";
  if (isDigest(told) && algorithmOf(told) === algorithmOf(manifest.digest) && told !== manifest.digest) {
    throw otherDigest(endpoint, manifest.digest, told);
  }
  return { hasReferrersApi: response.headers["oci-subject"] !== undefined };
}

function contentType(response: HttpResponse): string {
  return (response.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

function inferType(bytes: Uint8Array, source: string): string {
  const json = parseJsonObject(bytes, source);
  if (typeof json["mediaType"] === "string") return json["mediaType"];
  if (json["schemaVersion"] === 1) return mediaTypes.dockerSchema1;
  return Array.isArray(json["manifests"]) ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

function otherDigest(endpoint: Endpoint, expected: string, actual: string): WerfError {
  return new WerfError(
    "oci/digest-mismatch",
    `${endpoint.address}: the manifest ${expected} came as ${actual}`,
    {
      hint: "the registry, or something between, changes or damages manifests",
    },
  );
}
