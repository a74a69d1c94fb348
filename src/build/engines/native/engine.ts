import type { RunContext } from "../../../core/run-context.js";
import { parseDigest } from "../../../oci/digest.js";
import type { ImageConfig } from "../../../oci/image-config.js";
import { mediaTypes } from "../../../oci/media-types.js";
import { type Platform, parsePlatform } from "../../../oci/platform.js";
import type { ImageSource, Instruction, SourcePosition } from "../../dockerfile/instruction.js";
import { parseTrigger } from "../../dockerfile/parser.js";
import { linkSources, stagesOfTarget } from "../../dockerfile/plan.js";
import { expandStage, type Scope, scopeOfEnvironment } from "../../dockerfile/scope.js";
import type { PlannedStage, StageBase } from "../../dockerfile/target-plan.js";
import { writeLayer } from "../../layer/writer.js";
import type { BaseImage, BuildRequest, BuiltImage, Engine } from "../engine.js";
import { acceptance } from "./acceptance.js";
import { LayerContents } from "./layer-contents.js";
import { LayerIndexes } from "./layer-index-cache.js";
import { scratchConfig } from "./runtime-config.js";
import { StageBuilder, type StageState, type StageSurroundings } from "./stage-builder.js";
import { type ImageReader, StageFiles } from "./stage-files.js";

/**
 * Assembles images from the files of the commit: no daemon, no root, nothing is run. Base layers are reused as
 * they are; they are read through, once a machine, only when an instruction asks what is in them.
 */
export const nativeEngine: Engine = {
  id: "native",
  accepts: acceptance,
  available: async () => ({ kind: "available" }),
  build: (run, request) => new NativeBuild(run, request).run(),
};

/** A file's time is no input of the build, so every entry has the same. */
const mtime = 0;

interface FinishedStage extends StageState {
  /** What a stage FROM this one begins with. */
  readonly scope: Scope;
}

class NativeBuild {
  readonly #request: BuildRequest;
  readonly #reader: ImageReader;
  readonly #finished: FinishedStage[] = [];
  readonly #run: RunContext;

