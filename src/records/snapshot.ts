import type { TagLister } from "../oci/store.js";
import {
  type AttachedTag,
  classifyTag,
  type ImageMetadataTag,
  type IndexStageTag,
  type ManagedImageTag,
  type OldGenerationTag,
  type RejectedTag,
  type StageTag,
  type TagRecord,
} from "./tags.js";

/** One listing of a repository's tags, sorted by what they are. */
export interface Snapshot {
  readonly tags: ReadonlySet<string>;
  readonly stages: readonly (StageTag | IndexStageTag)[];
  readonly rejected: readonly RejectedTag[];
  readonly imageMetadata: readonly ImageMetadataTag[];
  readonly managedImages: readonly ManagedImageTag[];
  /** Records of custom tags, not the custom tags themselves: those are among `foreign`. */
  readonly customTagRecords: readonly string[];
  readonly attached: readonly AttachedTag[];
  readonly oldGeneration: readonly OldGenerationTag[];
  readonly metaRepoMarkers: readonly string[];
  readonly foreign: readonly string[];
}

/** Lists the tags once. @throws whatever the listing throws: never a part of it */
export async function readSnapshot(store: TagLister): Promise<Snapshot> {
  const tags: string[] = [];
  for await (const tag of store.listTags()) tags.push(tag);
  return snapshotOf(tags);
}

export function snapshotOf(tags: Iterable<string>): Snapshot {
  const all = new Set(tags);
  const records = [...all].map(classifyTag);
  return {
    tags: all,
    stages: records.filter((record) => record.kind === "stage" || record.kind === "index-stage"),
    rejected: ofKind(records, "rejected"),
    imageMetadata: ofKind(records, "image-metadata"),
    managedImages: ofKind(records, "managed-image"),
    customTagRecords: ofKind(records, "custom-tag").map(({ tag }) => tag),
    attached: ofKind(records, "attached"),
    oldGeneration: ofKind(records, "old-generation"),
    metaRepoMarkers: ofKind(records, "meta-repo-marker").map(({ tag }) => tag),
    foreign: ofKind(records, "foreign").map(({ tag }) => tag),
  };
}

function ofKind<K extends TagRecord["kind"]>(
  records: readonly TagRecord[],
  kind: K,
): Extract<TagRecord, { kind: K }>[] {
  return records.filter((record): record is Extract<TagRecord, { kind: K }> => record.kind === kind);
}

/**
 * The stage of a content digest that every builder agrees on: the oldest that wasn't rejected. `notBeforeMs`
 * leaves out what is older than the stage's parent.
 */
export function findStage(snapshot: Snapshot, contentDigest: string, notBeforeMs = 0): StageTag | undefined {
  const rejected = new Set(snapshot.rejected.map(({ stage }) => stage));
  let oldest: StageTag | undefined;
  for (const stage of snapshot.stages) {
    if (stage.kind !== "stage" || stage.contentDigest !== contentDigest) continue;
    if (rejected.has(stage.tag) || stage.createdMs < notBeforeMs) continue;
    if (oldest === undefined || stage.createdMs < oldest.createdMs) oldest = stage;
  }
  return oldest;
}
