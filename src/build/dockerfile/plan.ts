import { isWerfError, WerfError } from "../../core/errors.js";
import { didYouMean } from "../../core/suggest.js";
import { type Platform, parsePlatform } from "../../oci/platform.js";
import { parseReference } from "../../oci/reference.js";
import type { ImageSource, Instruction, ParsedInstruction, SourcePosition } from "./instruction.js";
import { type Dockerfile, type ParsedStage, parseTrigger } from "./parser.js";
import { isPredefinedArg, platformArgs } from "./platform-args.js";
import { expandStage, openScope, type Scope, scopeOfEnvironment, scratchEnvironment } from "./scope.js";
import { expandWord, ShellWordError } from "./shell-word.js";
import { syntaxError } from "./syntax-error.js";
import type { ArgumentValues, PlannedStage, StageBase, TargetPlan } from "./target-plan.js";

export interface PlanOptions {
  /** Name or index of a stage; default the last. */
  readonly target?: string;
  /** Build args after precedence: those of dependencies, then `args`. */
  readonly args: Readonly<Record<string, string>>;
  readonly platform: Platform;
  /** Where the build runs: BUILDPLATFORM and what belongs to it. */
  readonly buildPlatform: Platform;
}

/**
 * The stages that a target needs, with everything resolved that the Dockerfile and the build args decide.
 * @throws WerfError `build/dockerfile-syntax`, `build/dockerfile-target`, `build/dockerfile-cycle`
 */
export function planTarget(dockerfile: Dockerfile, options: PlanOptions): TargetPlan {
  const values = argumentValues(dockerfile, options);
  const target = findTarget(dockerfile, options.target);
  const links = new StageLinks(dockerfile, values.globalArgs);
  const order = links.closureOf(target);
  const indexOf = new Map(order.map((stage, index) => [stage, index]));
  const stages: PlannedStage[] = [];
  const scopes: Scope[] = [];
  for (const index of order) {
    const { name, position } = stageAt(dockerfile, index);
    const base = renumberBase(links.baseOf(index), indexOf);
    const written = links.instructionsOf(index).map((i) => renumber(i, indexOf));
    const { instructions, scope } = expandStage(written, values, inheritedScope(base, scopes));
    scopes.push(scope);
    stages.push({ position, base, written, instructions, ...(name === undefined ? {} : { name }) });
  }
  return {
    stages,
    buildArgs: options.args,
    arguments: values,
    unusedArgs: unusedArgs(dockerfile, stages, options.args),
    ...(options.target === undefined ? {} : { target: options.target }),
  };
}

/** The target and the stages it is FROM: those whose layers are in the image. */
export function stagesOfTarget(plan: TargetPlan): ReadonlySet<number> {
  const stages = new Set<number>();
  let index: number | undefined = plan.stages.length - 1;
  while (index !== undefined) {
    stages.add(index);
    const base: StageBase | undefined = plan.stages[index]?.base;
    index = base?.kind === "stage" ? base.stage : undefined;
  }
  return stages;
}

function inheritedScope(base: StageBase, scopes: readonly Scope[]): Scope {
  if (base.kind === "scratch") return scopeOfEnvironment(scratchEnvironment);
  return base.kind === "stage" ? (scopes[base.stage] ?? openScope) : openScope;
}

/** Global ARGs see the platform's and those before them; build args win. */
function argumentValues(dockerfile: Dockerfile, options: PlanOptions): ArgumentValues {
  const { escapeCharacter } = dockerfile;
  const globals: Record<string, string> = platformArgs({ ...options, target: options.target });
  for (const name of Object.keys(globals)) {
    const given = ownValue(options.args, name);
    if (given !== undefined) globals[name] = given;
  }
  for (const { args, position } of dockerfile.globalArgs) {
    for (const { name, value } of args) {
      const given = ownValue(options.args, name);
      if (given !== undefined) globals[name] = given;
      else if (value !== undefined)
        globals[name] = expandGlobal(value, { globals, escapeCharacter, position });
    }
  }
  return { buildArgs: options.args, globalArgs: globals, escapeCharacter };
}

