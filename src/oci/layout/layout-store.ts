import { pipeline, type Readable } from "node:stream";
import { WerfError } from "../../core/errors.js";
import type { BodySource } from "../../core/http.js";
import type { DeleteResult, DeletionRules } from "../deletion.js";
import type { Descriptor } from "../descriptor.js";
import { algorithmOf, type Digest, digestOf, isDigest, VerifyStream } from "../digest.js";
import { maxManifestBytes, type RawManifest } from "../manifest.js";
import { mediaTypes } from "../media-types.js";
import type { BlobStat, BlobWrite, ManifestRead, ManifestReference, ManifestStat, Store } from "../store.js";
import type { BlobSpace } from "./blob-space.js";
import type { LayoutIndex } from "./layout-index.js";
import { ManifestGraph } from "./manifest-graph.js";

export interface LayoutParts {
  readonly address: string;
  /** Absolute path of the directory or file. */
  readonly place: string;
  readonly blobs: BlobSpace;
  /** The index as it is now. */
  readonly index: { readonly current: LayoutIndex };
}

/** An OCI image layout to read from; image-layout.md of the OCI image specification. */
export class LayoutStore implements Store {
  readonly address: string;
  readonly place: string;
  readonly #blobs: BlobSpace;
  readonly #index: { readonly current: LayoutIndex };
  readonly #onClose: () => Promise<void>;
  #graph: Promise<ManifestGraph> | undefined;

  constructor(parts: LayoutParts, onClose: () => Promise<void> = () => Promise.resolve()) {
    this.address = parts.address;
    this.place = parts.place;
    this.#blobs = parts.blobs;
    this.#index = parts.index;
    this.#onClose = onClose;
  }

  /** What `index.json` lists, untagged manifests included, with the annotations of the list. */
  listEntries(): readonly Descriptor[] {
    return this.#index.current.entries();
  }

  async statBlob(digest: Digest): Promise<BlobStat> {
    const size = await this.#blobs.sizeOf(digest);
    return size === undefined ? { kind: "missing" } : { kind: "present", size };
  }

  async readBlob(blob: { readonly digest: Digest; readonly size?: number }): Promise<Readable> {
    const size = await this.#blobs.sizeOf(blob.digest);
    if (size === undefined) {
      throw new WerfError("oci/blob-missing", `${this.address} has no blob ${blob.digest}`, {
        hint: "the layout is incomplete: write it again from its source",
      });
    }
    if (blob.size !== undefined && blob.size !== size) throw this.#damaged(blob.digest, blob.size, size);
    const verified = new VerifyStream({ digest: blob.digest, size }, this.address);
    // The reader hears of a failure from the stream itself.
    pipeline(this.#blobs.read(blob.digest), verified, () => undefined);
    return verified;
  }

  async statManifest(reference: ManifestReference): Promise<ManifestStat> {
    const descriptor = await this.#find(reference);
    if (descriptor === undefined) return { kind: "missing" };
    const size = await this.#blobs.sizeOf(descriptor.digest);
    if (size !== descriptor.size) throw this.#damaged(descriptor.digest, descriptor.size, size);
    const { mediaType, digest } = descriptor;
    return { kind: "present", descriptor: { mediaType, digest, size } };
  }

  async readManifest(reference: ManifestReference): Promise<ManifestRead> {
    const descriptor = await this.#find(reference);
    if (descriptor === undefined) return { kind: "missing" };
    return { kind: "present", manifest: await this.#readManifest(descriptor) };
  }

  async #find(reference: ManifestReference): Promise<Descriptor | undefined> {
    const listed = this.#index.current.find(reference, this.address);
    if (listed !== undefined || !isDigest(reference)) return listed;
    return (await this.graph()).get(reference)?.descriptor;
  }

  async #readManifest(descriptor: Descriptor): Promise<RawManifest> {
    const { digest, mediaType, size } = descriptor;
    if (mediaType === mediaTypes.dockerSchema1 || mediaType === mediaTypes.dockerSchema1Signed) {
      throw new WerfError(
        "oci/manifest-schema1",
        `${this.address}: ${digest} is an image in Docker's schema 1, a format abandoned in 2017`,
        { hint: "pull it with an old Docker and push it again, or rebuild it" },
      );
    }
    const actual = await this.#blobs.sizeOf(digest);
    if (actual !== size) throw this.#damaged(digest, size, actual);
    if (size > maxManifestBytes) {
      throw new WerfError(
        "oci/manifest-too-large",
        `${this.address}: the manifest ${digest} has ${size} bytes; at most ${maxManifestBytes} are read`,
      );
    }
    const bytes = await this.#blobs.readWhole(digest);
    checkManifestDigest({ bytes, mediaType, digest }, `reading a manifest from ${this.address}`);
    return { bytes, mediaType, digest };
  }

