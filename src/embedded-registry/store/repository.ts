import { join } from "node:path";
import type { Readable } from "node:stream";
import { WerfError } from "../../core/errors.js";
import type { BodySource } from "../../core/http.js";
import type { DeleteResult, DeletionRules } from "../../oci/deletion.js";
import type { Descriptor } from "../../oci/descriptor.js";
import { algorithmOf, type Digest, digestOf, isDigest } from "../../oci/digest.js";
import { descriptorOf, type Manifest, parseManifest, type RawManifest } from "../../oci/manifest.js";
import { isManifestType, mediaTypes } from "../../oci/media-types.js";
import type {
  BlobStat,
  BlobWrite,
  ManifestRead,
  ManifestReference,
  ManifestStat,
  Store,
} from "../../oci/store.js";
import { BlobFiles } from "./blob-files.js";
import type { BoundedCache } from "./bounded-cache.js";
import { exists, type Staging } from "./files.js";
import { type RootLayout, repositoryMarks } from "./layout.js";
import { type CachedManifest, ManifestFiles } from "./manifest-files.js";
import { checkDigest, checkTag } from "./names.js";
import { ReferrerFiles, subjectOf } from "./referrer-files.js";
import { TagFiles } from "./tag-files.js";

const rules: DeletionRules = {
  deleteTag: "native",
  lastTag: "keeps-manifest",
  deleteManifest: "drops-tags",
  deleteChild: "allowed",
  cascades: [],
  batchSize: 1,
};

/** A manifest came before what it lists. */
export class ChildMissingError extends WerfError {
  readonly missing: readonly Digest[];

  constructor(address: string, parent: Digest, missing: readonly Digest[]) {
    super(
      "embedded-registry/child-missing",
      `${address}: the manifest ${parent} lists what the repository doesn't have: ${missing.slice(0, 3).join(", ")}`,
      { hint: "write blobs and the manifests of an index first" },
    );
    this.missing = missing;
  }
}

export interface RepositoryParts {
  readonly address: string;
  readonly root: RootLayout;
  readonly staging: Staging;
  readonly manifestCache: BoundedCache<CachedManifest>;
}

/** One repository of a root: a `Store`, and what the server needs besides. */
export class EmbeddedRepository implements Store {
  readonly name: string;
  readonly address: string;
  readonly place: string;
  readonly blobs: BlobFiles;
  readonly tags: TagFiles;
  readonly staging: Staging;
  readonly #directory: string;
  readonly #manifests: ManifestFiles;
  readonly #referrers: ReferrerFiles;

  /** @throws WerfError `embedded-registry/name-invalid` */
  constructor(name: string, parts: RepositoryParts) {
    const layout = parts.root.repository(name);
    this.name = name;
    this.address = parts.address;
    this.place = parts.root.directory;
    this.staging = parts.staging;
    this.#directory = layout.directory;
    this.blobs = new BlobFiles(parts.root, layout, parts.staging, parts.address);
    this.tags = new TagFiles(layout, parts.staging);
    this.#manifests = new ManifestFiles(layout, parts.staging, parts.manifestCache);
    this.#referrers = new ReferrerFiles(layout, parts.staging);
  }

