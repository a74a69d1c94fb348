import type { Descriptor } from "../descriptor.js";
import type { Digest } from "../digest.js";
import type { RawManifest } from "../manifest.js";
import type { Store } from "../store.js";

/** One image, or any artifact, to bring from one store to another. */
export interface CopyRequest {
  readonly source: Store;
  /** A tag or a digest. */
  readonly reference: string;
  readonly destination: Store;
  /** The tags it gets at the destination; none: it goes by digest only. */
  readonly tags: readonly string[];
}

export interface PlannedBlob {
  readonly source: Store;
  readonly destination: Store;
  readonly descriptor: Descriptor;
}

/** A manifest that the destination doesn't have, with what must be there before it. */
export interface PlannedManifest {
  readonly source: Store;
  readonly destination: Store;
  readonly raw: RawManifest;
  readonly children: readonly PlannedManifest[];
  readonly blobs: readonly PlannedBlob[];
}

export interface PlannedTag {
  readonly tag: string;
  /** What the tag points at before the copy. */
  readonly replaces?: Digest;
}

/** What is to be done for one request; nothing when neither `manifest` nor `tags` is there. */
export interface PlannedImage {
  readonly request: CopyRequest;
  /** What `reference` resolved to when the plan was made; the copy takes exactly this. */
  readonly digest: Digest;
  /** Absent when the destination has it. */
  readonly manifest?: PlannedManifest;
  /** The bytes to write under the tags; absent when all of them are right already. */
  readonly raw?: RawManifest;
  readonly tags: readonly PlannedTag[];
  /** An image that the digest refers to (a signature's subject): it goes first. */
  readonly subject?: Digest;
}

/** What a copy will do, computed without writing anything. */
export interface CopyPlan {
  readonly images: readonly PlannedImage[];
  /** Children before parents, each once. */
  readonly manifests: readonly PlannedManifest[];
  /** Each once. Whether the destination has a blob is asked when its turn comes. */
  readonly blobs: readonly PlannedBlob[];
  /** How many manifests the destination was found to have; what lies below them wasn't looked at. */
  readonly present: number;
  /** The sum of the blobs' sizes: the most that can travel. */
  readonly bytes: number;
}

/** One line of a plan as `--dry-run` shows it. */
export interface CopyPlanLine {
  readonly action: "copy-blob" | "write-manifest" | "write-tag" | "keep";
  readonly from: string;
  readonly to: string;
  readonly digest: Digest;
  readonly bytes?: number;
  readonly tag?: string;
  readonly reason: string;
}

/** Two stores of one place and address are one destination. */
export function destinationKey(store: Store): string {
  return `${store.place}\n${store.address}`;
}

/** The plan as plain data, in an order in which it could be carried out. */
export function copyPlanLines(plan: CopyPlan): CopyPlanLine[] {
  const blobs = plan.blobs.map(
    ({ source, destination, descriptor }): CopyPlanLine => ({
      action: "copy-blob",
      from: source.address,
      to: destination.address,
      digest: descriptor.digest,
      bytes: descriptor.size,
      reason: "part of a manifest to be written; mounted or left out where the destination has it",
    }),
  );
  const manifests = plan.manifests.map(
    ({ source, destination, raw }): CopyPlanLine => ({
      action: "write-manifest",
      from: source.address,
      to: destination.address,
      digest: raw.digest,
      bytes: raw.bytes.length,
      reason: "the destination doesn't have it",
    }),
  );
  return [...blobs, ...manifests, ...plan.images.flatMap(imageLines)];
}

function imageLines(image: PlannedImage): CopyPlanLine[] {
  const { source, destination } = image.request;
  const common = { from: source.address, to: destination.address, digest: image.digest };
  if (image.manifest === undefined && image.tags.length === 0) {
    return [{ action: "keep", ...common, reason: "the destination has it, under all its tags" }];
  }
  return image.tags.map(({ tag, replaces }) => ({
    action: "write-tag",
    ...common,
    tag,
    reason: replaces === undefined ? "the tag is new" : `the tag points at ${replaces}`,
  }));
}
