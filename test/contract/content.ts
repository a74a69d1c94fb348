import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { BodySource } from "../../src/core/http.js";
import type { Descriptor } from "../../src/oci/descriptor.js";
import { type Digest, type DigestAlgorithm, digestOf } from "../../src/oci/digest.js";
import { descriptorOf, type RawManifest, rawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import type { Store } from "../../src/oci/store.js";

/** Bytes and what they are called. */
export interface Blob {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly size: number;
}

export function blobOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = "sha256"): Blob {
  const content = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return { bytes: content, digest: digestOf(content, algorithm), size: content.length };
}

/** Content that no other test has. */
export function randomBlob(size: number = 64): Blob {
  return blobOf(randomBytes(size));
}

/** A source in pieces of 64 KiB, that can be opened again. */
export function sourceOf(bytes: Uint8Array): BodySource {
  return { length: bytes.length, open: () => Readable.from(piecesOf(bytes), { objectMode: false }) };
}

function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

export async function putBlob(store: Store, blob: Blob): Promise<void> {
  await store.writeBlob(blob, sourceOf(blob.bytes));
}

export async function bytesOf(store: Store, blob: { digest: Digest; size?: number }): Promise<Uint8Array> {
  return buffer(await store.readBlob(blob));
}

export interface ImageOptions {
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Record<string, string>;
}

/** An image with one layer: its blobs are written, its manifest isn't. */
export async function newImage(store: Store, options: ImageOptions = {}): Promise<RawManifest> {
  const config = blobOf(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [] },
      history: [{ comment: randomBytes(8).toString("hex") }],
    }),
  );
  const layer = randomBlob();
  await putBlob(store, config);
  await putBlob(store, layer);
  return jsonManifest(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
    layers: [{ mediaType: mediaTypes.ociLayerGzip, digest: layer.digest, size: layer.size }],
    ...options,
  });
}

/** An index of manifests. */
export function newIndex(children: readonly RawManifest[]): RawManifest {
  return jsonManifest(mediaTypes.ociIndex, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map(descriptorOf),
  });
}

export function jsonManifest(mediaType: string, value: object, indent?: string): RawManifest {
  return rawManifest(Buffer.from(JSON.stringify(value, undefined, indent)), mediaType);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

export async function sortedTags(store: Store): Promise<string[]> {
  return (await collect(store.listTags())).sort();
}
