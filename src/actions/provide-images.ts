import pLimit from "p-limit";
import { createBaseResolver } from "../build/bases.js";
import { parseBuilder } from "../build/engines/index.js";
import { type ProvidedImage, provideImage } from "../build/image.js";
import { sourceDate } from "../build/plan/source-date.js";
import {
  checkCustomTags,
  customTagsOf,
  parseCustomTags,
  writeCustomTags,
} from "../build/publish/custom-tags.js";
import { createRecordKeeper, noRecords } from "../build/publish/record-keeper.js";
import type { BuildSession } from "../build/session.js";
import type { DockerfileImage, ImageSpec } from "../config/model.js";
import { selectImages } from "../config/select.js";
import { settleAll } from "../core/concurrency.js";
import { WerfError } from "../core/errors.js";
import type { RunContext } from "../core/run-context.js";
import { copyImages } from "../oci/copy/copy-images.js";
import { formatPlatform, parsePlatform } from "../oci/platform.js";
import type { Store } from "../oci/store.js";
import type { PublishedImage } from "../records/published-image.js";
import { createRecordWriter } from "../records/record-writer.js";
import { readSnapshot, type Snapshot } from "../records/snapshot.js";
import { type ParallelSettings, tasksAtOnce } from "./parallel.js";
import type { Project } from "./project.js";
import type { OpenedRepository, Stores } from "./stores.js";

export interface ProvideSettings extends ParallelSettings {
  readonly repo?: string | undefined;
  readonly finalRepo?: string | undefined;
  /** Names and patterns; none: all. */
  readonly images: readonly string[];
  readonly finalImagesOnly: boolean;
  readonly addCustomTag: readonly string[];
  readonly platform: readonly string[];
  readonly builder: string;
  readonly hostPlatform: string;
  /** Nothing is built or written; what isn't published is an error. */
  readonly onlyPublished?: boolean;
}

/**
 * Brings the chosen images and what they depend on into the repository: each as soon as its dependencies are
 * there. The first failure ends the rest.
 */
export async function provideImages(
  run: RunContext,
  project: Project,
  stores: Stores,
  settings: ProvideSettings,
): Promise<readonly ProvidedImage[]> {
  const templates = parseCustomTags(settings.addCustomTag);
  if (templates.length > 0 && settings.repo === undefined) {
    throw new WerfError("build/custom-tag", "--add-custom-tag needs --repo", { exitCode: 2 });
  }
  const specs = selectImages(project.config, settings.images, { finalOnly: settings.finalImagesOnly }).map(
    requireDockerfile,
  );
  checkCustomTags(
    templates,
    specs.filter((spec) => spec.final),
  );
  const target = stores.repository(
    settings.repo,
    project.config.project,
    settings.onlyPublished === true ? "pull" : "push",
  );
  const session = await openSession(run, project, stores, settings, target);
  const provided = await inDependencyOrder(specs, settings, (spec, published) =>
    provideImage(session, spec, published),
  );
  for (const { image } of provided) tell(run, image);
  const finalTarget = await publishFinal(run, stores, settings, session, provided);
  const finals = provided.filter(({ image }) => image.final);
  const customTags = customTagsOf(
    templates,
    finals.map(({ image }) => image),
  );
  for (const [i, { image, manifest }] of finals.entries()) {
    await writeCustomTags(
      { ...finalTarget, records: session.records },
      image,
      manifest,
      customTags[i]?.tags ?? [],
    );
  }
  return provided.map((p) =>
    p.image.final ? { ...p, image: { ...p.image, repository: finalTarget.address } } : p,
  );
}

