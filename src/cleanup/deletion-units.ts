import type { DeletionRules } from "../oci/deletion.js";
import type { Digest } from "../oci/digest.js";
import type { ManifestFacts } from "../records/stage-reader.js";
import type { InterruptedManifest, RepositoryFacts } from "./facts.js";
import type { RepositoryDecisions, TagDecision } from "./stage-decisions.js";

/** Tags of one digest that go, and whether the manifest goes with them. */
export interface DeletionUnit {
  readonly digest: Digest;
  readonly tags: readonly string[];
  readonly whole: boolean;
  /** Manifests that point here and must be gone before: condemned indexes, and referrers of this one. */
  readonly parents: readonly Digest[];
}

export interface Condemned {
  readonly units: ReadonlyMap<Digest, DeletionUnit>;
  /** Signatures and the like under their own tags, which go with their subject: tag to subject. */
  readonly attached: ReadonlyMap<string, Digest>;
  /** Manifests without a tag, with what they hung on. */
  readonly untagged: ReadonlyMap<Digest, string>;
  /** Tags that no policy keeps but that this registry can't remove: tag to reason. */
  readonly refused: ReadonlyMap<string, string>;
}

/** Works out which manifests go as a whole, what goes with them, and what the registry can't do. */
export function condemn(
  decisions: RepositoryDecisions,
  interrupted: readonly InterruptedManifest[],
): Condemned {
  const { rules } = decisions.facts;
  const candidates = [...decisions.stages.values(), ...decisions.aliases.values()].filter(
    ({ keep }) => keep.length === 0,
  );
  const cascade = new Cascade(decisions);
  for (const { tag, digest } of candidates) cascade.tag(tag, digest);
  for (const { repository, digest } of interrupted) {
    if (repository === decisions.role && decisions.live.tagsOf(digest).length === 0) {
      cascade.untag(digest, "its index or subject was deleted by an interrupted run");
    }
  }
  cascade.run();
  const refused = new Map<string, string>();
  for (const candidate of candidates) {
    const whole = cascade.isWhole(candidate.digest);
    const why = whole ? cannotDeleteWhole(rules) : cannotDeleteTag(rules, candidate);
    if (why !== undefined) refused.set(candidate.tag, why);
  }
  for (const [tag, digest] of cascade.attachedTags()) {
    if (!cascade.isWhole(digest)) refused.set(tag, "its manifest has other tags");
  }
  return cascade.result(refused);
}

/** Why this registry can't delete a manifest whose tags all go. */
export function cannotDeleteWhole(rules: DeletionRules): string | undefined {
  const manifests = rules.deleteManifest !== "none";
  if (rules.deleteManifest === "refused-while-tagged" && rules.deleteTag !== "native") {
    return "this registry can't delete a manifest with a tag, nor a tag";
  }
  return manifests || rules.deleteTag === "native" ? undefined : "this registry can't delete manifests";
}

/** Whether a tag can go alone by its name; where that is unknown, a plan assumes it and says so. */
export function deletesTags({ deleteTag }: DeletionRules): boolean {
  return deleteTag === "native" || deleteTag === "unknown";
}

/** Why this registry can't remove one tag of a manifest that stays. A tag that may move is never isolated. */
function cannotDeleteTag(rules: DeletionRules, { type }: TagDecision): string | undefined {
  if (deletesTags(rules)) return undefined;
  const isolates = rules.deleteTag === "isolate" && rules.deleteManifest !== "none" && type !== "customTag";
  return isolates ? undefined : "this registry can't remove one tag safely";
}

/** Follows what hangs on condemned manifests until nothing more falls. */
class Cascade {
  readonly #decisions: RepositoryDecisions;
  readonly #facts: RepositoryFacts;
  readonly #gone = new Map<Digest, Set<string>>();
  readonly #whole = new Set<Digest>();
  readonly #parents = new Map<Digest, Set<Digest>>();
  readonly #attached = new Map<string, Digest>();
  readonly #untagged = new Map<Digest, string>();
  readonly #open: Digest[] = [];

