import type { DockerfileImage, WerfConfig } from "../../config/model.js";
import { formatPlatform, type Platform, parsePlatform } from "../../oci/platform.js";

/** Which platforms an image is built for: the flag, then the image, then `build.platform`, then the host's. */
export function platformsOf(
  image: DockerfileImage,
  config: WerfConfig,
  flags: readonly string[],
  host: Platform,
): readonly Platform[] {
  const wanted = [flags, image.platform, config.build.platform].find((list) => list.length > 0);
  if (wanted === undefined) return [host];
  const distinct = new Map(wanted.map((text) => parsePlatform(text)).map((p) => [formatPlatform(p), p]));
  return [...distinct.values()];
}
