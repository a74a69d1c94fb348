import { mapConcurrently } from "../../core/concurrency.js";
import { isWerfError } from "../../core/errors.js";
import type { DeletionRules } from "../../oci/deletion.js";
import type { Digest } from "../../oci/digest.js";
import { parseManifest } from "../../oci/manifest.js";
import { isIndexType, mediaTypes } from "../../oci/media-types.js";
import type { Store } from "../../oci/store.js";
import type { FactsCache } from "../../records/facts-cache.js";
import { type Snapshot, snapshotOf } from "../../records/snapshot.js";
import { type ManifestFacts, manifestFacts, readStage, type StageRead } from "../../records/stage-reader.js";
import type { BundleFacts, CustomTagFacts, RecordFacts, RepositoryFacts, Unreadable } from "../facts.js";
import { type BundleReader, type RepositoryInput, requestsAtOnce } from "./inputs.js";
import { readRecord } from "./record-reader.js";

const maxIndexDepth = 8;

/** One repository while it is being read; what is read later joins what is known. */
export class RepositoryInventory {
  readonly #store: Store;
  readonly #rules: DeletionRules;
  readonly #snapshot: Snapshot;
  readonly #unconfirmed: ReadonlySet<string>;
  readonly #pushedAtMs: ReadonlyMap<Digest, number>;
  readonly #digests: Map<string, Digest>;
  readonly #manifests = new Map<Digest, ManifestFacts>();
  readonly #stages = new Map<string, StageRead>();
  readonly #referrers = new Map<Digest, readonly ManifestFacts[]>();
  readonly #bundles: BundleFacts[] = [];
  readonly #unreadable: Unreadable[] = [];
  readonly #unreadableBundles: Unreadable[] = [];
  readonly #customTags = new Map<string, CustomTagFacts>();
  readonly #records = new Map<string, RecordFacts>();
  /** Records whose digest comes from an earlier run. */
  readonly #remembered = new Set<string>();
  readonly #cache: FactsCache;
  readonly #missing: boolean;
  #recordsResolved = false;

  private constructor(store: Store, cache: FactsCache, rules: DeletionRules, listing: Listing) {
    this.#store = store;
    this.#cache = cache;
    this.#rules = rules;
    this.#snapshot = snapshotOf(listing.tags);
    this.#unconfirmed = listing.unconfirmed;
    this.#missing = listing.missing;
    this.#pushedAtMs = listing.pushedAtMs;
    this.#digests = new Map(listing.digests);
  }

