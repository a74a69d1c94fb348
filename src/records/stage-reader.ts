import { WerfError } from "../core/errors.js";
import type { Descriptor } from "../oci/descriptor.js";
import { type Digest, isDigest } from "../oci/digest.js";
import { tombstoneAnnotations } from "../oci/isolate.js";
import { type ImageManifest, type Manifest, parseJsonObject, parseManifest } from "../oci/manifest.js";
import { mediaTypes } from "../oci/media-types.js";
import type { BlobReader, ManifestReader } from "../oci/store.js";
import { parseStageAnnotations, type StageDescription } from "./annotations.js";
import { labels, stagesUnder } from "./labels.js";

/** What the manifest under a tag is and points to. JSON-serialisable: it is kept in a cache. */
export interface ManifestFacts {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly kind: "image" | "index" | "unknown";
  /** Of an index: what it lists, in its order. */
  readonly children: readonly ChildFacts[];
  /** What it refers to, as signatures and attestations do. */
  readonly subject?: Digest;
  /** Of an image or artifact: the media type of its config, and its artifact type. */
  readonly configType?: string;
  readonly artifactType?: string;
}

export interface ChildFacts {
  readonly digest: Digest;
  readonly isIndex: boolean;
}

/** A stage: facts of its manifest and what it says about itself; the index of a foreign tool says nothing. */
export interface StageFacts extends ManifestFacts {
  readonly description?: StageDescription;
}

export type StageRead =
  | { readonly kind: "present"; readonly facts: StageFacts }
  | { readonly kind: "missing" }
  /** What a deletion left under the tag before it was cut off: no stage, and to be removed. */
  | { readonly kind: "tombstone"; readonly digest: Digest; readonly original?: Digest }
  /** There, but unreadable: its own content is missing or damaged. */
  | { readonly kind: "broken"; readonly reason: string };

type Source = BlobReader & ManifestReader & { readonly address: string };

const maxConfigBytes = 8 * 1024 * 1024;

/**
 * Reads a stage: one request when its manifest has our annotations, else two.
 * @throws WerfError what the store throws for network and protocol failures
 */
export async function readStage(store: Source, tag: string): Promise<StageRead> {
  const read = await store.readManifest(tag);
  if (read.kind === "missing") return read;
  const source = `${store.address}:${tag}`;
  let manifest: Manifest;
  try {
    manifest = parseManifest(read.manifest, source);
  } catch (error) {
    if (error instanceof WerfError) return { kind: "broken", reason: error.message };
    throw error;
  }
  const facts = manifestFacts(manifest, read.manifest.digest);
  if (facts.artifactType === mediaTypes.tombstone && manifest.kind === "image") {
    return tombstone(manifest, read.manifest.digest);
  }
  if (manifest.kind === "unknown")
    return { kind: "broken", reason: `${source} has the type ${manifest.mediaType}` };
  const annotated = parseStageAnnotations(manifest.annotations);
  if (annotated !== undefined) return { kind: "present", facts: { ...facts, description: annotated } };
  if (manifest.kind === "index") return { kind: "present", facts };
  return readDescription(store, source, manifest, facts);
}

/** What the structure of a manifest tells. */
export function manifestFacts(manifest: Manifest, digest: Digest): ManifestFacts {
  const common = { digest, mediaType: manifest.mediaType, kind: manifest.kind };
  if (manifest.kind === "unknown") return { ...common, children: [] };
  const artifactType = artifactTypeOf(manifest);
  return {
    ...common,
    children: manifest.kind === "index" ? manifest.manifests.map(childFacts) : [],
    ...(manifest.subject === undefined ? {} : { subject: manifest.subject.digest }),
    ...(manifest.kind === "image" ? { configType: manifest.config.mediaType } : {}),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

/** manifest.md: without an `artifactType` the config's media type is the artifact's. */
function artifactTypeOf(manifest: Exclude<Manifest, { kind: "unknown" }>): string | undefined {
  if (manifest.artifactType !== undefined) return manifest.artifactType;
  return manifest.kind === "image" && manifest.config.mediaType === mediaTypes.tombstone
    ? mediaTypes.tombstone
    : undefined;
}

function childFacts(child: Descriptor): ChildFacts {
  const isIndex = child.mediaType === mediaTypes.ociIndex || child.mediaType === mediaTypes.dockerIndex;
  return { digest: child.digest, isIndex };
}

function tombstone(manifest: ImageManifest, digest: Digest): StageRead {
  const original = manifest.annotations[tombstoneAnnotations.original];
  return {
    kind: "tombstone",
    digest,
    ...(original !== undefined && isDigest(original) ? { original } : {}),
  };
}

async function readDescription(
  store: Source,
  source: string,
  manifest: ImageManifest,
  facts: ManifestFacts,
): Promise<StageRead> {
  const config = await readImageConfig(store, source, manifest);
  if (config.kind === "broken") return config;
  const { project, ...relations } = describe(config.labels);
  if (project === undefined) return { kind: "present", facts };
  const time = config.createdMs === undefined ? {} : { createdMs: config.createdMs };
  return { kind: "present", facts: { ...facts, description: { project, ...time, ...relations } } };
}

function describe(all: Readonly<Record<string, string>>): Omit<StageDescription, "project" | "createdMs"> & {
  readonly project?: string;
} {
  const project = all[labels.project];
  const parent = all[labels.parentStage];
  const contentDigest = all[labels.contentDigest];
  const commit = all[labels.commit];
  return {
    dependencies: [...stagesUnder(all, labels.dependencyPrefix), ...stagesUnder(all, labels.importPrefix)],
    ...(project === undefined ? {} : { project }),
    ...(parent === undefined ? {} : { parent }),
    ...(contentDigest === undefined ? {} : { contentDigest }),
    ...(commit === undefined ? {} : { commit }),
  };
}

export type ConfigRead =
  | {
      readonly kind: "present";
      readonly labels: Readonly<Record<string, string>>;
      /** Milliseconds since 1970; absent when the config has no readable time. */
      readonly createdMs?: number;
    }
  | { readonly kind: "broken"; readonly reason: string };

/** Labels and time of an image's config; what is missing or damaged is an answer, not a failure. */
export async function readImageConfig(
  store: Source,
  source: string,
  manifest: ImageManifest,
): Promise<ConfigRead> {
  if (manifest.config.size > maxConfigBytes) {
    return { kind: "broken", reason: `the config of ${source} has ${manifest.config.size} bytes` };
  }
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of await store.readBlob(manifest.config)) chunks.push(chunk as Uint8Array);
    const json = parseJsonObject(Buffer.concat(chunks), `the config of ${source}`);
    const createdMs = typeof json["created"] === "string" ? Date.parse(json["created"]) : Number.NaN;
    return {
      kind: "present",
      labels: labelsOf(json),
      ...(Number.isNaN(createdMs) ? {} : { createdMs }),
    };
  } catch (error) {
    if (error instanceof WerfError && damaged.has(error.code)) {
      return { kind: "broken", reason: error.message };
    }
    throw error;
  }
}

const damaged: ReadonlySet<string> = new Set([
  "oci/blob-missing",
  "oci/digest-mismatch",
  "oci/manifest-invalid",
]);

function labelsOf(json: Record<string, unknown>): Record<string, string> {
  const { config } = json;
  const all = typeof config === "object" && config !== null && "Labels" in config ? config.Labels : undefined;
  if (typeof all !== "object" || all === null) return {};
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}
