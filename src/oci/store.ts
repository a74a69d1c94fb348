import type { Readable } from "node:stream";
import type { BodySource } from "../core/http.js";
import type { DeleteResult, DeletionRules } from "./deletion.js";
import type { Descriptor } from "./descriptor.js";
import type { Digest } from "./digest.js";
import type { RawManifest } from "./manifest.js";

/** A tag or a digest. */
export type ManifestReference = string;

export type BlobStat = { readonly kind: "present"; readonly size: number } | { readonly kind: "missing" };
export type ManifestStat =
  | { readonly kind: "present"; readonly descriptor: Descriptor }
  | { readonly kind: "missing" };
export type ManifestRead =
  | { readonly kind: "present"; readonly manifest: RawManifest }
  | { readonly kind: "missing" };

export interface BlobReader {
  statBlob(digest: Digest): Promise<BlobStat>;
  /**
   * The blob's bytes, verified while they stream: the stream fails at its end when digest or size differ.
   * The caller reads it to the end or destroys it.
   * @throws WerfError `oci/blob-missing`
   */
  readBlob(blob: { readonly digest: Digest; readonly size?: number }): Promise<Readable>;
}

export type BlobWrite = { readonly kind: "uploaded" } | { readonly kind: "exists" };

export interface BlobWriter {
  /**
   * Writes a blob unless it is there. The bytes are verified before the blob becomes visible, and `source`
   * may be opened more than once. @throws WerfError `oci/digest-mismatch`
   */
  writeBlob(blob: { readonly digest: Digest; readonly size: number }, source: BodySource): Promise<BlobWrite>;
  /**
   * Takes a blob over from another store of the same place without moving bytes; `false` when that can't be
   * done (another place, no permission, not there) and the blob must be written.
   */
  mountBlob?(blob: { readonly digest: Digest; readonly size: number }, from: Store): Promise<boolean>;
}

export interface ManifestReader {
  /** Asks without fetching the bytes. */
  statManifest(reference: ManifestReference): Promise<ManifestStat>;
  /** @throws WerfError `oci/digest-mismatch`, `oci/manifest-too-large`, `oci/manifest-schema1` */
  readManifest(reference: ManifestReference): Promise<ManifestRead>;
}

export interface ManifestWriter {
  /** Writes the bytes as they are, under their digest, and under `tag` when given. Children come before. */
  writeManifest(manifest: RawManifest, tag?: string): Promise<void>;
}

export interface TagLister {
  /** All tags, in any order, each once; an unknown repository has none. The whole list or a thrown error. */
  listTags(): AsyncIterable<string>;
  /**
   * Whether the place knows this repository, which an empty list doesn't tell. Registries say `missing` also
   * to a user who may not read it. Absent where nobody could be kept from reading.
   */
  statRepository?(): Promise<"present" | "missing">;
}

export interface ReferrerLister {
  /** Descriptors of the manifests whose `subject` is this digest: API, or the tag schema where there is none. */
  listReferrers(subject: Digest): AsyncIterable<Descriptor>;
}

export interface Deleter {
  /** Asks the server where it can't be known; sends nothing that could change anything. */
  deletionRules(): Promise<DeletionRules>;
  /** Deletes a manifest by its digest; with it go its tags where the rules say so. */
  deleteManifest(digest: Digest): Promise<DeleteResult>;
  /** Deletes one tag and nothing else. Only where `deletionRules().deleteTag` is `native`. */
  deleteTag(tag: string): Promise<DeleteResult>;
}

/**
 * What a registry repository, an OCI layout and the local store have in common. Copy, build, bundle and
 * cleanup speak only this.
 */
export interface Store
  extends BlobReader,
    BlobWriter,
    ManifestReader,
    ManifestWriter,
    TagLister,
    ReferrerLister,
    Deleter {
  /** For people: `registry.example/app`, `archive:app.tar`, `:local`. Part of messages and reports. */
  readonly address: string;
  /** Two stores of one place share blobs: the registry's host, the root directory. */
  readonly place: string;
  /** Ends writing: what a file must finish, unlock or move into place. Called once, also after a failure. */
  close(outcome: "done" | "failed"): Promise<void>;
}
