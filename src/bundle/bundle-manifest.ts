import { Readable } from "node:stream";
import type { Descriptor } from "../oci/descriptor.js";
import { digestOf } from "../oci/digest.js";
import { manifestFromJson, type RawManifest } from "../oci/manifest.js";
import { mediaTypes } from "../oci/media-types.js";
import type { BlobWriter } from "../oci/store.js";
import type { ChartMetadata } from "./chart/chart-yaml.js";

/** A chart as an artifact: https://helm.sh/docs/topics/registries/, "Helm chart manifest". */
export interface ChartArtifact {
  readonly manifest: RawManifest;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}

export interface ChartArtifactInput {
  readonly metadata: ChartMetadata;
  readonly archive: Uint8Array;
  /** What stands in `org.opencontainers.image.created`: the commit's time, so that the digest repeats. */
  readonly created: Date;
  /** The commit. */
  readonly revision?: string;
  /** The layer's type: of Helm 3.7 and later, or the one before, for readers as old. Default `helm`. */
  readonly layerType?: "helm" | "legacy";
}

export function chartArtifact(input: ChartArtifactInput): ChartArtifact {
  const config = blob(Buffer.from(JSON.stringify(input.metadata)), mediaTypes.helmConfig);
  const layerType = input.layerType === "legacy" ? mediaTypes.helmChartLegacy : mediaTypes.helmChart;
  const layer = blob(input.archive, layerType);
  const manifest = manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: config.descriptor,
      layers: [layer.descriptor],
      annotations: annotationsOf(input),
    },
    mediaTypes.ociManifest,
  );
  return { manifest, blobs: [config, layer] };
}

/** Blobs before the manifest. */
export async function writeArtifactBlobs(store: BlobWriter, { blobs }: ChartArtifact): Promise<void> {
  for (const { descriptor, bytes } of blobs) {
    await store.writeBlob(descriptor, { length: bytes.length, open: () => Readable.from([bytes]) });
  }
}

function blob(bytes: Uint8Array, mediaType: string): { descriptor: Descriptor; bytes: Uint8Array } {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** Those that `helm push` writes, the chart's own ones among them, sorted. */
function annotationsOf({ metadata, created, revision }: ChartArtifactInput): Record<string, string> {
  const title = "org.opencontainers.image.title";
  const version = "org.opencontainers.image.version";
  const [source] = Array.isArray(metadata["sources"]) ? metadata["sources"] : [];
  const own = Object.entries((metadata["annotations"] ?? {}) as Record<string, string>);
  const all: Record<string, unknown> = {
    "org.opencontainers.image.description": metadata["description"],
    "org.opencontainers.image.url": metadata["home"],
    "org.opencontainers.image.source": source,
    "org.opencontainers.image.authors": authorsOf(metadata["maintainers"]),
    "org.opencontainers.image.created": created.toISOString().replace(/\.\d+Z$/, "Z"),
    "org.opencontainers.image.revision": revision,
    ...Object.fromEntries(own),
    [title]: metadata.name,
    [version]: metadata.version,
  };
  const kept = Object.entries(all).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string" && entry[1].trim() !== "",
  );
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `Name (address), Name (address)`. */
function authorsOf(maintainers: unknown): string {
  if (!Array.isArray(maintainers)) return "";
  return maintainers
    .map((item) => (item ?? {}) as Record<string, unknown>)
    .map(({ name, email }) => `${text(name)}${text(email) === "" ? "" : ` (${text(email)})`}`)
    .join(", ");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
