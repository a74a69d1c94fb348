import type {
  BundleFacts,
  CleanupFacts,
  RecordFacts,
  RepositoryFacts,
  UsedImage,
} from "../../src/cleanup/facts.js";
import type { CleanupConfig } from "../../src/config/model.js";
import type { GraphCommit } from "../../src/git/commit-graph.js";
import type { GitReference } from "../../src/git/history.js";
import type { DeletionRules } from "../../src/oci/deletion.js";
import { type Digest, digestOf } from "../../src/oci/digest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import { snapshotOf } from "../../src/records/snapshot.js";
import type { ManifestFacts, StageFacts, StageRead } from "../../src/records/stage-reader.js";
import {
  customTagRecordTag,
  imageMetadataTag,
  managedImageTag,
  rejectedTag,
} from "../../src/records/tags.js";

export const nowMs: number = Date.parse("2026-11-22T12:00:00Z");
export const hourMs = 3_600_000;

export const cleanupConfig: CleanupConfig = {
  disable: false,
  disableKubernetesBasedPolicy: false,
  disableGitHistoryBasedPolicy: false,
  disableBuiltWithinLastNHoursPolicy: false,
  keepImagesBuiltWithinLastNHours: 2,
  keepPolicies: [],
};

export const nativeRules: DeletionRules = {
  deleteTag: "native",
  lastTag: "keeps-manifest",
  deleteManifest: "drops-tags",
  deleteChild: "allowed",
  cascades: [],
  batchSize: 1,
};
export const isolateRules: DeletionRules = { ...nativeRules, deleteTag: "isolate" };

/** The hash of a commit that a test calls by a short name. */
export function commitOf(name: string): string {
  return digestOf(`commit ${name}`).slice(7, 47);
}

interface StageOptions {
  readonly ageHours?: number;
  readonly project?: string | undefined;
  readonly parent?: string;
  readonly dependencies?: readonly string[];
  readonly digest?: Digest;
  readonly subject?: Digest;
  readonly read?: StageRead;
}

/** A repository that never was: what a test says about it, as facts. */
export class FactsRepository {
  rules: DeletionRules = nativeRules;
  missing = false;
  readonly tags: Map<string, Digest> = new Map();
  readonly manifests: Map<Digest, ManifestFacts> = new Map();
  readonly stages: Map<string, StageRead> = new Map();
  readonly pushedAtMs: Map<Digest, number> = new Map();
  readonly referrers: Map<Digest, ManifestFacts[]> = new Map();
  readonly bundles: BundleFacts[] = [];
  readonly unreadable: { tag: string; reason: string }[] = [];
  readonly unreadableBundles: { tag: string; reason: string }[] = [];
  readonly customTags: Map<string, { customTag: string; stage: string }> = new Map();
  readonly records: Map<string, RecordFacts> = new Map();
  readonly unconfirmed: Set<string> = new Set();
  readonly address: string;

  constructor(address: string) {
    this.address = address;
  }

  /** Adds a stage, 100 hours old unless said otherwise, and gives its tag. */
  stage(name: string, options: StageOptions = {}): string {
    const createdMs = nowMs - (options.ageHours ?? 100) * hourMs;
    const tag = `${contentOf(name)}-${createdMs}`;
    const digest = options.digest ?? digestOf(`stage ${name}`);
    const project = "project" in options ? options.project : "shop";
    const facts: StageFacts = {
      ...image(digest),
      ...(options.subject === undefined ? {} : { subject: options.subject }),
      ...(project === undefined
        ? {}
        : {
            description: {
              project,
              createdMs,
              dependencies: options.dependencies ?? [],
              ...(options.parent === undefined ? {} : { parent: options.parent }),
            },
          }),
    };
    this.tags.set(tag, digest);
    this.stages.set(tag, options.read ?? { kind: "present", facts });
    if (options.read === undefined) this.manifests.set(digest, facts);
    return tag;
  }

  /** Adds the index over platforms (tags or digests of children). */
  index(name: string, children: readonly (string | Digest)[]): string {
    const tag = contentOf(name);
    const facts: ManifestFacts = {
      digest: digestOf(`index ${name}`),
      mediaType: mediaTypes.dockerIndex,
      kind: "index",
      children: children.map((child) => ({
        digest: this.tags.get(child) ?? (child as Digest),
        isIndex: false,
      })),
    };
    this.tags.set(tag, facts.digest);
    this.stages.set(tag, { kind: "present", facts });
    this.manifests.set(facts.digest, facts);
    return tag;
  }