  /** All manifests of the layout, read when they are first needed. */
  protected graph(): Promise<ManifestGraph> {
    this.#graph ??= this.#loadGraph();
    return this.#graph;
  }

  async #loadGraph(): Promise<ManifestGraph> {
    const graph = new ManifestGraph(this.address);
    await graph.load(this.#index.current.entries(), async (descriptor, isListed) => {
      if (!isListed && (await this.#blobs.sizeOf(descriptor.digest)) === undefined) return undefined;
      return this.#readManifest(descriptor);
    });
    return graph;
  }

  #damaged(digest: Digest, expected: number, actual: number | undefined): WerfError {
    const code = actual === undefined ? "oci/blob-missing" : "oci/digest-mismatch";
    const what = actual === undefined ? "it isn't there" : `it has ${actual}`;
    return new WerfError(code, `${this.address}: ${digest} should have ${expected} bytes, but ${what}`, {
      hint: "the layout is incomplete or was changed: write it again from its source",
    });
  }

  async *listTags(): AsyncGenerator<string, void, undefined> {
    yield* this.#index.current.tags();
  }

  async *listReferrers(subject: Digest): AsyncGenerator<Descriptor, void, undefined> {
    yield* (await this.graph()).referrersOf(subject);
  }

  async deletionRules(): Promise<DeletionRules> {
    return {
      deleteTag: "none",
      lastTag: "keeps-manifest",
      deleteManifest: "none",
      deleteChild: "refused",
      cascades: [],
      batchSize: 1,
    };
  }

  async writeBlob(
    blob: { readonly digest: Digest; readonly size: number },
    _source: BodySource,
  ): Promise<BlobWrite> {
    throw this.#readOnly(`write the blob ${blob.digest}`);
  }

  async writeManifest(manifest: RawManifest, tag?: string): Promise<void> {
    throw this.#readOnly(`write the manifest ${tag ?? manifest.digest}`);
  }

  async deleteManifest(digest: Digest): Promise<DeleteResult> {
    throw this.#readOnly(`delete the manifest ${digest}`);
  }

  async deleteTag(tag: string): Promise<DeleteResult> {
    throw this.#readOnly(`delete the tag ${tag}`);
  }

  #readOnly(what: string): WerfError {
    return new WerfError("oci/layout-read-only", `can't ${what}: ${this.address} was opened for reading`, {
      hint: "an archive is written as a whole: copy what it should contain to a new one",
    });
  }

  async close(_outcome: "done" | "failed"): Promise<void> {
    await this.#onClose();
  }
}

/**
 * `doing` begins the message: what is being done with it, and where.
 * @throws WerfError `oci/digest-mismatch` when a manifest isn't what its digest says
 */
export function checkManifestDigest(manifest: RawManifest, doing: string): void {
  const actual = digestOf(manifest.bytes, algorithmOf(manifest.digest));
  if (actual === manifest.digest) return;
  throw new WerfError(
    "oci/digest-mismatch",
    `${doing}: its digest should be ${manifest.digest}, and is ${actual}`,
    { hint: "it was damaged or changed; take it from its source again" },
  );
}