  /** Whether anything was ever written to it. */
  async exists(): Promise<boolean> {
    for (const mark of repositoryMarks) {
      if (await exists(join(this.#directory, mark))) return true;
    }
    return false;
  }

  /** Who asks may list the blob in a manifest without writing it again: so it counts as new. */
  async statBlob(digest: Digest): Promise<BlobStat> {
    const found = await this.blobs.stat(digest);
    if (found.kind === "present") await this.blobs.renew(digest);
    return found;
  }

  readBlob(blob: { readonly digest: Digest; readonly size?: number }): Promise<Readable> {
    return this.blobs.read(blob);
  }

  writeBlob(
    blob: { readonly digest: Digest; readonly size: number },
    source: BodySource,
  ): Promise<BlobWrite> {
    return this.blobs.write(blob, source);
  }

  async mountBlob(blob: { readonly digest: Digest; readonly size: number }, from: Store): Promise<boolean> {
    if (!(from instanceof EmbeddedRepository) || from.place !== this.place) return false;
    return this.blobs.mount(blob.digest, from.blobs);
  }

  /** Who asks may list the manifest in an index without writing it again: so it counts as new. */
  async statManifest(reference: ManifestReference): Promise<ManifestStat> {
    const manifest = await this.#find(reference);
    if (manifest !== undefined) await this.#manifests.renew(manifest.digest);
    return manifest === undefined
      ? { kind: "missing" }
      : { kind: "present", descriptor: descriptorOf(manifest) };
  }

  async readManifest(reference: ManifestReference): Promise<ManifestRead> {
    const manifest = await this.#find(reference);
    return manifest === undefined ? { kind: "missing" } : { kind: "present", manifest };
  }

  /** A tag whose manifest has gone is no tag: deleting was interrupted, or is under way. */
  async #find(reference: ManifestReference): Promise<RawManifest | undefined> {
    const digest = isDigest(reference) ? reference : await this.tags.resolve(reference);
    return digest === undefined ? undefined : this.#manifests.read(digest);
  }

  /**
   * @throws WerfError `oci/digest-mismatch`, `oci/manifest-*` for what isn't a manifest, and
   * `embedded-registry/child-missing` when a blob or child isn't in this repository
   */
  async writeManifest(raw: RawManifest, tag?: string): Promise<void> {
    if (tag !== undefined) checkTag(tag);
    checkDigest(raw.digest);
    if (digestOf(raw.bytes, algorithmOf(raw.digest)) !== raw.digest) {
      throw new WerfError(
        "oci/digest-mismatch",
        `${this.address}: the bytes of the manifest are not ${raw.digest}`,
      );
    }
    const manifest = parseManifest(raw, `${this.address}@${raw.digest}`);
    await this.#checkChildren(raw, manifest);
    // Who deletes the manifest at the same time takes it away before its tags: then all is written once more.
    do {
      await this.#referrers.add(raw, manifest);
      await this.#manifests.write(raw);
      await this.#confirmChildren(raw, manifest);
      if (tag !== undefined) await this.tags.write(tag, raw.digest);
    } while (!(await this.#manifests.has(raw.digest)));
  }

  /** Pruning takes unused blobs away before it looks for new manifests: so one of the two sees the other. */
  async #confirmChildren(raw: RawManifest, manifest: Manifest): Promise<void> {
    try {
      await this.#checkChildren(raw, manifest);
    } catch (error) {
      await this.deleteManifest(raw.digest);
      throw error;
    }
  }

  async #checkChildren(raw: RawManifest, manifest: Manifest): Promise<void> {
    const missing = await this.#missingChildren(manifest);
    if (missing.length > 0) throw new ChildMissingError(this.address, raw.digest, missing);
  }

  /** What the manifest needs to be pulled and this repository doesn't have. A subject may come later. */
  async #missingChildren(manifest: Manifest): Promise<Digest[]> {
    const missing: Digest[] = [];
    for (const child of childrenOf(manifest)) {
      const asManifest = manifest.kind === "index" && (await this.#manifests.has(child.digest));
      // BuildKit's cache is an index of layers.
      const mayBeBlob = manifest.kind === "image" || !isManifestType(child.mediaType);
      const found = asManifest || (mayBeBlob && (await this.blobs.stat(child.digest)).kind === "present");
      if (!found) missing.push(child.digest);
    }
    return missing;
  }

  /** As for `statManifest`. */
  renewManifest(digest: Digest): Promise<void> {
    return this.#manifests.renew(digest);
  }

  /** Digests of all manifests, tagged or not. */
  listManifests(): Promise<Digest[]> {
    return this.#manifests.list();
  }

  listTags(): AsyncIterable<string> {
    return this.tags.list();
  }

  async *listReferrers(subject: Digest): AsyncGenerator<Descriptor> {
    for await (const referrer of this.#referrers.list(subject)) {
      if (await this.#manifests.has(referrer.digest)) yield referrer;
    }
  }

  deletionRules(): Promise<DeletionRules> {
    return Promise.resolve(rules);
  }

  async deleteManifest(digest: Digest): Promise<DeleteResult> {
    // A damaged file can be deleted as any other.
    const raw = await this.#manifests.read(digest).catch(() => undefined);
    // Tags first, so that none is left dangling by a crash; then those that came meanwhile.
    await this.tags.removeAllOf(digest, "keep-hints");
    const removed = await this.#manifests.remove(digest);
    await this.tags.removeAllOf(digest, "drop-hints");
    const subject = raw && subjectOf(parseManifest(raw, this.address));
    if (subject !== undefined) await this.#referrers.remove(subject.digest, digest);
    return removed ? { kind: "deleted" } : { kind: "absent" };
  }

  async deleteTag(tag: string): Promise<DeleteResult> {
    return (await this.tags.remove(tag)) ? { kind: "deleted" } : { kind: "absent" };
  }

  /** Every write is complete when it returns. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Layers that live elsewhere (`urls`, Docker's foreign layers) need not be here. */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  switch (manifest.kind) {
    case "index":
      return manifest.manifests;
    case "image":
      return [manifest.config, ...manifest.layers.filter((layer) => !isForeign(layer))];
    case "unknown":
      return [];
  }
}

/** image-spec 1.0, "Non-Distributable Layers": deprecated since, and still pushed. */
const nondistributable = "application/vnd.oci.image.layer.nondistributable.v1.tar";

function isForeign(layer: Descriptor): boolean {
  const type = layer.mediaType;
  const elsewhere = type === mediaTypes.dockerForeignLayerGzip || type.startsWith(nondistributable);
  return elsewhere || (layer.urls?.length ?? 0) > 0;
}