  constructor(run: RunContext, request: BuildRequest) {
    this.#run = run;
    this.#request = request;
    this.#reader = {
      indexes: LayerIndexes.of(run),
      contents: new LayerContents(request.scratchDirectory),
      ...(request.task === undefined ? {} : { task: request.task }),
    };
  }

  async run(): Promise<BuiltImage> {
    const { plan, labels } = this.#request;
    const published = stagesOfTarget(plan);
    for (const [index, stage] of plan.stages.entries()) {
      this.#run.signal.throwIfAborted();
      this.#finished.push(await this.#stage(stage, published.has(index)));
    }
    const { config, layers } = this.#finishedStage(plan.stages.length - 1);
    const runtime = { ...config.config, Labels: { ...config.config?.Labels, ...labels } };
    return { config: { ...config, config: runtime }, layers };
  }

  async #stage(stage: PlannedStage, isPublished: boolean): Promise<FinishedStage> {
    const { base, scope, triggers } = await this.#base(stage.base, stage.position);
    const builder = new StageBuilder(base, this.#surroundings(base, isPublished));
    const written = [...triggers, ...stage.written];
    const expanded = expandStage(written, this.#request.plan.arguments, scope);
    for (const instruction of expanded.instructions) await builder.apply(instruction);
    return { ...builder.state(), scope: expanded.scope };
  }

  async #base(
    base: StageBase,
    position: SourcePosition,
  ): Promise<{
    readonly base: StageState;
    readonly scope: Scope;
    readonly triggers: readonly Instruction[];
  }> {
    if (base.kind === "stage") {
      const { scope, ...state } = this.#finishedStage(base.stage);
      // The plan has put what its ONBUILD asks for into this stage.
      const { OnBuild: _done, ...config } = state.config.config ?? {};
      return { base: { ...state, config: { ...state.config, config } }, scope, triggers: [] };
    }
    if (base.kind === "scratch") {
      const config = { ...platformFacts(this.#request.platform), config: scratchConfig };
      return {
        base: this.#state(config, undefined),
        scope: scopeOfEnvironment(scratchConfig.Env ?? []),
        triggers: [],
      };
    }
    const platform = base.platform === undefined ? this.#request.platform : parsePlatform(base.platform);
    const image = await this.#request.resolveBase(base.reference, platform);
    const { OnBuild = [], ...runtime } = image.config.config ?? {};
    const triggers = OnBuild.map((text) => this.#trigger(text, base.reference, position));
    const config = { ...keptFacts(image.config), config: runtime };
    return { base: this.#state(config, image), scope: scopeOfEnvironment(runtime.Env ?? []), triggers };
  }

  #trigger(text: string, reference: string, { line }: SourcePosition): Instruction {
    const position = { file: `ONBUILD of ${reference}, for ${this.#request.dockerfile.path}`, line };
    return linkSources(parseTrigger(text, position), (from) => ({ kind: "image", reference: from }));
  }

  #state(config: Omit<ImageConfig, "rootfs">, image: BaseImage | undefined): StageState {
    const diffIds = image?.config.rootfs.diff_ids ?? [];
    const layers = (image?.layers ?? []).map((descriptor, i) => ({
      descriptor,
      diffId: parseDigest(diffIds[i] ?? ""),
      content: { kind: "stored", store: (image as BaseImage).store } as const,
    }));
    return {
      config: { ...config, rootfs: { type: "layers", diff_ids: [...diffIds] } },
      layers,
      files: this.#filesOf(image),
    };
  }

  #filesOf(image: BaseImage | undefined): StageFiles {
    if (image === undefined) return new StageFiles(this.#reader);
    return StageFiles.ofLayers(
      this.#reader,
      image.layers.map((descriptor) => ({ store: image.store, descriptor })),
    );
  }

  #surroundings(base: StageState, isPublished: boolean): StageSurroundings {
    const { context, scratchDirectory } = this.#request;
    const mediaType = layerType(base);
    return {
      context,
      contents: this.#reader.contents,
      filesOf: (from) => this.#source(from),
      writeLayer: async (entries) =>
        isPublished ? writeLayer(entries, { directory: scratchDirectory, mediaType, mtime }) : undefined,
    };
  }

  async #source(from: ImageSource): Promise<{ readonly files: StageFiles; readonly title: string }> {
    if (from.kind === "stage") {
      const { name } = this.#request.plan.stages[from.stage] ?? {};
      return { files: this.#finishedStage(from.stage).files, title: `the stage ${name ?? from.stage}` };
    }
    const image = await this.#request.resolveBase(from.reference, this.#request.platform);
    return { files: this.#filesOf(image), title: `the image ${from.reference}` };
  }

  #finishedStage(index: number): FinishedStage {
    const stage = this.#finished[index];
    if (stage === undefined) throw new RangeError(`the stage ${index} is not built yet`);
    return stage;
  }
}

/** Docker's layer types go with Docker's, OCI's with everything else. */
function layerType({ layers }: StageState): string {
  const docker = layers.some(({ descriptor }) => descriptor.mediaType === mediaTypes.dockerLayerGzip);
  return docker ? mediaTypes.dockerLayerGzip : mediaTypes.ociLayerGzip;
}

function platformFacts({
  os,
  architecture,
  variant,
}: Platform): Pick<ImageConfig, "os" | "architecture" | "variant"> {
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}

/** Of the base image's configuration: not when it was made, nor what Docker remembered of the container it came from. */
const dropped = new Set([
  "created",
  "rootfs",
  "container",
  "container_config",
  "docker_version",
  "id",
  "parent",
]);

function keptFacts(config: ImageConfig): Omit<ImageConfig, "rootfs"> {
  const kept = Object.fromEntries(Object.entries(config).filter(([key]) => !dropped.has(key)));
  return kept as unknown as Omit<ImageConfig, "rootfs">;
}
