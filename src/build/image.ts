import type { DockerfileImage } from "../config/model.js";
import { settleAll } from "../core/concurrency.js";
import { WerfError } from "../core/errors.js";
import { describeUncommitted } from "../git/uncommitted.js";
import { parseManifest, type RawManifest } from "../oci/manifest.js";
import { formatPlatform } from "../oci/platform.js";
import { formatStageAnnotations } from "../records/annotations.js";
import type { PublishedImage } from "../records/published-image.js";
import { imageMetadataTag, managedImageTag } from "../records/tags.js";
import { indexDigest } from "./digest/index-digest.js";
import { dependencyArguments } from "./plan/dependency-arguments.js";
import { platformsOf } from "./plan/platforms.js";
import { imageIndex } from "./publish/image-manifest.js";
import type { ReportedImage } from "./report/build-report.js";
import type { BuildSession } from "./session.js";
import { notBuilt, type PreparedStage, prepareStage, provideStage, type Stage } from "./stage.js";

export interface ProvidedImage {
  readonly image: ReportedImage;
  /** What the tag points to. */
  readonly manifest: RawManifest;
}

/**
 * Brings one image into the store for all its platforms, with its records. `published` has the images it
 * depends on.
 */
export async function provideImage(
  session: BuildSession,
  image: DockerfileImage,
  published: ReadonlyMap<string, PublishedImage>,
): Promise<ProvidedImage> {
  refuseUnsupported(image);
  const args = { ...image.args, ...dependencyArguments(image, published) };
  const dependencies = image.dependencies.flatMap(({ from }) => published.get(from) ?? []);
  const platforms = platformsOf(image, session.config, session.platformFlags, session.hostPlatform);
  const isIndex = platforms.length > 1;
  const record = (tag: string): Promise<void> => recordMetadata(session, image.name, tag);
  const prepared = await Promise.all(
    platforms.map((platform) => prepareStage(session, { image, platform, args, dependencies })),
  );
  warn(session, prepared);
  const stages = await settleAll(
    prepared.map((stage) => provideStage(session, stage, isIndex ? async () => undefined : record)),
    () => undefined,
  );
  const [first] = stages;
  if (first === undefined) throw new WerfError("build/no-platform", `image ${image.name} has no platform`);
  const { tag, manifest } = isIndex
    ? await provideIndex(session, image.name, stages, dependencies, record)
    : first;
  await record(tag);
  if (!session.config.cleanup.disable) await session.records.ensure(managedImageTag(image.name));
  const facts = factsOf(stages, isIndex ? manifest : undefined);
  return {
    manifest,
    image: {
      name: image.name,
      final: image.final,
      repository: session.repository,
      tag,
      digest: manifest.digest,
      platforms: platforms.map(formatPlatform),
      rebuilt: stages.some(({ rebuilt }) => rebuilt),
      buildTimeMs: Math.max(...stages.map(({ buildTimeMs }) => buildTimeMs)),
      commit: session.commit.hash,
      ...facts,
    },
  };
}

function refuseUnsupported(image: DockerfileImage): void {
  if (image.unsupported.length === 0) return;
  const keys = image.unsupported.map(({ key, line }) => `"${key}" (line ${line})`);
  throw new WerfError(
    "build/unsupported-key",
    `image ${image.name}: werf.yaml uses ${keys.join(", ")}, which werf-ts understands but can't carry out yet`,
    { hint: "leave it out, or build this image with werf" },
  );
}

/** What the user may expect of the image and will not find in it. */
function warn({ run }: BuildSession, [first]: readonly PreparedStage[]): void {
  if (first === undefined) return;
  const { uncommitted, request, work } = first;
  if (uncommitted.length > 0) {
    run.emit({
      code: "warning",
      id: "build/uncommitted",
      message: `image ${work.image.name} is built without ${describeUncommitted(uncommitted)}`,
      hint: "what is built is the commit HEAD; commit what should be in the image",
    });
  }
  const { unusedArgs } = request.plan;
  if (unusedArgs.length > 0) {
    run.emit({
      code: "warning",
      id: "build/args-unused",
      message: `image ${work.image.name}: ${request.dockerfile.path} has no ARG for ${unusedArgs.join(", ")}`,
      hint: "in werf.yaml, `args` and `dependencies` set what the Dockerfile declares with ARG; other names change nothing",
    });
  }
}

/** The index over the platforms; its tag follows from theirs, so one that is there is the right one. */
async function provideIndex(
  session: BuildSession,
  image: string,
  stages: readonly Stage[],
  dependencies: readonly PublishedImage[],
  record: (tag: string) => Promise<void>,
): Promise<{ tag: string; manifest: RawManifest }> {
  const tag = indexDigest(stages.map((stage) => stage.tag));
  const index = session.indexes.get(tag) ?? findOrWrite();
  session.indexes.set(tag, index);
  return { tag, manifest: await index };

  async function findOrWrite(): Promise<RawManifest> {
    if (session.snapshot.tags.has(tag)) await record(tag);
    // Also when the listing hasn't it: writing over another build's would take the tag from its digest.
    const read = await session.store.readManifest(tag);
    if (read.kind === "present") return read.manifest;
    if (session.onlyPublished === true) throw notBuilt(session, image);
    const manifest = imageIndex(
      stages,
      formatStageAnnotations({
        project: session.config.project,
        createdMs: session.run.clock.now().getTime(),
        dependencies: dependencies.map((image) => image.tag),
        contentDigest: tag,
        commit: session.commit.hash,
      }),
    );
    await session.store.writeManifest(manifest, tag);
    return manifest;
  }
}

function recordMetadata(
  { config, records, commit }: BuildSession,
  name: string,
  stage: string,
): Promise<void> {
  const { disable, disableGitHistoryBasedPolicy } = config.cleanup;
  if (disable || disableGitHistoryBasedPolicy) return Promise.resolve();
  return records.ensure(imageMetadataTag(name, commit.hash, stage));
}

/** Image ID and size from the manifests alone. */
function factsOf(
  stages: readonly Stage[],
  index: RawManifest | undefined,
): { imageId: string; size: number } {
  let size = 0;
  let imageId: string = index?.digest ?? "";
  for (const { manifest, tag } of stages) {
    const parsed = parseManifest(manifest, tag);
    if (parsed.kind !== "image") continue;
    size += parsed.layers.reduce((sum, layer) => sum + layer.size, parsed.config.size);
    if (index === undefined) imageId = parsed.config.digest;
  }
  return { imageId, size };
}
