import { createHash, randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import type { DockerfileImage } from "../config/model.js";
import { WerfError } from "../core/errors.js";
import { version } from "../core/version.js";
import type { RawManifest } from "../oci/manifest.js";
import { formatPlatform, type Platform } from "../oci/platform.js";
import { formatStageAnnotations } from "../records/annotations.js";
import { labels } from "../records/labels.js";
import type { PublishedImage } from "../records/published-image.js";
import { findStage, readSnapshot, type Snapshot } from "../records/snapshot.js";
import { stageTag } from "../records/tags.js";
import { openContext } from "./context/open.js";
import { uncommittedOf } from "./context/uncommitted.js";
import { stageDigest } from "./digest/stage-digest.js";
import { parseDockerfile } from "./dockerfile/parser.js";
import { planTarget } from "./dockerfile/plan.js";
import type { BuildRequest } from "./engines/engine.js";
import { selectEngine } from "./engines/index.js";
import { finishImage } from "./publish/image-manifest.js";
import { pushImage } from "./publish/push.js";
import type { BuildSession } from "./session.js";

/** One image for one platform as it lies in the store. */
export interface Stage {
  readonly tag: string;
  readonly platform: Platform;
  readonly manifest: RawManifest;
  readonly rebuilt: boolean;
  readonly buildTimeMs: number;
}

export interface StageWork {
  readonly image: DockerfileImage;
  readonly platform: Platform;
  readonly args: Readonly<Record<string, string>>;
  readonly dependencies: readonly PublishedImage[];
}

/** What is to be built, and the digest that follows from it. */
export interface PreparedStage {
  readonly work: StageWork;
  readonly digest: string;
  readonly request: Omit<BuildRequest, "scratchDirectory">;
  /** Uncommitted changes of files that the image has; relative to the work tree. */
  readonly uncommitted: readonly string[];
}

/**
 * Brings one image for one platform into the store: found by its content digest, or built and published.
 * `onReuse` runs before a stage that was found is read, so that its record is there before it counts on it.
 */
export async function provideStage(
  session: BuildSession,
  prepared: PreparedStage,
  onReuse: (tag: string) => Promise<void>,
): Promise<Stage> {
  const { stages } = session;
  const same = stages.get(prepared.digest);
  // Two tags for one content would make two contents of the images that are based on it.
  if (same !== undefined) return { ...(await same), rebuilt: false, buildTimeMs: 0 };
  const stage = findOrBuild(session, prepared, onReuse);
  stages.set(prepared.digest, stage);
  return stage;
}

async function findOrBuild(
  session: BuildSession,
  prepared: PreparedStage,
  onReuse: (tag: string) => Promise<void>,
): Promise<Stage> {
  const reuse = (snapshot: Snapshot): Promise<Stage | undefined> =>
    findPublished(session, prepared, snapshot, onReuse);
  const published = await reuse(session.snapshot);
  if (published !== undefined) return published;
  if (session.onlyPublished === true) throw notBuilt(session, prepared.work.image.name);
  return build(session, prepared, reuse);
}

/** What is asked for isn't there, and is not to be made. */
export function notBuilt({ repository, commit }: BuildSession, image: string): WerfError {
  return new WerfError(
    "build/not-built",
    `image ${image} of the commit ${commit.hash.slice(0, 12)} is not in ${repository}`,
    { hint: `build it: werf build ${image}, with the same --repo and --platform` },
  );
}

async function findPublished(
  { store }: BuildSession,
  { digest, work: { platform } }: PreparedStage,
  snapshot: Snapshot,
  onReuse: (tag: string) => Promise<void>,
): Promise<Stage | undefined> {
  const found = findStage(snapshot, digest);
  if (found === undefined) return undefined;
  await onReuse(found.tag);
  const read = await store.readManifest(found.tag);
  if (read.kind === "missing") return undefined;
  return { tag: found.tag, platform, manifest: read.manifest, rebuilt: false, buildTimeMs: 0 };
}

async function build(
  session: BuildSession,
  { work, request, digest }: PreparedStage,
  reuse: (snapshot: Snapshot) => Promise<Stage | undefined>,
): Promise<Stage> {
  const { run, store } = session;
  const { image, platform } = work;
  const started = run.clock.now().getTime();
  const engine = await selectEngine(run, request.plan, session.builder);
  const task = randomUUID();
  run.emit({
    code: "task/started",
    task,
    title: `image ${image.name} ${formatPlatform(platform)} (${engine.id})`,
  });
  const scratchDirectory = await run.tmp();
  try {
    const built = await engine.build(run, { ...request, task, scratchDirectory });
    // Somebody else may have published the same content meanwhile; then theirs is used.
    const appeared = await reuse(await readSnapshot(store));
    if (appeared !== undefined) {
      run.emit({
        code: "task/ended",
        task,
        result: "cached",
        detail: "published by another build meanwhile",
      });
      return appeared;
    }
    const publishedAt = run.clock.now();
    const finished = finishImage(built, {
      created: session.sourceDate ?? publishedAt,
      annotations: formatStageAnnotations({
        project: session.config.project,
        createdMs: publishedAt.getTime(),
        dependencies: work.dependencies.map(({ tag }) => tag),
        contentDigest: digest,
        commit: session.commit.hash,
      }),
    });
    const tag = stageTag(digest, publishedAt.getTime());
    await pushImage(run, store, { built, finished, tag, task });
    run.emit({ code: "task/ended", task, result: "done", detail: `${session.repository}:${tag}` });
    const buildTimeMs = run.clock.now().getTime() - started;
    return { tag, platform, manifest: finished.manifest, rebuilt: true, buildTimeMs };
  } catch (error) {
    run.emit({ code: "task/ended", task, result: "failed" });
    throw error;
  } finally {
    // A project has many images, and a disk has an end; what resists goes when the run ends.
    await rm(scratchDirectory, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Reads Dockerfile and context from the commit; nothing here asks a registry. */
export async function prepareStage(session: BuildSession, work: StageWork): Promise<PreparedStage> {
  const { image, platform, args, dependencies } = work;
  const { git, commit, config, projectPath } = session;
  const context = await openContext(git, {
    commit: commit.hash,
    projectDir: projectPath,
    context: image.context,
    dockerfile: image.dockerfile,
  });
  const bytes = await git.readFile(commit.hash, context.dockerfile);
  if (bytes === undefined) {
    throw new WerfError(
      "build/dockerfile-missing",
      `image ${image.name}: there is no ${context.dockerfile} in the commit ${commit.hash.slice(0, 12)}`,
      {
        hint: "commit it, or set `dockerfile` and `context` of the image in werf.yaml",
      },
    );
  }
  const plan = planTarget(parseDockerfile(bytes, context.dockerfile), {
    args,
    platform,
    buildPlatform: session.hostPlatform,
    ...(image.target === undefined ? {} : { target: image.target }),
  });
  const cacheVersion = image.cacheVersion ?? config.build.cacheVersion;
  const digest = await stageDigest({
    plan,
    platform: formatPlatform(platform),
    context,
    ...(cacheVersion === undefined ? {} : { cacheVersion }),
  });
  return {
    work,
    digest,
    uncommitted: uncommittedOf(session.uncommitted, context, plan),
    request: {
      image: image.name,
      platform,
      plan,
      dockerfile: { path: context.dockerfile, bytes },
      context,
      labels: stageLabels(session, digest, dependencies),
      resolveBase: session.resolveBase,
    },
  };
}

function stageLabels(
  { config, commit }: BuildSession,
  contentDigest: string,
  dependencies: readonly PublishedImage[],
): Record<string, string> {
  const relations = dependencies.map(({ tag }) => [
    `${labels.dependencyPrefix}${createHash("sha256").update(tag).digest("hex")}`,
    tag,
  ]);
  return {
    [labels.project]: config.project,
    [labels.version]: `werf-ts-${version}`,
    [labels.contentDigest]: contentDigest,
    [labels.commit]: commit.hash,
    ...Object.fromEntries(relations),
  };
}
