import { WerfError } from "../core/errors.js";
import { type Digest, isDigest } from "../oci/digest.js";
import { imageMetadataId, managedImageId, managedImageName } from "./image-name.js";
import { limitedSlug } from "./slug.js";

/** What a tag of a repository is, by its name alone. */
export type TagRecord =
  | StageTag
  | IndexStageTag
  | RejectedTag
  | ImageMetadataTag
  | ManagedImageTag
  | { readonly kind: "custom-tag"; readonly tag: string }
  | { readonly kind: "last-cleanup"; readonly tag: string }
  | { readonly kind: "meta-repo-marker"; readonly tag: string }
  | OldGenerationTag
  | AttachedTag
  | { readonly kind: "foreign"; readonly tag: string };

/** `<content digest>-<publish time>`. */
export interface StageTag {
  readonly kind: "stage";
  readonly tag: string;
  /** SHA3-224, 56 hexadecimal digits. */
  readonly contentDigest: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
}
/** The index of a multi-platform image: a content digest without a time. */
export interface IndexStageTag {
  readonly kind: "index-stage";
  readonly tag: string;
  readonly contentDigest: string;
}
/** Says that no builder may use the stage any more. */
export interface RejectedTag {
  readonly kind: "rejected";
  readonly tag: string;
  readonly stage: string;
}
/** Says that an image of a commit is that stage; all of it is in the tag. */
export interface ImageMetadataTag {
  readonly kind: "image-metadata";
  readonly tag: string;
  readonly imageId: string;
  readonly commit: string;
  readonly stage: string;
}
export interface ManagedImageTag {
  readonly kind: "managed-image";
  readonly tag: string;
  readonly name: string;
}
/** What only werf v2 writes: evidence of its use, listed, and removed by purge alone. */
export interface OldGenerationTag {
  readonly kind: "old-generation";
  readonly tag: string;
  readonly what: "import-metadata" | "client-id" | "sync-server";
}
/** The referrers tag schema of the distribution specification, and what cosign hangs on an image. */
export interface AttachedTag {
  readonly kind: "attached";
  readonly tag: string;
  readonly subject: Digest;
  readonly what: "referrers" | "sig" | "att" | "sbom";
}

const stagePattern = /^([0-9a-f]{56})-([0-9]{13})$/;
const indexPattern = /^[0-9a-f]{56}$/;
const rejectedPattern = /^([0-9a-f]{56}-[0-9]+)-rejected$/;
const metadataPattern = /^meta-([0-9a-f]{1,8})_([0-9a-f]{40,64})_([0-9a-f]{56}(?:-[0-9]{13})?)$/;
const clientIdPattern = /^client-id-.+-[0-9]+$/;
const attachedPattern = /^(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})(?:\.(sig|att|sbom))?$/;
const managedPrefix = "managed-image-";
const customTagPrefix = "custom-tag-meta-";
const markerPrefix = "werf-meta-repo-marker-";
const commitDigits = 40;

export const lastCleanupTag = "cleanup";

/** Reads a tag by its name. What isn't exactly one of werf's forms is foreign, and so kept. */
export function classifyTag(tag: string): TagRecord {
  return classifyStage(tag) ?? classifyRecord(tag) ?? classifyAttached(tag) ?? { kind: "foreign", tag };
}

function classifyStage(tag: string): TagRecord | undefined {
  const stage = stagePattern.exec(tag);
  if (stage?.[1] !== undefined) {
    return { kind: "stage", tag, contentDigest: stage[1], createdMs: Number(stage[2]) };
  }
  if (indexPattern.test(tag)) return { kind: "index-stage", tag, contentDigest: tag };
  const rejected = rejectedPattern.exec(tag)?.[1];
  return rejected === undefined ? undefined : { kind: "rejected", tag, stage: rejected };
}

function classifyRecord(tag: string): TagRecord | undefined {
  const [, imageId, commit, stage] = metadataPattern.exec(tag) ?? [];
  if (imageId !== undefined && commit !== undefined && stage !== undefined) {
    return { kind: "image-metadata", tag, imageId, commit, stage };
  }
  if (tag.startsWith(managedPrefix) && tag.length > managedPrefix.length) {
    return { kind: "managed-image", tag, name: managedImageName(tag.slice(managedPrefix.length)) };
  }
  if (tag.startsWith(customTagPrefix)) return { kind: "custom-tag", tag };
  if (tag === lastCleanupTag) return { kind: "last-cleanup", tag };
  if (tag.startsWith(markerPrefix)) return { kind: "meta-repo-marker", tag };
  if (tag.startsWith("import-metadata-")) return { kind: "old-generation", tag, what: "import-metadata" };
  if (clientIdPattern.test(tag)) return { kind: "old-generation", tag, what: "client-id" };
  return tag === "sync-server" ? { kind: "old-generation", tag, what: "sync-server" } : undefined;
}

function classifyAttached(tag: string): TagRecord | undefined {
  const [, algorithmAndHex, what] = attachedPattern.exec(tag) ?? [];
  const subject = algorithmAndHex?.replace("-", ":");
  if (subject === undefined || !isDigest(subject)) return undefined;
  return { kind: "attached", tag, subject, what: (what ?? "referrers") as AttachedTag["what"] };
}

/**
 * The tag of a stage that is published at `publishedMs`.
 * @throws WerfError `records/stage-tag` unless the digest is 56 hexadecimal digits and the time has 13
 */
export function stageTag(contentDigest: string, publishedMs: number): string {
  const tag = `${contentDigest}-${Math.trunc(publishedMs)}`;
  if (stagePattern.test(tag)) return tag;
  throw new WerfError("records/stage-tag", `"${tag}" can't be the tag of a stage`, {
    hint: "a content digest has 56 hexadecimal digits, and the time is in milliseconds since 1970, after September 2001",
  });
}

export function rejectedTag(stage: string): string {
  return `${stage}-rejected`;
}

/**
 * The tag that says: image `name` of this commit is that stage. Of a SHA-256 commit the first 40 digits are
 * kept, because a tag has no room for more.
 */
export function imageMetadataTag(name: string, commit: string, stage: string): string {
  return `meta-${imageMetadataId(name)}_${commit.slice(0, commitDigits)}_${stage}`;
}

/** The part of a commit's hash that `meta-*` tags hold; what is to be compared with them goes through here. */
export function commitKey(hash: string): string {
  return hash.slice(0, commitDigits);
}

export function managedImageTag(name: string): string {
  return managedPrefix + managedImageId(name);
}

/** The record of a custom tag; which stage it stands for is in the record's labels. */
export function customTagRecordTag(customTag: string): string {
  return customTagPrefix + limitedSlug(customTag, 48);
}

export function metaRepoMarkerTag(project: string): string {
  return markerPrefix + project;
}
