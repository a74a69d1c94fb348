import { WerfError } from "../core/errors.js";
import { digestOf } from "../oci/digest.js";
import type { ImageConfig } from "../oci/image-config.js";
import {
  type ImageIndex,
  type ImageManifest,
  type Manifest,
  parseJsonObject,
  parseManifest,
} from "../oci/manifest.js";
import { formatPlatform, matchesPlatform, type Platform } from "../oci/platform.js";
import { formatReference, parseReference, type RepositoryName } from "../oci/reference.js";
import type { Store } from "../oci/store.js";
import type { BaseImage } from "./engines/engine.js";

const maxConfigBytes = 8 * 1024 * 1024;
const maxIndexDepth = 4;

/** Reads base images; the same image for the same platform once a run. */
export type BaseResolver = (reference: string, platform: Platform) => Promise<BaseImage>;

export function createBaseResolver(open: (repository: RepositoryName) => Store): BaseResolver {
  const known = new Map<string, Promise<BaseImage>>();
  return (text, platform) => {
    const reference = parseReference(text);
    const key = `${formatReference(reference)} ${formatPlatform(platform)}`;
    const image = known.get(key) ?? resolve(open(reference.repository), reference, platform);
    known.set(key, image);
    return image;
  };
}

async function resolve(
  store: Store,
  reference: ReturnType<typeof parseReference>,
  platform: Platform,
): Promise<BaseImage> {
  const name = formatReference(reference);
  const manifest = await imageManifest(
    store,
    reference.digest ?? reference.tag ?? "latest",
    platform,
    name,
    0,
  );
  const config = await readConfig(store, manifest, name);
  if (!matchesPlatform(platform, config)) {
    throw new WerfError(
      "build/base-platform",
      `the base image ${name} is for ${formatPlatform(config)}, but ${formatPlatform(platform)} is being built`,
      { hint: "choose a base image that has this platform, or set --platform" },
    );
  }
  return { store, config, layers: manifest.layers };
}

async function imageManifest(
  store: Store,
  reference: string,
  platform: Platform,
  name: string,
  depth: number,
): Promise<ImageManifest> {
  const read = await store.readManifest(reference);
  if (read.kind === "missing") {
    throw new WerfError("build/base-missing", `the base image ${name} is not in its registry`, {
      hint: "check the name and tag in FROM, and that you may pull from there",
    });
  }
  const manifest: Manifest = parseManifest(read.manifest, name);
  if (manifest.kind === "image") return manifest;
  if (manifest.kind === "unknown" || depth >= maxIndexDepth) {
    throw new WerfError("build/base-missing", `${name} is no image but ${manifest.mediaType}`);
  }
  return imageManifest(store, childFor(manifest, platform, name), platform, name, depth + 1);
}

function childFor(index: ImageIndex, platform: Platform, name: string): string {
  const child = index.manifests.find(
    (m) => m.platform !== undefined && matchesPlatform(platform, m.platform),
  );
  if (child !== undefined) return child.digest;
  const have = index.manifests.flatMap((m) => (m.platform === undefined ? [] : [formatPlatform(m.platform)]));
  throw new WerfError("build/base-platform", `the base image ${name} has no ${formatPlatform(platform)}`, {
    hint: `it has ${have.filter((p) => !p.startsWith("unknown/")).join(", ") || "no platforms at all"}`,
  });
}

async function readConfig(store: Store, manifest: ImageManifest, name: string): Promise<ImageConfig> {
  const { config } = manifest;
  if (config.size > maxConfigBytes) {
    throw new WerfError(
      "build/base-config",
      `the configuration of ${name} has ${config.size} bytes; at most ${maxConfigBytes} are read`,
    );
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of await store.readBlob(config)) pieces.push(piece as Uint8Array);
  const bytes = Buffer.concat(pieces);
  const json = parseJsonObject(bytes, `the configuration ${digestOf(bytes)} of ${name}`);
  const rootfs = json["rootfs"] as { diff_ids?: unknown } | undefined;
  const diffIds = rootfs?.diff_ids;
  if (typeof json["os"] !== "string" || typeof json["architecture"] !== "string" || !Array.isArray(diffIds)) {
    throw new WerfError("build/base-config", `${name} has no image configuration (${config.mediaType})`, {
      hint: "an artifact can't be a base image",
    });
  }
  if (diffIds.length !== manifest.layers.length) {
    throw new WerfError(
      "build/base-config",
      `${name}: ${manifest.layers.length} layers, but ${diffIds.length} diff_ids`,
    );
  }
  return json as unknown as ImageConfig;
}
