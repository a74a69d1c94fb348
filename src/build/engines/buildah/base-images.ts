import { join } from "node:path";
import { Readable } from "node:stream";
import { WerfError } from "../../../core/errors.js";
import type { RunContext } from "../../../core/run-context.js";
import type { Descriptor } from "../../../oci/descriptor.js";
import { digestOf, hexOf } from "../../../oci/digest.js";
import type { HistoryEntry, ImageConfig } from "../../../oci/image-config.js";
import { openLayoutDirectory } from "../../../oci/layout/layout-directory.js";
import { manifestFromJson } from "../../../oci/manifest.js";
import { mediaTypes } from "../../../oci/media-types.js";
import { parsePlatform } from "../../../oci/platform.js";
import { sourcesOf } from "../../dockerfile/plan.js";
import type { BaseImage, BuildRequest } from "../engine.js";
import type { Buildah } from "./program.js";
import { markUsed } from "./prune.js";

export interface LoadedBases {
  /** ID in buildah's storage of the image that a planned stage begins with, by the stage's index. */
  readonly ofStages: ReadonlyMap<number, string>;
  /** The same of images that `COPY --from` and `RUN --mount` name, by the reference as written. */
  readonly ofReferences: ReadonlyMap<string, string>;
  readonly images: readonly BaseImage[];
}

/**
 * Brings every image that a plan begins with or copies from into buildah's storage, through our own client:
 * credentials, mirrors, proxies and insecure registries are its business, and buildah needs no network.
 * @throws WerfError `build/buildah-base`, and what resolving and reading the images throws
 */
export async function loadBases(
  run: RunContext,
  buildah: Buildah,
  request: BuildRequest,
): Promise<LoadedBases> {
  const ofStages = new Map<number, string>();
  const ofReferences = new Map<string, string>();
  const images = new Map<string, BaseImage>();
  const load = async (reference: string, platform = request.platform): Promise<string> => {
    const image = await request.resolveBase(reference, platform);
    const config = Buffer.from(JSON.stringify(withHistory(image.config)));
    const id = hexOf(digestOf(config));
    if (!images.has(id)) await loadImage(run, buildah, { reference, image, config, id, request });
    images.set(id, image);
    await markUsed(run, buildah, id);
    return id;
  };
  for (const [index, { base, instructions }] of request.plan.stages.entries()) {
    if (base.kind === "image") {
      const platform = base.platform === undefined ? undefined : parsePlatform(base.platform);
      ofStages.set(index, await load(base.reference, platform));
    }
    for (const source of instructions.flatMap(sourcesOf)) {
      if (source.kind === "image") ofReferences.set(source.reference, await load(source.reference));
    }
  }
  return { ofStages, ofReferences, images: [...images.values()] };
}

/**
 * Buildah refuses to build on an image whose history doesn't account for every layer, and finds nothing in its
 * cache when an entry has no date.
 */
function withHistory(config: ImageConfig): ImageConfig {
  const created = config.created ?? "1970-01-01T00:00:00Z";
  const layers = config.rootfs.diff_ids;
  const told = (config.history ?? []).filter((entry) => entry.empty_layer !== true);
  const history: readonly HistoryEntry[] =
    told.length === layers.length
      ? (config.history ?? [])
      : layers.map((diffId) => ({ created_by: `layer ${diffId}` }));
  return { ...config, created, history: history.map((entry) => ({ created, ...entry })) };
}

interface ImageToLoad {
  readonly reference: string;
  readonly image: BaseImage;
  readonly config: Uint8Array;
  readonly id: string;
  readonly request: BuildRequest;
}

async function loadImage(
  run: RunContext,
  buildah: Buildah,
  { reference, image, config, id, request }: ImageToLoad,
): Promise<void> {
  const known = await buildah.run(["inspect", "--type", "image", "--format", "{{.FromImageID}}", id]);
  if (known.exitCode === 0) return;
  const name = `base-${id}`;
  const store = await openLayoutDirectory(run, join(request.scratchDirectory, name), "write");
  const { manifest, configDescriptor } = manifestOf(image, config);
  await store.writeBlob(configDescriptor, { length: config.length, open: () => Readable.from([config]) });
  for (const layer of image.layers) {
    await store.writeBlob(layer, { length: layer.size, open: () => image.store.readBlob(layer) });
  }
  await store.writeManifest(manifest, "base");
  await store.close("done");
  // The image is named after the path, so it must be a valid name; with a tag, Docker manifests are not found.
  const pulled = await buildah.run(["pull", "--quiet", `oci:${name}`], {
    cwd: request.scratchDirectory,
  });
  const got = Buffer.from(pulled.stdout).toString("utf8").trim();
  if (pulled.exitCode === 0 && got === id) return;
  throw new WerfError(
    "build/buildah-base",
    `image ${request.image}: buildah can't take over the base image ${reference}: ${pulled.stderr.trim() || got}`,
    { hint: "buildah's policy.json may forbid it; is there space left below WERF_HOME?" },
  );
}

/** Docker's types: buildah reads HEALTHCHECK, SHELL and ONBUILD of a base from nothing else. */
function manifestOf(
  image: BaseImage,
  config: Uint8Array,
): { manifest: ReturnType<typeof manifestFromJson>; configDescriptor: Descriptor } {
  const isDocker = image.layers.every((layer) => layer.mediaType in dockerLayerTypes);
  const configDescriptor = {
    mediaType: isDocker ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
    digest: digestOf(config),
    size: config.length,
  };
  const mediaType = isDocker ? mediaTypes.dockerManifest : mediaTypes.ociManifest;
  const layers = image.layers.map(({ mediaType: type, digest, size }) => ({
    mediaType: isDocker ? dockerLayerTypes[type] : type,
    digest,
    size,
  }));
  const json = { schemaVersion: 2, mediaType, config: configDescriptor, layers };
  return { manifest: manifestFromJson(json, mediaType), configDescriptor };
}

const dockerLayerTypes: Readonly<Record<string, string>> = {
  [mediaTypes.dockerLayerGzip]: mediaTypes.dockerLayerGzip,
  [mediaTypes.ociLayerGzip]: mediaTypes.dockerLayerGzip,
};
