import { bundleRoots } from "../bundle/bundle-images.js";
import type { BundleReader } from "../cleanup/index.js";
import { messageOf } from "../core/errors.js";

/**
 * Tells cleanup which images a published bundle needs, by tag and by digest. The repository's name in its
 * values doesn't matter: registries have mirrors and other names.
 */
export const readBundleRoots: BundleReader = async (store, { digest }) => {
  try {
    const roots = await bundleRoots(store, { digest });
    if (roots.kind === "other") return { kind: "not-a-bundle" };
    return { kind: "bundle", protects: { tags: roots.tags, digests: roots.digests } };
  } catch (error) {
    return { kind: "unreadable", reason: messageOf(error) };
  }
};
