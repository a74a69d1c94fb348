import { posix } from "node:path";
import type { ImageSpec } from "../model.js";
import type { MapReader } from "./map-reader.js";
import type { ProjectPart } from "./project.js";

const platformName = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/;

/** The keys that both kinds of images have. */
export function readCommon(
  reader: MapReader,
  project: ProjectPart,
): Pick<ImageSpec, "final" | "platform"> & { cacheVersion?: string } {
  const platform = readPlatforms(reader);
  const cacheVersion = reader.string("cacheVersion") ?? project.build.cacheVersion;
  return {
    final: reader.boolean("final") ?? true,
    platform: platform.length === 0 ? project.build.platform : platform,
    ...(cacheVersion === undefined ? {} : { cacheVersion }),
  };
}

export function readPlatforms(reader: MapReader): string[] {
  const platforms = reader.strings("platform") ?? [];
  for (const platform of platforms) {
    if (platformName.test(platform)) continue;
    reader.problemAtValue(
      "platform",
      `"${platform}" is no platform; write os/architecture, as in linux/arm64`,
    );
  }
  return platforms;
}

/** Checks `secrets`. No engine takes them yet. */
export function checkSecrets(reader: MapReader): void {
  const seen = new Set<string>();
  for (const secret of reader.maps("secrets")) {
    const env = secret.string("env");
    const src = secret.string("src");
    const value = secret.string("value");
    const id = secret.string("id") ?? env ?? (src === undefined ? undefined : posix.basename(src));
    secret.close();
    if ([env, src, value].filter((source) => source !== undefined).length !== 1) {
      secret.problem(undefined, `${secret.title} needs exactly one of "env", "src" and "value"`);
    } else if (id === undefined) secret.problem(undefined, `${secret.title} needs an "id" beside "value"`);
    else if (seen.has(id)) secret.problem(undefined, `the id "${id}" of a secret is there twice`);
    if (id !== undefined) seen.add(id);
  }
}