  tag(tag: string, digest: Digest, manifest: Partial<ManifestFacts> = {}): string {
    this.tags.set(tag, digest);
    const known = this.manifests.get(digest);
    if (known === undefined) this.manifests.set(digest, { ...image(digest), ...manifest });
    return tag;
  }

  record(tag: string, facts?: RecordFacts): string {
    this.tags.set(tag, digestOf(`record ${tag}`));
    if (facts !== undefined) this.records.set(tag, facts);
    return tag;
  }

  meta(imageName: string, commit: string, stage: string, facts?: RecordFacts): string {
    return this.record(imageMetadataTag(imageName, commitOf(commit), stage), facts);
  }

  managed(name: string): string {
    return this.record(managedImageTag(name));
  }

  rejected(stage: string, project = "shop"): string {
    return this.record(rejectedTag(stage), { project });
  }

  custom(customTag: string, stage: string, digest: Digest | undefined = this.tags.get(stage)): string {
    if (digest !== undefined) this.tags.set(customTag, digest);
    const record = this.record(customTagRecordTag(customTag), {
      project: "shop",
      createdMs: nowMs - 100 * hourMs,
    });
    this.customTags.set(record, { customTag, stage });
    return record;
  }

  referrer(subject: Digest, digest: Digest): ManifestFacts {
    const facts = { ...image(digest), subject };
    this.referrers.set(subject, [...(this.referrers.get(subject) ?? []), facts]);
    return facts;
  }

  digest(tag: string): Digest {
    const digest = this.tags.get(tag);
    if (digest === undefined) throw new Error(`no tag ${tag}`);
    return digest;
  }

  facts(): RepositoryFacts {
    const { address, rules, manifests, stages, pushedAtMs, referrers, bundles } = this;
    const { unreadable, unreadableBundles, customTags, records, tags, unconfirmed } = this;
    return {
      address,
      missing: this.missing,
      rules,
      snapshot: snapshotOf(tags.keys()),
      unconfirmed,
      digests: tags,
      recordsResolved: true,
      manifests,
      stages,
      pushedAtMs,
      referrers,
      bundles,
      unreadable,
      unreadableBundles,
      customTags,
      records,
    };
  }
}

/** The project "shop": its repositories, its history, and what uses its images. */
export class FactsWorld {
  readonly primary: FactsRepository = new FactsRepository("registry.test/shop");
  final?: FactsRepository;
  meta?: FactsRepository;
  readonly references: GitReference[] = [];
  readonly commits: Map<string, GraphCommit> = new Map();
  readonly used: UsedImage[] = [];
  keepList: string[] = [];
  imageNames: string[] = ["app"];

  commit(
    name: string,
    options: { readonly ageHours?: number; readonly parents?: readonly string[] } = {},
  ): string {
    const parents = (options.parents ?? []).map(commitOf);
    this.commits.set(commitOf(name), { parents, committedAt: nowMs - (options.ageHours ?? 1) * hourMs });
    return name;
  }

  reference(kind: "branch" | "tag", name: string, commit: string): void {
    const hash = commitOf(commit);
    const date = new Date(this.commits.get(hash)?.committedAt ?? nowMs);
    this.references.push({ kind, name, commit: hash, object: hash, date });
  }

  facts(): CleanupFacts {
    return {
      project: "shop",
      takenAtMs: nowMs,
      primary: this.primary.facts(),
      ...(this.final === undefined ? {} : { final: this.final.facts() }),
      ...(this.meta === undefined ? {} : { meta: this.meta.facts() }),
      imageNames: this.imageNames,
      git: { references: this.references, commits: this.commits },
      used: { images: this.used, clusters: [] },
      keepList: this.keepList,
    };
  }
}

/** A world with one managed image and one branch, so that there is evidence. */
export function shop(): FactsWorld {
  const world = new FactsWorld();
  world.primary.managed("app");
  world.commit("head");
  world.reference("branch", "main", "head");
  return world;
}

function contentOf(name: string): string {
  return digestOf(`content ${name}`).slice(7, 63);
}

function image(digest: Digest): ManifestFacts {
  return {
    digest,
    mediaType: mediaTypes.ociManifest,
    kind: "image",
    children: [],
    configType: mediaTypes.ociConfig,
  };
}
