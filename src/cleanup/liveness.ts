import type { Digest } from "../oci/digest.js";
import type { ManifestFacts } from "../records/stage-reader.js";
import type { RepositoryFacts } from "./facts.js";

/** Why something is kept: one line, and what was seen. */
export interface Reason {
  readonly reason: string;
  readonly evidence: string;
}

/**
 * What of one repository is reachable from a root, and so kept: children of indexes, referrers of subjects,
 * cosign's tags, parents and dependencies of stages. Roots are added by `keepTag` and `keepDigest`; the rest
 * follows at once.
 */
export class Liveness {
  /** Kept tags, with every reason. */
  readonly tags: Map<string, Reason[]> = new Map();
  readonly digests: Set<Digest> = new Set();
  readonly #repository: RepositoryFacts;
  readonly #tagsByDigest: ReadonlyMap<Digest, readonly string[]>;
  readonly #referrers: ReadonlyMap<Digest, readonly ManifestFacts[]>;
  readonly #attached: ReadonlyMap<Digest, readonly string[]>;
  /** What is still to be followed. A list, not recursion: chains of hostile manifests may be long. */
  readonly #open: { readonly digest: Digest; readonly from: string }[] = [];
  #following = false;

  constructor(repository: RepositoryFacts) {
    this.#repository = repository;
    this.#tagsByDigest = tagsByDigest(repository);
    this.#referrers = referrersBySubject(repository);
    this.#attached = groupBy(
      repository.snapshot.attached,
      ({ subject }) => subject,
      ({ tag }) => tag,
    );
  }

  tagsOf(digest: Digest): readonly string[] {
    return this.#tagsByDigest.get(digest) ?? [];
  }

  referrersOf(digest: Digest): readonly ManifestFacts[] {
    return this.#referrers.get(digest) ?? [];
  }

  attachedTo(digest: Digest): readonly string[] {
    return this.#attached.get(digest) ?? [];
  }

  /** Keeps a tag and what it resolves to. A tag that isn't there is no matter. */
  keepTag(tag: string, reason: Reason): void {
    const digest = this.#repository.digests.get(tag);
    if (digest === undefined) return;
    const known = this.tags.get(tag);
    if (known !== undefined) {
      if (!known.some((r) => r.reason === reason.reason && r.evidence === reason.evidence))
        known.push(reason);
      return;
    }
    this.tags.set(tag, [reason]);
    this.#follow(digest, tag);
  }

  /** Keeps a manifest and the stages that are it: an index needs the child, not only its bytes. */
  keepDigest(digest: Digest, reason: Reason): void {
    for (const tag of this.tagsOf(digest)) {
      if (this.#repository.stages.has(tag)) this.keepTag(tag, reason);
    }
    this.#follow(digest, digest);
  }

  #follow(digest: Digest, from: string): void {
    if (this.digests.has(digest)) return;
    this.digests.add(digest);
    this.#open.push({ digest, from });
    if (this.#following) return;
    this.#following = true;
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) {
      this.#reach(next.digest, next.from);
    }
    this.#following = false;
  }

  #reach(digest: Digest, from: string): void {
    const manifest = this.#repository.manifests.get(digest);
    for (const child of manifest?.children ?? []) {
      this.keepDigest(child.digest, { reason: "image index platform", evidence: `${from} lists it` });
    }
    if (manifest?.subject !== undefined) {
      this.keepDigest(manifest.subject, { reason: "subject", evidence: `${from} refers to it` });
    }
    for (const referrer of this.referrersOf(digest)) {
      this.keepDigest(referrer.digest, { reason: "referrer", evidence: `it refers to ${from}` });
    }
    for (const tag of this.attachedTo(digest)) {
      this.keepTag(tag, { reason: "attached to a kept image", evidence: `it belongs to ${from}` });
    }
    // A foreign tag on a stage's manifest, too, keeps what that stage is made from.
    for (const tag of this.tagsOf(digest)) this.#followStage(tag);
  }

  #followStage(tag: string): void {
    const read = this.#repository.stages.get(tag);
    if (read?.kind !== "present") return;
    const { parent, dependencies = [] } = read.facts.description ?? {};
    if (parent !== undefined) this.keepTag(parent, { reason: "ancestor", evidence: `parent of ${tag}` });
    for (const dependency of dependencies) {
      this.keepTag(dependency, { reason: "dependency source", evidence: `dependency of ${tag}` });
    }
  }
}

export function tagsByDigest(repository: RepositoryFacts): Map<Digest, string[]> {
  return groupBy(
    repository.digests,
    ([, digest]) => digest,
    ([tag]) => tag,
  );
}

/** What the registry's list of referrers says, and what manifests with a tag say of themselves. */
function referrersBySubject(repository: RepositoryFacts): Map<Digest, ManifestFacts[]> {
  const referrers = new Map<Digest, ManifestFacts[]>();
  const add = (subject: Digest, manifest: ManifestFacts): void => {
    const known = referrers.get(subject);
    if (known === undefined) referrers.set(subject, [manifest]);
    else if (!known.some(({ digest }) => digest === manifest.digest)) known.push(manifest);
  };
  for (const [subject, all] of repository.referrers) for (const manifest of all) add(subject, manifest);
  for (const manifest of repository.manifests.values()) {
    if (manifest.subject !== undefined) add(manifest.subject, manifest);
  }
  return referrers;
}

export function groupBy<T, K, V>(
  items: Iterable<T>,
  keyOf: (item: T) => K,
  pick: (item: T) => V,
): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pick(item)]);
    else group.push(pick(item));
  }
  return groups;
}
