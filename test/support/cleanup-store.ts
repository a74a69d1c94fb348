import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { type ExecuteInput, executePlan } from "../../src/cleanup/executor.js";
import type { InventoryInput } from "../../src/cleanup/inventory/inputs.js";
import { gatherCleanup, type Planned } from "../../src/cleanup/inventory/inventory.js";
import type { CleanupOutcome } from "../../src/cleanup/outcome.js";
import type { CleanupOptions } from "../../src/cleanup/planner.js";
import type { RunContext } from "../../src/core/run-context.js";
import { openRegistryRoot } from "../../src/embedded-registry/store/root.js";
import type { DeletionRules } from "../../src/oci/deletion.js";
import { type Digest, digestOf } from "../../src/oci/digest.js";
import { descriptorOf, manifestFromJson, type RawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import type { Store } from "../../src/oci/store.js";
import { formatStageAnnotations } from "../../src/records/annotations.js";
import { labels } from "../../src/records/labels.js";
import { createRecordWriter } from "../../src/records/record-writer.js";
import { customTagRecordTag, imageMetadataTag, managedImageTag, stageTag } from "../../src/records/tags.js";
import { cleanupConfig, commitOf, hourMs, nowMs } from "./cleanup-facts.js";

export type StoreRun = Pick<RunContext, "werfHome" | "clock" | "emit" | "signal">;

/** A real repository on disk, what a test publishes into it, and a view of it that can misbehave. */
export class StoreWorld {
  readonly store: Store;
  /** Requests of the run: `stat TAG`, `read TAG`, `delete DIGEST`, in order. */
  readonly asked: string[] = [];
  readonly warnings: string[] = [];
  readonly run: StoreRun;
  /** What the view says of itself, instead of the store. */
  rules: DeletionRules | undefined;
  /** Called before each deletion; what it throws, the view throws. */
  beforeDelete: (what: string) => Promise<void> | void = () => undefined;
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
    this.store = openRegistryRoot(join(directory, "registry"), { durable: false }).repository("shop");
    this.run = {
      werfHome: join(directory, "home"),
      clock: { now: () => new Date(nowMs), sleep: () => Promise.resolve() },
      emit: (event) => void (event.code === "warning" && this.warnings.push(event.id)),
      signal: new AbortController().signal,
    };
  }

  static async create(): Promise<StoreWorld> {
    const world = new StoreWorld(await mkdtemp(join(tmpdir(), "werf-ts-cleanup-")));
    await world.writer("shop", 100).write(managedImageTag("app"));
    return world;
  }

  dispose(): Promise<void> {
    return rm(this.#directory, { recursive: true, force: true });
  }

  writer(project: string, ageHours: number): ReturnType<typeof createRecordWriter> {
    const clock = { now: () => new Date(nowMs - ageHours * hourMs), sleep: () => Promise.resolve() };
    return createRecordWriter({ clock }, this.store, project);
  }

  /** Publishes a stage as werf does (or, `annotated`, as we do) and gives its tag. */
  async stage(
    name: string,
    options: { ageHours?: number; annotated?: boolean; project?: string } = {},
  ): Promise<string> {
    const createdMs = nowMs - (options.ageHours ?? 100) * hourMs;
    const project = options.project ?? "shop";
    const tag = stageTag(digestOf(`content ${name}`).slice(7, 63), createdMs);
    const config = {
      created: new Date(createdMs).toISOString(),
      config: { Labels: { [labels.project]: project, name } },
    };
    const annotations =
      options.annotated === true ? formatStageAnnotations({ project, createdMs, dependencies: [] }) : {};
    await this.image(config, tag, { annotations });
    return tag;
  }

  async image(
    config: object,
    tag?: string,
    extra: object = {},
    configType: string = mediaTypes.ociConfig,
  ): Promise<RawManifest> {
    const bytes = Buffer.from(JSON.stringify(config));
    const blob = { digest: digestOf(bytes), size: bytes.length };
    await this.store.writeBlob(blob, { length: bytes.length, open: () => Readable.from([bytes]) });
    const manifest = manifestFromJson(
      {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { ...blob, mediaType: configType },
        layers: [],
        ...extra,
      },
      mediaTypes.ociManifest,
    );
    await this.store.writeManifest(manifest, tag);
    return manifest;
  }

  /** Publishes an index under `tag` over manifests. */
  async index(tag: string, children: readonly RawManifest[]): Promise<RawManifest> {
    const manifest = manifestFromJson(
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: children.map(descriptorOf) },
      mediaTypes.ociIndex,
    );
    await this.store.writeManifest(manifest, tag);
    return manifest;
  }

  async meta(commit: string, stage: string, ageHours = 100): Promise<string> {
    const tag = imageMetadataTag("app", commitOf(commit), stage);
    await this.writer("shop", ageHours).write(tag);
    return tag;
  }

  async alias(customTag: string, stage: string): Promise<string> {
    await this.store.writeManifest(await this.raw(stage), customTag);
    const tag = customTagRecordTag(customTag);
    const mapping = { [labels.customTagStage]: stage, [labels.customTagName]: customTag };
    await this.writer("shop", 100).write(tag, mapping);
    return tag;
  }

  async raw(reference: string): Promise<RawManifest> {
    const read = await this.store.readManifest(reference);
    if (read.kind === "missing") throw new Error(`no ${reference}`);
    return read.manifest;
  }

  async digest(tag: string): Promise<Digest> {
    return (await this.raw(tag)).digest;
  }

  async tags(): Promise<string[]> {
    const tags: string[] = [];
    for await (const tag of this.store.listTags()) tags.push(tag);
    return tags.sort();
  }

  async has(reference: string): Promise<boolean> {
    return (await this.store.statManifest(reference)).kind === "present";
  }

  /** Evidence: a branch whose only commit is "head". */
  input(overrides: Partial<InventoryInput> = {}): InventoryInput {
    const commit = commitOf("head");
    return {
      project: "shop",
      imageNames: ["app"],
      repositories: { primary: { store: this.view() } },
      git: {
        references: [
          { kind: "branch", name: "main", commit, object: commit, date: new Date(nowMs - hourMs) },
        ],
        commits: new Map([[commit, { parents: [], committedAt: nowMs - hourMs }]]),
      },
      ...overrides,
    };
  }

  gather(input: Partial<InventoryInput> = {}, options: CleanupOptions = {}): Promise<Planned> {
    return gatherCleanup(this.run, this.input(input), cleanupConfig, options);
  }

  execute(planned: Planned, extra: Partial<ExecuteInput> = {}): Promise<CleanupOutcome> {
    return executePlan(this.run, { ...planned, repositories: this.input().repositories, ...extra });
  }

  /** Plans and executes at once. */
  async cleanup(extra: Partial<ExecuteInput> = {}): Promise<Extract<CleanupOutcome, { kind: "done" }>> {
    const outcome = await this.execute(await this.gather(), extra);
    if (outcome.kind === "stale") throw new Error(outcome.because);
    return outcome;
  }

  /** Names of the plans that are saved for the next run. */
  plans(): Promise<string[]> {
    return readdir(join(this.run.werfHome, "plans")).catch(() => []);
  }

  /** The store as the run sees it: requests are noted, rules and failures are the test's. */
  view(): Store {
    const { store } = this;
    const view: Store = {
      address: "registry.test/shop",
      place: store.place,
      statBlob: (digest) => store.statBlob(digest),
      readBlob: (blob) => {
        this.asked.push(`blob ${blob.digest}`);
        return store.readBlob(blob);
      },
      writeBlob: (blob, source) => store.writeBlob(blob, source),
      statManifest: (reference) => {
        this.asked.push(`stat ${reference}`);
        return store.statManifest(reference);
      },
      readManifest: (reference) => {
        this.asked.push(`read ${reference}`);
        return store.readManifest(reference);
      },
      writeManifest: (manifest, tag) => {
        this.asked.push(`write ${tag ?? manifest.digest}`);
        return store.writeManifest(manifest, tag);
      },
      listTags: () => store.listTags(),
      listReferrers: (subject) => store.listReferrers(subject),
      deletionRules: async () => this.rules ?? store.deletionRules(),
      deleteManifest: async (digest) => {
        this.asked.push(`delete ${digest}`);
        await this.beforeDelete(digest);
        return store.deleteManifest(digest);
      },
      deleteTag: async (tag) => {
        this.asked.push(`delete ${tag}`);
        await this.beforeDelete(tag);
        return store.deleteTag(tag);
      },
      close: () => Promise.resolve(),
    };
    return view;
  }
}

/** What became of a tag. */
export function resultOf(
  outcome: Extract<CleanupOutcome, { kind: "done" }>,
  tag: string,
): string | undefined {
  return outcome.lines.find(({ line }) => line.tag === tag)?.result;
}