  /** Lists the tags, and reads stages, foreign tags and the records that carry relations. */
  static async read(
    input: RepositoryInput,
    cache: FactsCache,
    readBundle: BundleReader | undefined,
  ): Promise<RepositoryInventory> {
    const listing = await list(input);
    const rules = await input.store.deletionRules();
    const inventory = new RepositoryInventory(input.store, cache, rules, listing);
    const { stages, rejected, foreign, attached, customTagRecords } = inventory.#snapshot;
    const doubtful = new Set(rejected.map(({ stage }) => stage));
    await each(stages, ({ kind, tag }) => {
      // The tag of an index has no time: it may have got other platforms since, and those need it.
      const isFixed = kind === "stage" && !doubtful.has(tag);
      return inventory.#readStage(tag, isFixed ? cache : undefined);
    });
    await each(foreign, (tag) => inventory.#readForeign(tag, readBundle));
    await each(attached, ({ tag }) => inventory.#readForeign(tag, undefined));
    await each([...rejected.map(({ tag }) => tag), ...customTagRecords], (tag) => inventory.readRecord(tag));
    await inventory.#readNestedIndexes();
    await cache.save(inventory.#snapshot.tags);
    return inventory;
  }

  get stageTags(): Iterable<string> {
    return this.#stages.keys();
  }

  async #readStage(tag: string, cache: FactsCache | undefined): Promise<void> {
    const known = cache?.get(tag);
    const read: StageRead =
      known === undefined ? await readStage(this.#store, tag) : { kind: "present", facts: known };
    this.#stages.set(tag, read);
    if (read.kind === "present") {
      cache?.set(tag, read.facts);
      this.#digests.set(tag, read.facts.digest);
      this.#manifests.set(read.facts.digest, read.facts);
    } else if (read.kind === "tombstone") this.#digests.set(tag, read.digest);
    else if (read.kind === "broken") await this.#statTag(tag);
    else this.#digests.delete(tag);
  }

  async #statTag(tag: string): Promise<void> {
    const stat = await this.#store.statManifest(tag);
    if (stat.kind === "present") this.#digests.set(tag, stat.descriptor.digest);
    else this.#digests.delete(tag);
  }

  async #readForeign(tag: string, readBundle: BundleReader | undefined): Promise<void> {
    try {
      const read = await this.#store.readManifest(tag);
      if (read.kind === "missing") {
        this.#digests.delete(tag);
        return;
      }
      const { digest } = read.manifest;
      this.#digests.set(tag, digest);
      const manifest = parseManifest(read.manifest, `${this.#store.address}:${tag}`);
      this.#manifests.set(digest, manifestFacts(manifest, digest));
      if (manifest.kind !== "image") return;
      const isHelm = manifest.config.mediaType === mediaTypes.helmConfig;
      const bundle = await readBundle?.(this.#store, { tag, digest, manifest });
      if (bundle?.kind === "bundle") this.#bundles.push({ tag, digest, protects: bundle.protects });
      else if (bundle?.kind === "unreadable") this.#unreadableBundles.push({ tag, reason: bundle.reason });
      else if (bundle === undefined && isHelm) {
        this.#unreadableBundles.push({ tag, reason: "nothing here reads Helm charts" });
      }
    } catch (error) {
      if (!isWerfError(error) || !error.code.startsWith("oci/")) throw error;
      // An image of schema 1 lists no other manifests; of anything else that isn't known.
      if (error.code !== "oci/manifest-schema1") this.#unreadable.push({ tag, reason: error.message });
    }
  }

  *#bareRecords(): Iterable<string> {
    const { imageMetadata, managedImages, oldGeneration, metaRepoMarkers } = this.#snapshot;
    for (const { tag } of [...imageMetadata, ...managedImages, ...oldGeneration]) yield tag;
    yield* metaRepoMarkers;
  }

  /** The digest of a record: from the registry's own listing, from an earlier run, or by asking. */
  async #readDigest(tag: string): Promise<void> {
    if (this.#digests.has(tag)) return;
    const known = this.#cache.get(tag);
    if (known !== undefined) {
      this.#digests.set(tag, known.digest);
      this.#remembered.add(tag);
      return;
    }
    const stat = await this.#store.statManifest(tag);
    if (stat.kind === "missing") return;
    const { digest, mediaType } = stat.descriptor;
    this.#digests.set(tag, digest);
    this.#cache.set(tag, { digest, mediaType, kind: "unknown", children: [] });
  }

  /** What records resolve to, so that no deletion takes one along; `false` when all were asked for already. */
  async resolveRecords(): Promise<boolean> {
    if (this.#recordsResolved) return false;
    await each(this.#bareRecords(), (tag) => this.#readDigest(tag));
    await this.#cache.save(this.#snapshot.tags);
    this.#recordsResolved = true;
    return true;
  }

  async #readNestedIndexes(): Promise<void> {
    for (let depth = 0; depth < maxIndexDepth; depth++) {
      const unread = [...this.#manifests.values()]
        .flatMap(({ children }) => children)
        .filter(({ digest, isIndex }) => isIndex && !this.#manifests.has(digest));
      if (unread.length === 0) return;
      await each(new Set(unread.map(({ digest }) => digest)), (digest) => this.#readByDigest(digest));
    }
  }

  async #readByDigest(digest: Digest): Promise<void> {
    const unknown: ManifestFacts = { digest, mediaType: "", kind: "unknown", children: [] };
    this.#manifests.set(digest, unknown);
    try {
      const read = await this.#store.readManifest(digest);
      if (read.kind === "missing") return;
      const manifest = parseManifest(read.manifest, `${this.#store.address}@${digest}`);
      this.#manifests.set(digest, manifestFacts(manifest, digest));
    } catch (error) {
      if (!isWerfError(error) || !error.code.startsWith("oci/")) throw error;
      this.#unreadable.push({ tag: digest, reason: error.message });
    }
  }

  /** Opens records; `false` when all were open already. */
  async readRecords(tags: Iterable<string>): Promise<boolean> {
    const unread = [...tags].filter((tag) => !this.#records.has(tag));
    await each(unread, (tag) => this.readRecord(tag));
    return unread.length > 0;
  }

  async readRecord(tag: string): Promise<void> {
    const read = await readRecord(this.#store, tag);
    this.#remembered.delete(tag);
    this.#records.set(tag, read.kind === "present" ? read.facts : {});
    if (read.kind === "missing") this.#digests.delete(tag);
    else {
      this.#digests.set(tag, read.digest);
      if (read.customTag !== undefined) this.#customTags.set(tag, read.customTag);
    }
  }

  /** Asks again for what is to go and was only remembered; `false` when nothing was. */
  async refresh(tags: Iterable<string>): Promise<boolean> {
    const stale = [...tags].filter((tag) => this.#remembered.delete(tag));
    await each(stale, (tag) => this.#statTag(tag));
    return stale.length > 0;
  }

  /** Asks for the referrers of manifests that are to go; `false` when all were asked for already. */
  async readReferrers(subjects: Iterable<Digest>): Promise<boolean> {
    const unread = [...new Set(subjects)].filter((digest) => !this.#referrers.has(digest));
    await each(unread, async (subject) => {
      const found: ManifestFacts[] = [];
      for await (const { digest, mediaType } of this.#store.listReferrers(subject)) {
        if (isIndexType(mediaType)) await this.#readByDigest(digest);
        const known = this.#manifests.get(digest);
        found.push({ ...(known ?? { digest, mediaType, kind: "image", children: [] }), subject });
      }
      this.#referrers.set(subject, found);
    });
    return unread.length > 0;
  }

  async exists(digest: Digest): Promise<boolean> {
    return (await this.#store.statManifest(digest)).kind === "present";
  }

  facts(): RepositoryFacts {
    return {
      address: this.#store.address,
      missing: this.#missing,
      rules: this.#rules,
      snapshot: this.#snapshot,
      unconfirmed: this.#unconfirmed,
      digests: this.#digests,
      recordsResolved: this.#recordsResolved,
      manifests: this.#manifests,
      stages: this.#stages,
      pushedAtMs: this.#pushedAtMs,
      referrers: this.#referrers,
      bundles: this.#bundles,
      unreadable: this.#unreadable,
      unreadableBundles: this.#unreadableBundles,
      customTags: this.#customTags,
      records: this.#records,
    };
  }
}

interface Listing {
  readonly missing: boolean;
  readonly tags: ReadonlySet<string>;
  readonly unconfirmed: ReadonlySet<string>;
  /** From the registry's own listing; replaced by what the manifests say. */
  readonly digests: ReadonlyMap<string, Digest>;
  readonly pushedAtMs: ReadonlyMap<Digest, number>;
}

/** Both listings, where there are two: what either shows is protected, only what both show may go. */
async function list({ store, listImages }: RepositoryInput): Promise<Listing> {
  const tags = new Set<string>();
  for await (const tag of store.listTags()) tags.add(tag);
  const digests = new Map<string, Digest>();
  const pushedAtMs = new Map<Digest, number>();
  const missing = tags.size === 0 && (await store.statRepository?.()) === "missing";
  if (listImages === undefined) return { missing, tags, unconfirmed: new Set(), digests, pushedAtMs };
  for await (const image of listImages()) {
    for (const tag of image.tags) digests.set(tag, image.digest);
    if (image.pushedAt !== undefined) pushedAtMs.set(image.digest, image.pushedAt.getTime());
  }
  const unconfirmed = new Set([...tags].filter((tag) => !digests.has(tag)));
  for (const tag of digests.keys()) if (!tags.has(tag)) unconfirmed.add(tag);
  return { missing, tags: new Set([...tags, ...digests.keys()]), unconfirmed, digests, pushedAtMs };
}

async function each<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  await mapConcurrently(items, requestsAtOnce, work);
}
