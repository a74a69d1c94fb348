import { sha3 } from "./sha3.js";

/**
 * The digest, and tag, of an image for several platforms: of its stages' tags in the order of the platforms, as werf
 * computes it.
 */
export function indexDigest(stageIds: readonly string[]): string {
  return sha3(stageIds.join(":::"));
}
