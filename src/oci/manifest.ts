import { WerfError } from "../core/errors.js";
import type { Descriptor } from "./descriptor.js";
import { type Digest, digestOf, isDigest } from "./digest.js";
import { isImageManifestType, isIndexType, mediaTypes } from "./media-types.js";

/** The bytes as they were read or will be written; digests come from them and from nothing else. */
export interface RawManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** An image or artifact manifest: manifest.md of the OCI image specification, and Docker's schema 2. */
export interface ImageManifest {
  readonly kind: "image";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

/** image-index.md of the OCI image specification, and Docker's manifest list. */
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A media type that we don't know: copied untouched, without looking inside. */
export interface UnknownManifest {
  readonly kind: "unknown";
  readonly mediaType: string;
}

export type Manifest = ImageManifest | ImageIndex | UnknownManifest;

/** distribution-spec: registries SHOULD take at least 4 MiB, and clients need not read more. */
export const maxManifestBytes: number = 4 * 1024 * 1024;
const maxJsonDepth = 64;
const maxDescriptors = 20_000;

export function rawManifest(bytes: Uint8Array, mediaType: string): RawManifest {
  return { bytes, mediaType, digest: digestOf(bytes) };
}

/** JSON of a value as the bytes of a manifest. */
export function manifestFromJson(value: object, mediaType: string): RawManifest {
  return rawManifest(new TextEncoder().encode(JSON.stringify(value)), mediaType);
}

export function descriptorOf(manifest: RawManifest): Descriptor {
  return { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.bytes.length };
}

/**
 * Reads the structure of a manifest from its bytes; `source` is named in errors.
 * @throws WerfError `oci/manifest-invalid`, `oci/manifest-schema1`, `oci/manifest-too-large`
 */
export function parseManifest(raw: RawManifest, source: string): Manifest {
  if (raw.bytes.length > maxManifestBytes) {
    throw new WerfError(
      "oci/manifest-too-large",
      `${source}: a manifest of ${raw.bytes.length} bytes; at most ${maxManifestBytes} are read`,
    );
  }
  const json = parseJsonObject(raw.bytes, source);
  const mediaType = raw.mediaType;
  if (
    mediaType === mediaTypes.dockerSchema1 ||
    mediaType === mediaTypes.dockerSchema1Signed ||
    json["schemaVersion"] === 1
  ) {
    throw new WerfError(
      "oci/manifest-schema1",
      `${source} is an image in Docker's schema 1, a format abandoned in 2017`,
      {
        hint: "pull it with an old Docker and push it again, or rebuild it",
      },
    );
  }
  if (typeof json["mediaType"] === "string" && json["mediaType"] !== mediaType) {
    throw invalid(source, `it says it is ${json["mediaType"]}, but was served as ${mediaType}`);
  }
  const common = {
    mediaType,
    annotations: stringMap(json["annotations"], source),
    ...optionalFields(json, source),
  };
  if (isIndexType(mediaType)) {
    return { kind: "index", ...common, manifests: descriptors(json["manifests"], "manifests", source) };
  }
  if (isImageManifestType(mediaType)) {
    return {
      kind: "image",
      ...common,
      config: parseDescriptor(json["config"], "config", source),
      layers: descriptors(json["layers"] ?? [], "layers", source),
    };
  }
  return { kind: "unknown", mediaType };
}

function optionalFields(
  json: Record<string, unknown>,
  source: string,
): { artifactType?: string; subject?: Descriptor } {
  const artifactType = json["artifactType"];
  const subject = json["subject"];
  return {
    ...(typeof artifactType === "string" && artifactType !== "" ? { artifactType } : {}),
    ...(subject === undefined || subject === null
      ? {}
      : { subject: parseDescriptor(subject, "subject", source) }),
  };
}

/** Parses JSON that must be an object, with a bound on its depth. @throws WerfError `oci/manifest-invalid` */
export function parseJsonObject(bytes: Uint8Array, source: string): Record<string, unknown> {
  const text = decode(bytes, source);
  checkDepth(text, source);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WerfError("oci/manifest-invalid", `${source} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid(source, "it is not a JSON object");
  return value as Record<string, unknown>;
}

function decode(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid(source, "it is not UTF-8 text");
  }
}

function checkDepth(text: string, source: string): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > maxJsonDepth) throw invalid(source, `it is nested deeper than ${maxJsonDepth}`);
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
}

function descriptors(value: unknown, field: string, source: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(source, `"${field}" is not a list`);
  if (value.length > maxDescriptors) throw invalid(source, `"${field}" has ${value.length} entries`);
  return value.map((item, i) => parseDescriptor(item, `${field}[${i}]`, source));
}

/** Checks one descriptor and keeps it as it is, fields that we don't know included. */
export function parseDescriptor(value: unknown, field: string, source: string): Descriptor {
  if (typeof value !== "object" || value === null) throw invalid(source, `"${field}" is not a descriptor`);
  const { digest, size, mediaType } = value as Record<string, unknown>;
  if (typeof digest !== "string" || !isDigest(digest))
    throw invalid(source, `"${field}.digest" is not a digest`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw invalid(source, `"${field}.size" is not a size`);
  if (typeof mediaType !== "string" || mediaType === "")
    throw invalid(source, `"${field}.mediaType" is missing`);
  return value as Descriptor;
}

function stringMap(value: unknown, source: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || !Object.values(value).every((v) => typeof v === "string")) {
    throw invalid(source, '"annotations" is not a map of strings');
  }
  return value as Record<string, string>;
}

function invalid(source: string, what: string): WerfError {
  return new WerfError("oci/manifest-invalid", `${source} is not a valid manifest: ${what}`, {
    hint: "it was written so or is damaged, or something else than a registry answers there",
  });
}
