import { readBundle } from "../bundle/bundle.js";
import { bundleImages } from "../bundle/bundle-images.js";
import type { BundleReader } from "../cleanup/index.js";
import { messageOf } from "../core/errors.js";
import { mediaTypes } from "../oci/media-types.js";

/**
 * Tells cleanup which images a published bundle needs, by tag and by digest. The repository's name in its
 * values doesn't matter: registries have mirrors and other names.
 */
export const readBundleRoots: BundleReader = async (store, { digest, manifest }) => {
  if (manifest.config.mediaType !== mediaTypes.helmConfig) return { kind: "not-a-bundle" };
  try {
    const images = bundleImages(await readBundle(store, digest));
    return {
      kind: "bundle",
      protects: {
        tags: images.flatMap(({ tag }) => tag ?? []),
        digests: images.flatMap((image) => image.digest ?? []),
      },
    };
  } catch (error) {
    return { kind: "unreadable", reason: messageOf(error) };
  }
};
