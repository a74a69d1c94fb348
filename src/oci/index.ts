/** `werf-ts/oci`: digests, references, manifests, stores and the copy between them. */
export { type CopiedImage, type CopyOptions, type CopyResult, copyImages } from "./copy/copy-images.js";
export type { CopyRequest } from "./copy/plan.js";
export type { DeleteResult, DeletionRules, RefusalReason, Refused } from "./deletion.js";
export type { Descriptor } from "./descriptor.js";
export {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  digestOf,
  hexOf,
  isDigest,
  parseDigest,
  VerifyStream,
} from "./digest.js";
export type { Healthcheck, HistoryEntry, ImageConfig, RuntimeConfig } from "./image-config.js";
export { openLayoutDirectory } from "./layout/layout-directory.js";
export {
  descriptorOf,
  type ImageIndex,
  type ImageManifest,
  type Manifest,
  manifestFromJson,
  parseManifest,
  type RawManifest,
  rawManifest,
  type UnknownManifest,
} from "./manifest.js";
export { mediaTypes } from "./media-types.js";
export { formatPlatform, matchesPlatform, type Platform, parsePlatform } from "./platform.js";
export {
  formatReference,
  formatRepository,
  isTag,
  parseReference,
  parseRepository,
  type Reference,
  type RepositoryName,
} from "./reference.js";
export type {
  BlobReader,
  BlobStat,
  BlobWrite,
  BlobWriter,
  Deleter,
  ManifestRead,
  ManifestReader,
  ManifestReference,
  ManifestStat,
  ManifestWriter,
  ReferrerLister,
  Store,
  TagLister,
} from "./store.js";