async function openSession(
  run: RunContext,
  project: Project,
  stores: Stores,
  settings: ProvideSettings,
  target: OpenedRepository,
): Promise<BuildSession> {
  const { git, commit, config, path } = project;
  const settled = {
    builder: parseBuilder(settings.builder),
    platformFlags: settings.platform.map((platform) => formatPlatform(parsePlatform(platform))),
    hostPlatform: parsePlatform(settings.hostPlatform),
  };
  const madeAt = sourceDate(run.env);
  const snapshot = await readSnapshot(target.store);
  const onlyPublished = settings.onlyPublished === true;
  const records =
    target.isLocal || onlyPublished
      ? noRecords
      : createRecordKeeper(createRecordWriter(run, target.store, config.project), snapshot);
  return {
    run,
    config,
    git,
    commit,
    projectPath: path,
    store: target.store,
    repository: target.address,
    snapshot,
    records,
    onlyPublished,
    resolveBase: createBaseResolver((repository) => stores.at(repository, "pull")),
    stages: new Map(),
    indexes: new Map(),
    uncommitted: await git.uncommittedPaths(path),
    ...settled,
    ...(madeAt === undefined ? {} : { sourceDate: madeAt }),
  };
}

/** Runs `provide` for each image after those it depends on; only the work itself counts against the limit. */
async function inDependencyOrder(
  specs: readonly DockerfileImage[],
  settings: ProvideSettings,
  provide: (spec: DockerfileImage, published: ReadonlyMap<string, PublishedImage>) => Promise<ProvidedImage>,
): Promise<readonly ProvidedImage[]> {
  const limit = pLimit({ concurrency: tasksAtOnce(settings), rejectOnClear: true });
  const failure = new AbortController();
  const results = new Map<string, Promise<ProvidedImage>>();
  for (const spec of specs) results.set(spec.name, provideOne(spec));
  return settleAll([...results.values()], () => {
    limit.clearQueue();
    failure.abort();
  });

  async function provideOne(spec: DockerfileImage): Promise<ProvidedImage> {
    const dependencies = spec.dependencies.flatMap(({ from }) => results.get(from) ?? []);
    const images = (await Promise.all(dependencies)).map(({ image }) => image);
    return limit(() => {
      failure.signal.throwIfAborted();
      return provide(spec, new Map(images.map((image) => [image.name, image])));
    });
  }
}

function requireDockerfile(spec: ImageSpec): DockerfileImage {
  if (spec.kind === "dockerfile") return spec;
  throw new WerfError(
    "build/stapel",
    `the image ${spec.name} (werf.yaml, line ${spec.line}) is a Stapel image, and only werf builds those`,
    {
      hint: `give it a \`dockerfile\`, or name the images to build without it: werf build '!${spec.name}'`,
    },
  );
}

/** Final images go to the final repository under the same tag; without one they are where they were built. */
async function publishFinal(
  run: RunContext,
  stores: Stores,
  settings: ProvideSettings,
  session: BuildSession,
  provided: readonly ProvidedImage[],
): Promise<{ readonly store: Store; readonly address: string; readonly snapshot: Snapshot }> {
  const { store, repository, snapshot: known } = session;
  if (settings.finalRepo === undefined) return { store, address: repository, snapshot: known };
  const final = stores.repository(settings.finalRepo, session.config.project, "push");
  const snapshot = await readSnapshot(final.store);
  const finals = provided.filter(({ image }) => image.final && !snapshot.tags.has(image.tag));
  // Images with the same content are one.
  const missing = [...new Map(finals.map((each) => [each.image.tag, each])).values()];
  await copyImages(
    run,
    missing.map(({ image }) => ({
      source: store,
      reference: image.digest,
      destination: final.store,
      tags: [image.tag],
    })),
  );
  return { store: final.store, address: final.address, snapshot };
}

/** What no task has told: images that were not built, and the indexes over several platforms. */
function tell(run: RunContext, image: PublishedImage): void {
  if (image.rebuilt && image.platforms.length === 1) return;
  const what = image.rebuilt ? `for ${image.platforms.join(", ")}` : "is there already";
  run.emit({
    code: "note",
    level: "info",
    message: `${image.name === "" ? "the image" : image.name} ${what}: ${image.repository}:${image.tag}`,
  });
}
