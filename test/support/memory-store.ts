import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { WerfError } from "../../src/core/errors.js";
import type { BodySource } from "../../src/core/http.js";
import type { DeleteResult, DeletionRules } from "../../src/oci/deletion.js";
import type { Descriptor } from "../../src/oci/descriptor.js";
import { type Digest, digestOf, isDigest, VerifyStream } from "../../src/oci/digest.js";
import { blobsOf, childrenOf, isForeignLayer } from "../../src/oci/graph.js";
import { descriptorOf, manifestFromJson, parseManifest, type RawManifest } from "../../src/oci/manifest.js";
import type { BlobStat, BlobWrite, ManifestRead, ManifestStat, Store } from "../../src/oci/store.js";

/**
 * A store in memory that keeps the rules of a registry: a manifest is taken only when its children and blobs
 * are there. `calls` records what was asked, in order.
 */
export class MemoryStore implements Store {
  readonly address: string;
  readonly place: string;
  readonly blobs: Map<Digest, Uint8Array> = new Map();
  readonly manifests: Map<Digest, RawManifest> = new Map();
  readonly tags: Map<string, Digest> = new Map();
  readonly calls: string[] = [];

  constructor(address: string, place: string = address) {
    this.address = address;
    this.place = place;
  }

  async statBlob(digest: Digest): Promise<BlobStat> {
    this.calls.push(`statBlob ${digest}`);
    const bytes = this.blobs.get(digest);
    return bytes === undefined ? { kind: "missing" } : { kind: "present", size: bytes.length };
  }

  async readBlob(blob: { readonly digest: Digest; readonly size?: number }): Promise<Readable> {
    this.calls.push(`readBlob ${blob.digest}`);
    const bytes = this.blobs.get(blob.digest);
    if (bytes === undefined) throw new WerfError("oci/blob-missing", `${blob.digest} is missing`);
    return Readable.from(chunks(bytes)).pipe(new VerifyStream(blob, this.address));
  }

  async writeBlob(
    blob: { readonly digest: Digest; readonly size: number },
    source: BodySource,
  ): Promise<BlobWrite> {
    if (this.blobs.has(blob.digest)) return { kind: "exists" };
    this.calls.push(`writeBlob ${blob.digest}`);
    const bytes = await buffer(await source.open());
    if (bytes.length !== blob.size || digestOf(bytes) !== blob.digest) {
      throw new WerfError("oci/digest-mismatch", `${blob.digest} came as other bytes`);
    }
    this.blobs.set(blob.digest, bytes);
    return { kind: "uploaded" };
  }

  async statManifest(reference: string): Promise<ManifestStat> {
    this.calls.push(`statManifest ${reference}`);
    const found = this.#find(reference);
    return found === undefined ? { kind: "missing" } : { kind: "present", descriptor: descriptorOf(found) };
  }

  async readManifest(reference: string): Promise<ManifestRead> {
    this.calls.push(`readManifest ${reference}`);
    const manifest = this.#find(reference);
    return manifest === undefined ? { kind: "missing" } : { kind: "present", manifest };
  }

  async writeManifest(manifest: RawManifest, tag?: string): Promise<void> {
    this.calls.push(`writeManifest ${tag ?? manifest.digest}`);
    const parsed = parseManifest(manifest, this.address);
    for (const blob of blobsOf(parsed)) {
      if (!this.blobs.has(blob.digest) && !isForeignLayer(blob) && blob.urls === undefined) {
        throw new WerfError("registry/content-missing", `${blob.digest} is unknown to ${this.address}`);
      }
    }
    for (const child of childrenOf(parsed)) {
      if (!this.manifests.has(child.digest)) {
        throw new WerfError("registry/content-missing", `${child.digest} is unknown to ${this.address}`);
      }
    }
    this.manifests.set(manifest.digest, manifest);
    if (tag !== undefined) this.tags.set(tag, manifest.digest);
  }

  async *listTags(): AsyncGenerator<string> {
    yield* this.tags.keys();
  }

  async *listReferrers(subject: Digest): AsyncGenerator<Descriptor> {
    for (const raw of this.manifests.values()) {
      const parsed = parseManifest(raw, this.address);
      if (parsed.kind !== "unknown" && parsed.subject?.digest === subject) yield descriptorOf(raw);
    }
  }

  async deletionRules(): Promise<DeletionRules> {
    return {
      deleteTag: "native",
      lastTag: "keeps-manifest",
      deleteManifest: "drops-tags",
      deleteChild: "allowed",
      cascades: [],
      batchSize: 1,
    };
  }

  async deleteManifest(digest: Digest): Promise<DeleteResult> {
    for (const [tag, target] of this.tags) if (target === digest) this.tags.delete(tag);
    return { kind: this.manifests.delete(digest) ? "deleted" : "absent" };
  }

  async deleteTag(tag: string): Promise<DeleteResult> {
    return { kind: this.tags.delete(tag) ? "deleted" : "absent" };
  }

  async close(): Promise<void> {}

  #find(reference: string): RawManifest | undefined {
    const digest = isDigest(reference) ? reference : this.tags.get(reference);
    return digest === undefined ? undefined : this.manifests.get(digest);
  }

  /** Puts a blob in and describes it. */
  putBlob(content: string | Uint8Array, mediaType: string): Descriptor {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Puts a manifest in without asking whether it is complete. */
  putManifest(
    value: { readonly mediaType: string; readonly [field: string]: unknown },
    tag?: string,
  ): RawManifest {
    const raw = manifestFromJson(value, value.mediaType);
    this.manifests.set(raw.digest, raw);
    if (tag !== undefined) this.tags.set(tag, raw.digest);
    return raw;
  }
}

function* chunks(bytes: Uint8Array, size = 16 * 1024): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