  constructor(decisions: RepositoryDecisions) {
    this.#decisions = decisions;
    this.#facts = decisions.facts;
  }

  tag(tag: string, digest: Digest): void {
    const tags = this.#gone.get(digest) ?? new Set();
    this.#gone.set(digest, tags.add(tag));
    this.#open.push(digest);
  }

  untag(digest: Digest, because: string): void {
    if (this.#untagged.has(digest) || this.#decisions.live.digests.has(digest)) return;
    this.#untagged.set(digest, because);
    this.#open.push(digest);
  }

  isWhole(digest: Digest): boolean {
    return this.#whole.has(digest);
  }

  run(): void {
    for (let digest = this.#open.pop(); digest !== undefined; digest = this.#open.pop()) {
      if (this.#whole.has(digest) || !this.#falls(digest)) continue;
      this.#whole.add(digest);
      this.#follow(digest);
    }
  }

  /** A manifest goes when nothing reaches it and all its tags go. */
  #falls(digest: Digest): boolean {
    const { live } = this.#decisions;
    const gone = this.#gone.get(digest);
    return !live.digests.has(digest) && live.tagsOf(digest).every((tag) => gone?.has(tag) === true);
  }

  #follow(digest: Digest): void {
    const manifest = this.#facts.manifests.get(digest);
    for (const child of manifest?.children ?? []) {
      this.#parent(child.digest, digest);
      this.#hanging(child.digest, `its index ${digest} goes`);
    }
    for (const referrer of this.#decisions.live.referrersOf(digest)) {
      this.#parent(digest, referrer.digest);
      this.#hanging(referrer.digest, `its subject ${digest} goes`);
      this.#attachTags(referrer, digest);
    }
    for (const tag of this.#decisions.live.attachedTo(digest)) {
      const own = this.#facts.digests.get(tag);
      if (own === undefined || this.#decisions.live.digests.has(own)) continue;
      this.#parent(digest, own);
      this.#attached.set(tag, digest);
      this.tag(tag, own);
    }
  }

  /** An attachment may have a tag of the referrers schema; other tags make it a root, and it isn't here. */
  #attachTags(referrer: ManifestFacts, subject: Digest): void {
    const { attached } = this.#facts.snapshot;
    for (const tag of this.#decisions.live.tagsOf(referrer.digest)) {
      if (!attached.some((known) => known.tag === tag)) continue;
      this.#attached.set(tag, subject);
      this.tag(tag, referrer.digest);
    }
  }

  /** With a foreign manifest that can't be read, nobody knows what else it lists. */
  #hanging(digest: Digest, because: string): void {
    const known = this.#facts.unreadable.length === 0;
    if (known && this.#decisions.live.tagsOf(digest).length === 0) this.untag(digest, because);
  }

  *attachedTags(): Iterable<[string, Digest]> {
    for (const tag of this.#attached.keys()) {
      const own = this.#facts.digests.get(tag);
      if (own !== undefined) yield [tag, own];
    }
  }

  #parent(of: Digest, parent: Digest): void {
    this.#parents.set(of, (this.#parents.get(of) ?? new Set()).add(parent));
  }

  result(refused: ReadonlyMap<string, string>): Condemned {
    const units = new Map<Digest, DeletionUnit>();
    for (const digest of new Set([...this.#gone.keys(), ...this.#untagged.keys()])) {
      const tags = [...(this.#gone.get(digest) ?? [])].filter((tag) => !refused.has(tag));
      const whole = this.#whole.has(digest);
      if (tags.length === 0 && !whole) continue;
      if (whole && cannotDeleteWhole(this.#facts.rules) !== undefined) continue;
      if (tags.length === 0 && this.#facts.rules.deleteManifest === "none") continue;
      units.set(digest, { digest, tags, whole, parents: [...(this.#parents.get(digest) ?? [])] });
    }
    return { units, attached: this.#attached, untagged: this.#untagged, refused };
  }
}
