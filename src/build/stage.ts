import { createHash, randomUUID } from "node:crypto";
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

interface StageWork {
  readonly image: DockerfileImage;
  readonly platform: Platform;
  readonly args: Readonly<Record<string, string>>;
  readonly dependencies: readonly PublishedImage[];
}

/**
 * Brings one image for one platform into the store: found by its content digest, or built and published.
 * `onReuse` runs before a stage that was found is read, so that its record is there before it counts on it.
 */
export async function provideStage(
  session: BuildSession,
  work: StageWork,
  onReuse: (tag: string) => Promise<void>,
): Promise<Stage> {
  const { request, digest } = await prepare(session, work);
  const reused = await reuse(session.snapshot, digest);
  if (reused !== undefined) return reused;
  return build(session, work, request, digest);

  async function reuse(snapshot: Snapshot, contentDigest: string): Promise<Stage | undefined> {
    const found = findStage(snapshot, contentDigest);
    if (found === undefined) return undefined;
    await onReuse(found.tag);
    const read = await session.store.readManifest(found.tag);
    if (read.kind === "missing") return undefined;
    return {
      tag: found.tag,
      platform: work.platform,
      manifest: read.manifest,
      rebuilt: false,
      buildTimeMs: 0,
    };
  }

  async function build(
    { run, store, commit }: BuildSession,
    { image, platform }: StageWork,
    buildRequest: Omit<BuildRequest, "scratchDirectory">,
    contentDigest: string,
  ): Promise<Stage> {
    const started = run.clock.now().getTime();
    const engine = await selectEngine(run, buildRequest.plan, session.builder);
    const task = randomUUID();
    run.emit({
      code: "task/started",
      task,
      title: `image ${image.name} ${formatPlatform(platform)} (${engine.id})`,
    });
    try {
      const built = await engine.build(run, { ...buildRequest, task, scratchDirectory: await run.tmp() });
      // Somebody else may have published the same content meanwhile; then theirs is used.
      const appeared = await reuse(await readSnapshot(store), contentDigest);
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
        created: sourceDate(run.env["SOURCE_DATE_EPOCH"]) ?? publishedAt,
        annotations: formatStageAnnotations({
          project: session.config.project,
          createdMs: publishedAt.getTime(),
          dependencies: work.dependencies.map(({ tag }) => tag),
          contentDigest,
          commit: commit.hash,
        }),
      });
      const tag = stageTag(contentDigest, publishedAt.getTime());
      await pushImage(run, store, { built, finished, tag, task });
      run.emit({ code: "task/ended", task, result: "done", detail: `${session.repository}:${tag}` });
      const buildTimeMs = run.clock.now().getTime() - started;
      return { tag, platform, manifest: finished.manifest, rebuilt: true, buildTimeMs };
    } catch (error) {
      run.emit({ code: "task/ended", task, result: "failed" });
      throw error;
    }
  }
}

/** Reads Dockerfile and context from the commit; nothing here asks a registry. */
async function prepare(
  session: BuildSession,
  { image, platform, args, dependencies }: StageWork,
): Promise<{ request: Omit<BuildRequest, "scratchDirectory">; digest: string }> {
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
    digest,
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

/** reproducible-builds.org: seconds since 1970. */
function sourceDate(text: string | undefined): Date | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d{1,12}$/.test(text)) return new Date(Number(text) * 1000);
  throw new WerfError(
    "build/source-date",
    `SOURCE_DATE_EPOCH: "${text}" is not a number of seconds since 1970`,
    { exitCode: 2 },
  );
}
