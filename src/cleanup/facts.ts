import type { CommitGraph } from "../git/commit-graph.js";
import type { GitReference } from "../git/history.js";
import type { DeletionRules } from "../oci/deletion.js";
import type { Digest } from "../oci/digest.js";
import type { Snapshot } from "../records/snapshot.js";
import type { ManifestFacts, StageRead } from "../records/stage-reader.js";

/** `meta` only when records lie in a repository of their own. */
export type RepositoryRole = "primary" | "final" | "meta";

/** Everything that a cleanup knows. The planner works on this and on nothing else. */
export interface CleanupFacts {
  readonly project: string;
  /** Milliseconds since 1970: when the reading began. */
  readonly takenAtMs: number;
  readonly primary: RepositoryFacts;
  readonly final?: RepositoryFacts;
  readonly meta?: RepositoryFacts;
  /** Names of all images in werf.yaml. */
  readonly imageNames: readonly string[];
  /** Absent: not read, because the policy is off (or the command is purge). */
  readonly git?: GitFacts;
  /** What runs, or is declared as used; absent: nobody was asked. */
  readonly used?: UsedFacts;
  /** Tags of the keep list. */
  readonly keepList: readonly string[];
  /** What a run that was interrupted had still to remove, by repository. */
  readonly interrupted?: Interrupted;
}

export interface GitFacts {
  readonly references: readonly GitReference[];
  readonly commits: CommitGraph;
}

export interface UsedFacts {
  readonly images: readonly UsedImage[];
  /** Every cluster that was asked, and how many workloads it showed. */
  readonly clusters: readonly { readonly name: string; readonly workloads: number }[];
}

/** An image that something uses: by tag, by digest or by both. The registry's name doesn't matter: mirrors. */
export interface UsedImage {
  readonly tag?: string;
  readonly digest?: Digest;
  /** For people: `ctx/prod ns/shop deployment/api container/app`. */
  readonly where: string;
}

/** What of an interrupted run's plan can't be judged by what the repository shows now. */
export interface Interrupted {
  readonly manifests: readonly InterruptedManifest[];
  /** Records that were to go with their stage, by tag, with what they resolved to. */
  readonly records: ReadonlyMap<string, Digest>;
}

/** An untagged manifest whose parent an earlier run has already deleted. */
export interface InterruptedManifest {
  readonly repository: RepositoryRole;
  readonly digest: Digest;
}

/** One repository, read once. */
export interface RepositoryFacts {
  readonly address: string;
  /** The registry says that it doesn't know it, or hides it from us. */
  readonly missing: boolean;
  readonly rules: DeletionRules;
  readonly snapshot: Snapshot;
  /** Tags that only one of the registry's two listings shows: they stay. */
  readonly unconfirmed: ReadonlySet<string>;
  /** Of every tag in the snapshot that still resolves; of records only where `recordsResolved`. */
  readonly digests: ReadonlyMap<string, Digest>;
  /** Whether the tags of records were asked for: only a plan that deletes something needs them. */
  readonly recordsResolved: boolean;
  /** Of stages, foreign tags, attached tags and the untagged manifests that were looked at. */
  readonly manifests: ReadonlyMap<Digest, ManifestFacts>;
  /** Stage tags, by tag. */
  readonly stages: ReadonlyMap<string, StageRead>;
  /** When the registry took a manifest, in milliseconds since 1970, where it says so. */
  readonly pushedAtMs: ReadonlyMap<Digest, number>;
  /** Referrers by subject, of those manifests that were asked for. */
  readonly referrers: ReadonlyMap<Digest, readonly ManifestFacts[]>;
  readonly bundles: readonly BundleFacts[];
  /** Foreign tags whose manifest can't be read: what they point to is unknown. */
  readonly unreadable: readonly Unreadable[];
  /** Helm artifacts and bundles that can't be read: they stop the run. */
  readonly unreadableBundles: readonly Unreadable[];
  /** What custom tags stand for, by the tag of their record. */
  readonly customTags: ReadonlyMap<string, CustomTagFacts>;
  /** Records that were opened: not all are. */
  readonly records: ReadonlyMap<string, RecordFacts>;
}

export interface Unreadable {
  readonly tag: string;
  readonly reason: string;
}

/** A published bundle and the images it needs. */
export interface BundleFacts {
  readonly tag: string;
  readonly digest: Digest;
  readonly protects: { readonly tags: readonly string[]; readonly digests: readonly Digest[] };
}

export interface CustomTagFacts {
  readonly customTag: string;
  readonly stage: string;
}

/** Labels and time of a record. */
export interface RecordFacts {
  readonly project?: string;
  readonly createdMs?: number;
}

export function repositoriesOf(facts: CleanupFacts): [RepositoryRole, RepositoryFacts][] {
  const all: [RepositoryRole, RepositoryFacts | undefined][] = [
    ["primary", facts.primary],
    ["final", facts.final],
    ["meta", facts.meta],
  ];
  return all.filter((entry): entry is [RepositoryRole, RepositoryFacts] => entry[1] !== undefined);
}

/** Where records lie, and under which role. */
export function recordsOf(facts: CleanupFacts): { role: RepositoryRole; repository: RepositoryFacts } {
  return facts.meta === undefined
    ? { role: "primary", repository: facts.primary }
    : { role: "meta", repository: facts.meta };
}
