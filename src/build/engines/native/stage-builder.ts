import { WerfError } from "../../../core/errors.js";
import type { HistoryEntry, ImageConfig, RuntimeConfig } from "../../../oci/image-config.js";
import type { BuildContext } from "../../context/context.js";
import type { Instruction, SourcePosition } from "../../dockerfile/instruction.js";
import type { LayerEntry } from "../../layer/entry.js";
import type { BuiltLayer } from "../engine.js";
import { isOctal, obstacle } from "./acceptance.js";
import { ownershipOf } from "./accounts.js";
import { archiveEntries } from "./archive-source.js";
import { copyInto } from "./copy.js";
import { type CopySource, contextSources, heredocSources, imageSources } from "./copy-sources.js";
import { defaultDirectoryMode } from "./image-tree.js";
import { LayerChanges } from "./layer-changes.js";
import type { LayerContents } from "./layer-contents.js";
import { applyToConfig, workingDirectory } from "./runtime-config.js";
import type { StageFiles } from "./stage-files.js";

/** A stage as far as it is built. */
export interface StageState {
  readonly config: ImageConfig;
  readonly layers: readonly BuiltLayer[];
  readonly files: StageFiles;
}

/** What a stage needs from the build around it. */
export interface StageSurroundings {
  readonly context: BuildContext;
  readonly contents: LayerContents;
  /** The files of another stage or image, and how to call it in messages. */
  filesOf(
    from: NonNullable<CopyInstruction["from"]>,
  ): Promise<{ readonly files: StageFiles; readonly title: string }>;
  /** Makes a layer of entries; `undefined` when this stage's layers aren't part of the image that is built. */
  writeLayer(entries: readonly LayerEntry[]): Promise<BuiltLayer | undefined>;
}

type CopyInstruction = Extract<Instruction, { kind: "copy" | "add" }>;

/** Carries out the instructions of one stage, one after the other. */
export class StageBuilder {
  readonly #surroundings: StageSurroundings;
  readonly #files: StageFiles;
  readonly #layers: BuiltLayer[];
  readonly #history: HistoryEntry[];
  readonly #image: ImageConfig;
  #runtime: RuntimeConfig;
  #author: string | undefined;
  #cmdIsOwn = false;

  constructor(base: StageState, surroundings: StageSurroundings) {
    this.#surroundings = surroundings;
    this.#files = base.files.copy();
    this.#layers = [...base.layers];
    this.#image = base.config;
    this.#runtime = base.config.config ?? {};
    this.#history = [...(base.config.history ?? [])];
    this.#author = base.config.author;
  }

  async apply(instruction: Instruction): Promise<void> {
    switch (instruction.kind) {
      case "copy":
      case "add":
        return this.#copy(instruction);
      case "workdir":
        return this.#workdir(instruction);
      case "run":
        throw cannot(instruction);
      case "arg":
        break;
      case "maintainer":
        this.#author = instruction.author;
        break;
      default:
        this.#runtime = applyToConfig(this.#runtime, instruction, this.#cmdIsOwn);
        if (instruction.kind === "cmd") this.#cmdIsOwn = true;
    }
    this.#record(instruction, true);
  }

  state(): StageState {
    const config: ImageConfig = {
      ...this.#image,
      ...(this.#author === undefined ? {} : { author: this.#author }),
      config: this.#runtime,
      rootfs: { type: "layers", diff_ids: this.#layers.map(({ diffId }) => diffId) },
      history: this.#history,
    };
    return { config, layers: this.#layers, files: this.#files };
  }

  /** Makes the directory unless it is there; it belongs to the USER of the image, as in BuildKit. */
  async #workdir(instruction: Extract<Instruction, { kind: "workdir" }>): Promise<void> {
    const { position } = instruction;
    const path = workingDirectory(this.#runtime, instruction.path);
    const changes = new LayerChanges(await this.#files.tree(), position);
    if (!changes.isDirectory(path)) {
      const owner = this.#runtime.User
        ? await ownershipOf(this.#runtime.User, this.#files, position)
        : undefined;
      changes.makeDirectory(path, owner, defaultDirectoryMode);
    }
    this.#runtime = applyToConfig(this.#runtime, instruction, this.#cmdIsOwn);
    await this.#commit(instruction, changes.entries());
  }

  async #copy(instruction: CopyInstruction): Promise<void> {
    if (obstacle(instruction) !== undefined) throw cannot(instruction);
    const { chown, chmod, position, destination } = instruction;
    if (chmod !== undefined && !isOctal(chmod)) throw cannot(instruction, `"${chmod}" is not an octal mode`);
    const changes = new LayerChanges(await this.#files.tree(), position);
    const owner = chown === undefined ? undefined : await ownershipOf(chown, this.#files, position);
    copyInto(changes, await this.#sources(instruction), {
      destination,
      workingDirectory: this.#runtime.WorkingDir ?? "/",
      position,
      ...(owner === undefined ? {} : { owner }),
      ...(chmod === undefined ? {} : { mode: Number.parseInt(chmod, 8) }),
    });
    await this.#commit(instruction, changes.entries(), true);
  }

  async #sources(instruction: CopyInstruction): Promise<readonly CopySource[]> {
    const { from, sources, heredocs, position } = instruction;
    const inline = heredocSources(heredocs);
    if (sources.length === 0) return inline;
    if (from !== undefined) {
      const { files, title } = await this.#surroundings.filesOf(from);
      return [...(await imageSources(files, sources, { position, from: title })), ...inline];
    }
    const found = await contextSources(this.#surroundings.context, sources, position);
    const unpacks =
      instruction.kind === "add" &&
      !instruction.options.some(({ key, value }) => key === "unpack" && value === "false");
    return [
      ...(unpacks ? await Promise.all(found.map((s) => this.#unpacked(s, position))) : found),
      ...inline,
    ];
  }

  /** What ADD makes of a source: the content of an archive is copied like that of a directory. */
  async #unpacked(source: CopySource, position: SourcePosition): Promise<CopySource> {
    const [file] = source.entries;
    if (source.kind !== "file" || file?.kind !== "file") return source;
    const { contents } = this.#surroundings;
    const archive = await archiveEntries(() => file.open(), { name: source.name, position, contents });
    if (archive === undefined) return source;
    const { entries, root } = archive;
    return {
      kind: "directory",
      name: source.name,
      entries,
      mode: root?.mode ?? defaultDirectoryMode,
      ...(root === undefined ? {} : { owner: { uid: root.uid, gid: root.gid } }),
    };
  }

  /** COPY always makes a layer, as people expect to find it; WORKDIR only when it made a directory. */
  async #commit(instruction: Instruction, entries: readonly LayerEntry[], always = false): Promise<void> {
    const makesLayer = always || entries.length > 0;
    if (makesLayer) {
      this.#files.add(entries);
      const layer = await this.#surroundings.writeLayer(entries);
      if (layer !== undefined) this.#layers.push(layer);
    }
    this.#record(instruction, !makesLayer);
  }

  #record({ text }: Instruction, empty: boolean): void {
    this.#history.push({ created_by: text, ...(empty ? { empty_layer: true } : {}) });
  }
}

function cannot(instruction: Instruction, why: string = obstacle(instruction) ?? ""): WerfError {
  const { file, line } = instruction.position;
  return new WerfError("build/native-cannot", `${file}:${line}: ${instruction.text}: ${why}`, {
    hint: "use another builder: --builder buildah",
  });
}