function ownValue(record: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function expandGlobal(
  text: string,
  scope: {
    readonly globals: Readonly<Record<string, string>>;
    readonly escapeCharacter: string;
    readonly position: SourcePosition;
  },
): string {
  try {
    return expandWord(text, {
      escapeCharacter: scope.escapeCharacter,
      lookup: (name) => ownValue(scope.globals, name),
    }).value;
  } catch (error) {
    if (error instanceof ShellWordError) throw syntaxError(scope.position, error.message);
    throw error;
  }
}

/** A mistake that `read` finds is one of the Dockerfile's. */
function readAt(position: SourcePosition, read: () => unknown): void {
  try {
    read();
  } catch (error) {
    throw isWerfError(error) ? syntaxError(position, error.message, error.hint) : error;
  }
}

function stageAt(dockerfile: Dockerfile, index: number): ParsedStage {
  const stage = dockerfile.stages[index];
  if (stage === undefined) throw new RangeError(`stage ${index}`);
  return stage;
}

/** The last stage of this name, before `before`. */
function stageNamed(
  dockerfile: Dockerfile,
  name: string,
  before: number = dockerfile.stages.length,
): number | undefined {
  const wanted = name.toLowerCase();
  const found = dockerfile.stages.slice(0, before).findLastIndex((stage) => stage.name === wanted);
  return found < 0 ? undefined : found;
}

function findTarget(dockerfile: Dockerfile, target: string | undefined): number {
  if (target === undefined || target === "") return dockerfile.stages.length - 1;
  const named = stageNamed(dockerfile, target);
  if (named !== undefined) return named;
  if (/^\d+$/.test(target) && Number(target) < dockerfile.stages.length) return Number(target);
  const names = dockerfile.stages.flatMap((stage) => stage.name ?? []);
  throw new WerfError(
    "build/dockerfile-target",
    `${dockerfile.file} has no stage "${target}"${didYouMean(target, names)}`,
    { hint: names.length === 0 ? "none of its stages has a name" : `its stages are ${names.join(", ")}` },
  );
}

/** How the stages of a file refer to each other; indexes are those of the file. */
class StageLinks {
  readonly #dockerfile: Dockerfile;
  readonly #globals: Readonly<Record<string, string>>;
  readonly #instructions = new Map<number, readonly Instruction[]>();
  readonly #bases = new Map<number, StageBase>();

  constructor(dockerfile: Dockerfile, globals: Readonly<Record<string, string>>) {
    this.#dockerfile = dockerfile;
    this.#globals = globals;
  }

  baseOf(index: number): StageBase {
    const known = this.#bases.get(index) ?? this.#readBase(index);
    this.#bases.set(index, known);
    return known;
  }

  /** Its own instructions, after what ONBUILD of the stage it is FROM adds. */
  instructionsOf(index: number): readonly Instruction[] {
    const known = this.#instructions.get(index);
    if (known !== undefined) return known;
    const own = [...this.#triggersFor(index), ...stageAt(this.#dockerfile, index).instructions];
    const instructions = own.map((instruction) => this.#linked(instruction, index));
    this.#instructions.set(index, instructions);
    return instructions;
  }

  /** The stages that `target` needs, itself last; needed ones come first. */
  closureOf(target: number): readonly number[] {
    const order: number[] = [];
    const path: number[] = [];
    const visit = (index: number): void => {
      if (order.includes(index)) return;
      if (path.includes(index)) throw this.#cycle([...path.slice(path.indexOf(index)), index]);
      path.push(index);
      for (const needed of this.#needsOf(index)) visit(needed);
      path.pop();
      order.push(index);
    };
    visit(target);
    return order;
  }

  #needsOf(index: number): readonly number[] {
    const base = this.baseOf(index);
    // The base first: its ONBUILD is part of this stage's instructions.
    const bases = base.kind === "stage" ? [base.stage] : [];
    const sources = this.instructionsOf(index).flatMap((instruction) => sourcesOf(instruction));
    const stages = sources.flatMap((source) => (source.kind === "stage" ? [source.stage] : []));
    return [...new Set([...bases, ...stages])].sort((a, b) => a - b);
  }

  #readBase(index: number): StageBase {
    const { base, platform, position } = stageAt(this.#dockerfile, index);
    const scope = { globals: this.#globals, escapeCharacter: this.#dockerfile.escapeCharacter, position };
    const reference = expandGlobal(base, scope);
    if (reference === "") {
      throw syntaxError(
        position,
        `FROM ${base} names no image: the variable is empty`,
        "declare it with ARG before the first FROM, with a default, or pass it in args",
      );
    }
    if (reference === "scratch") return { kind: "scratch" };
    const stage = stageNamed(this.#dockerfile, reference, index);
    if (stage !== undefined) return { kind: "stage", stage };
    const wanted = platform === undefined ? undefined : expandGlobal(platform, scope);
    if (wanted === "") throw syntaxError(position, `--platform=${platform} is empty`);
    readAt(position, () => parseReference(reference));
    if (wanted !== undefined) readAt(position, () => parsePlatform(wanted));
    return {
      kind: "image",
      reference,
      ...(wanted === undefined ? {} : { platform: wanted }),
      ...(/^\$(?:BUILDPLATFORM|\{BUILDPLATFORM\})$/.test(platform ?? "") ? { runsOnBuilder: true } : {}),
    };
  }

  #triggersFor(index: number): readonly ParsedInstruction[] {
    const base = this.baseOf(index);
    if (base.kind !== "stage") return [];
    return stageAt(this.#dockerfile, base.stage).instructions.flatMap((instruction) =>
      instruction.kind === "onbuild"
        ? [parseTrigger(instruction.trigger, instruction.position, this.#dockerfile.escapeCharacter)]
        : [],
    );
  }

  #linked(instruction: ParsedInstruction, index: number): Instruction {
    return linkSources(instruction, (from) => this.#source(from, instruction, index));
  }

  #source(from: string, { position, kind }: ParsedInstruction, index: number): ImageSource {
    if (from.includes("$")) {
      throw syntaxError(
        position,
        `${kind === "run" ? "--mount from" : "--from"}=${from}: variables are not expanded here`,
        `name the image in a stage of its own, FROM ${from} AS name, with the ARG before the first FROM`,
      );
    }
    const named = stageNamed(this.#dockerfile, from, index) ?? stageNamed(this.#dockerfile, from);
    if (named !== undefined) return { kind: "stage", stage: named };
    if (!/^\d+$/.test(from)) {
      readAt(position, () => parseReference(from));
      return { kind: "image", reference: from };
    }
    const stage = Number(from);
    if (stage < this.#dockerfile.stages.length) return { kind: "stage", stage };
    throw syntaxError(
      position,
      `--from=${from}: there is no stage ${from}`,
      `the stages are numbered 0 to ${this.#dockerfile.stages.length - 1}`,
    );
  }

  #cycle(path: readonly number[]): WerfError {
    const names = path.map((index) => stageAt(this.#dockerfile, index).name ?? `stage ${index}`);
    const { position } = stageAt(this.#dockerfile, path[0] ?? 0);
    return new WerfError(
      "build/dockerfile-cycle",
      `${position.file}:${position.line}: stages need each other in a circle: ${names.join(" -> ")}`,
    );
  }
}

/** Gives every `--from` of an instruction its meaning. */
export function linkSources(
  instruction: ParsedInstruction,
  resolve: (from: string) => ImageSource,
): Instruction {
  if (instruction.kind === "copy" || instruction.kind === "add") {
    const { from, ...rest } = instruction;
    return from === undefined ? rest : { ...rest, from: resolve(from) };
  }
  if (instruction.kind !== "run") return instruction;
  const mounts = instruction.mounts.map(({ from, ...mount }) =>
    from === undefined ? mount : { ...mount, from: resolve(from) },
  );
  return { ...instruction, mounts };
}

/** Where an instruction takes files from, beside the context. */
export function sourcesOf(instruction: Instruction): readonly ImageSource[] {
  if (instruction.kind === "copy" || instruction.kind === "add")
    return instruction.from === undefined ? [] : [instruction.from];
  return instruction.kind === "run" ? instruction.mounts.flatMap((mount) => mount.from ?? []) : [];
}

function renumberSource(source: ImageSource, indexOf: ReadonlyMap<number, number>): ImageSource {
  return source.kind === "image" ? source : { kind: "stage", stage: indexOf.get(source.stage) ?? -1 };
}

function renumberBase(base: StageBase, indexOf: ReadonlyMap<number, number>): StageBase {
  return base.kind === "stage" ? { kind: "stage", stage: indexOf.get(base.stage) ?? -1 } : base;
}

function renumber(instruction: Instruction, indexOf: ReadonlyMap<number, number>): Instruction {
  if (instruction.kind === "copy" || instruction.kind === "add") {
    const { from } = instruction;
    return from === undefined ? instruction : { ...instruction, from: renumberSource(from, indexOf) };
  }
  if (instruction.kind !== "run") return instruction;
  const mounts = instruction.mounts.map((mount) =>
    mount.from === undefined ? mount : { ...mount, from: renumberSource(mount.from, indexOf) },
  );
  return { ...instruction, mounts };
}

function unusedArgs(
  dockerfile: Dockerfile,
  stages: readonly PlannedStage[],
  given: Readonly<Record<string, string>>,
): readonly string[] {
  const declared = new Set(dockerfile.globalArgs.flatMap(({ args }) => args.map(({ name }) => name)));
  for (const { instructions } of stages) {
    for (const instruction of instructions) {
      if (instruction.kind === "arg") for (const { name } of instruction.args) declared.add(name);
    }
  }
  return Object.keys(given).filter((name) => !declared.has(name) && !isPredefinedArg(name));
}
