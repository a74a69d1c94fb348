import { Readable } from "node:stream";
import { WerfError } from "../../core/errors.js";
import type { BodySource } from "../../core/http.js";
import type { DeleteResult, DeletionRules } from "../deletion.js";
import type { Digest } from "../digest.js";
import { blobsOf, childrenOf, isForeignLayer } from "../graph.js";
import { descriptorOf, parseManifest, type RawManifest } from "../manifest.js";
import type { BlobStat, BlobWrite } from "../store.js";
import type { BlobDirectory } from "./blob-directory.js";
import type { LayoutIndex } from "./layout-index.js";
import { checkManifestDigest, type LayoutParts, LayoutStore } from "./layout-store.js";
import type { ManifestGraph } from "./manifest-graph.js";

export type IndexChange = (index: LayoutIndex) => void;

/** The index of a layout that is written to. */
export interface IndexKeeper {
  readonly current: LayoutIndex;
  /** Takes effect at once, and is kept soon after, together with others. @throws what keeping failed with before */
  change(change: IndexChange): void;
  /** Resolves when every change is kept. */
  flush(): Promise<void>;
}

export interface WritableLayoutParts extends LayoutParts {
  readonly blobs: BlobDirectory;
  readonly index: IndexKeeper;
  /** What closing means, after blobs that nothing needs any more were removed. */
  finish(outcome: "done" | "failed", graph: () => Promise<ManifestGraph>): Promise<void>;
}

/**
 * An OCI image layout to write to. Like a registry, it takes a manifest only when what it is made of is there, and
 * doesn't delete a child of an index that it has.
 */
export class WritableLayoutStore extends LayoutStore {
  readonly #parts: WritableLayoutParts;
  /** Manifests that were deleted and their blobs: what no other manifest has goes when the store is closed. */
  readonly #condemned = new Set<Digest>();

  constructor(parts: WritableLayoutParts) {
    super(parts);
    this.#parts = parts;
  }

  override async statBlob(digest: Digest): Promise<BlobStat> {
    // Whoever asks will rely on it.
    this.#condemned.delete(digest);
    return super.statBlob(digest);
  }

  override async writeBlob(
    blob: { readonly digest: Digest; readonly size: number },
    source: BodySource,
  ): Promise<BlobWrite> {
    this.#condemned.delete(blob.digest);
    if ((await this.#parts.blobs.sizeOf(blob.digest)) === blob.size) return { kind: "exists" };
    await this.#parts.blobs.write(blob, await source.open());
    return { kind: "uploaded" };
  }

  /**
   * @throws WerfError `oci/blob-missing`, `oci/manifest-missing` when it is incomplete; `oci/manifest-invalid`,
   *   `oci/manifest-schema1`, `oci/manifest-too-large`, `oci/digest-mismatch`
   */
  override async writeManifest(manifest: RawManifest, tag?: string): Promise<void> {
    checkManifestDigest(manifest, `writing a manifest to ${this.address}`);
    const graph = await this.graph();
    const parsed = parseManifest(manifest, `the manifest ${tag ?? manifest.digest} for ${this.address}`);
    for (const blob of blobsOf(parsed)) {
      const size = await this.#parts.blobs.sizeOf(blob.digest);
      if (size === blob.size || isForeignLayer(blob) || blob.urls !== undefined) continue;
      throw this.#incomplete("oci/blob-missing", manifest, `the blob ${blob.digest} of ${blob.size} bytes`);
    }
    const children = childrenOf(parsed);
    for (const child of children) {
      if (graph.get(child.digest) !== undefined) continue;
      throw this.#incomplete("oci/manifest-missing", manifest, `the manifest ${child.digest}`);
    }
    await this.#writeBytes(manifest);
    graph.add(manifest);
    const isContained = tag === undefined && graph.parentsOf(manifest.digest).length > 0;
    this.#parts.index.change((index) => {
      if (!isContained) index.put(descriptorOf(manifest), tag);
      for (const child of children) index.unlist(child.digest);
    });
  }

  async #writeBytes({ digest, bytes }: RawManifest): Promise<void> {
    const open = async (): Promise<Readable> => Readable.from([bytes]);
    await this.writeBlob({ digest, size: bytes.length }, { length: bytes.length, open });
  }

  #incomplete(code: `oci/${string}`, manifest: RawManifest, what: string): WerfError {
    return new WerfError(
      code,
      `${this.address} can't take the manifest ${manifest.digest}: it lacks ${what}`,
      {
        hint: "what a manifest is made of must be written before it",
      },
    );
  }

  override async deletionRules(): Promise<DeletionRules> {
    return {
      ...(await super.deletionRules()),
      deleteTag: "native",
      deleteManifest: "drops-tags",
    };
  }

  override async deleteManifest(digest: Digest): Promise<DeleteResult> {
    const graph = await this.graph();
    const known = graph.get(digest);
    if (known === undefined) return { kind: "absent" };
    const [parent] = graph.parentsOf(digest);
    if (parent !== undefined) {
      return {
        kind: "refused",
        reason: "in-use",
        answer: `${digest} is part of the index ${parent}`,
        hint: `delete ${parent} first`,
      };
    }
    graph.remove(digest);
    const orphans = known.children
      .filter((child) => graph.parentsOf(child).length === 0)
      .flatMap((child) => graph.get(child)?.descriptor ?? []);
    this.#parts.index.change((index) => {
      index.removeManifest(digest);
      for (const { mediaType, digest: orphan, size } of orphans)
        index.put({ mediaType, digest: orphan, size });
    });
    for (const blob of [digest, ...known.blobs]) this.#condemned.add(blob);
    return { kind: "deleted" };
  }

  override async deleteTag(tag: string): Promise<DeleteResult> {
    if (!this.#parts.index.current.hasTag(tag)) return { kind: "absent" };
    this.#parts.index.change((index) => {
      index.removeTag(tag);
    });
    return { kind: "deleted" };
  }

  override async close(outcome: "done" | "failed"): Promise<void> {
    // Whoever reads the index meanwhile must find what it lists.
    await this.#parts.index.flush();
    if (this.#condemned.size > 0) await this.#removeCondemned(await this.graph());
    await this.#parts.finish(outcome, () => this.graph());
  }

  async #removeCondemned(graph: ManifestGraph): Promise<void> {
    for (const manifest of graph.all()) {
      // It may need any of them.
      if (!manifest.isUnderstood) return;
      this.#condemned.delete(manifest.descriptor.digest);
      for (const blob of manifest.blobs) this.#condemned.delete(blob);
    }
    for (const digest of this.#condemned) await this.#parts.blobs.remove(digest);
    this.#condemned.clear();
  }
}
