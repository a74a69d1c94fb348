import type { CopyFacts, HeredocFile, ImageSource, Instruction, KeyValue } from "./instruction.js";
import {
  type Expansion,
  expandWord,
  expandWords,
  pending,
  ShellWordError,
  type ShellWordOptions,
  type VariableValue,
} from "./shell-word.js";
import { syntaxError } from "./syntax-error.js";
import type { ArgumentValues } from "./target-plan.js";

/** The variables that an instruction sees. */
export interface Scope {
  readonly variables: ReadonlyMap<string, VariableValue>;
  /** What isn't among `variables` may be set by a base image that is not known yet. */
  readonly open: boolean;
}

/** What BuildKit gives an image FROM scratch on Linux. */
export const scratchEnvironment: readonly string[] = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];
/** The scope of a stage whose base image has not been read. */
export const openScope: Scope = { variables: new Map(), open: true };

/** The scope of a stage whose base image has this environment, `NAME=value` each. */
export function scopeOfEnvironment(environment: readonly string[]): Scope {
  const variables = new Map<string, VariableValue>();
  for (const entry of environment) {
    const equals = entry.indexOf("=");
    variables.set(equals < 0 ? entry : entry.slice(0, equals), equals < 0 ? "" : entry.slice(equals + 1));
  }
  return { variables, open: false };
}

/**
 * Expands the variables of a stage's instructions, from what the stage begins with: the variables at the end of
 * the stage it is FROM (ARGs too), or the base image's environment. As in BuildKit, of an ARG and an ENV of the
 * same name the later one counts.
 * @throws WerfError `build/dockerfile-syntax`
 */
export function expandStage(
  written: readonly Instruction[],
  values: ArgumentValues,
  inherited: Scope,
): { readonly instructions: readonly Instruction[]; readonly scope: Scope } {
  const variables = new Map(inherited.variables);
  const instructions = written.map((instruction) =>
    new Expander(instruction, values, variables, inherited.open).expand(),
  );
  return { instructions, scope: { variables, open: inherited.open } };
}

type Facts<Kind extends Instruction["kind"]> = Extract<Instruction, { kind: Kind }>;

/** Expands one instruction and lets it act on the variables. */
class Expander {
  readonly #instruction: Instruction;
  readonly #values: ArgumentValues;
  readonly #variables: Map<string, VariableValue>;
  readonly #open: boolean;
  readonly #unresolved = new Set<string>();

  constructor(
    instruction: Instruction,
    values: ArgumentValues,
    variables: Map<string, VariableValue>,
    open: boolean,
  ) {
    this.#instruction = instruction;
    this.#values = values;
    this.#variables = variables;
    this.#open = open;
  }

  expand(): Instruction {
    const expanded = this.#expand();
    return this.#unresolved.size === 0 ? expanded : { ...expanded, unresolved: [...this.#unresolved].sort() };
  }

  #expand(): Instruction {
    const written = this.#instruction;
    switch (written.kind) {
      case "arg":
        return this.#arg(written);
      case "env":
        return this.#env(written);
      case "label":
        return { ...written, pairs: this.#pairs(written.pairs).map(({ pair }) => pair) };
      case "copy":
      case "add":
        return this.#copy(written);
      case "workdir":
        return { ...written, path: this.#word(written.path) };
      case "user":
        return { ...written, user: this.#word(written.user) };
      case "expose":
        return { ...written, ports: written.ports.flatMap((port) => this.#words(port)) };
      case "volume":
        return { ...written, paths: written.paths.map((path) => this.#word(path)) };
      case "stopsignal":
        return { ...written, signal: this.#word(written.signal) };
      // A shell expands the others when they run.
      default:
        return written;
    }
  }

  #arg(written: Facts<"arg">): Instruction {
    const { buildArgs, globalArgs } = this.#values;
    const args = written.args.map((arg) => {
      const name = this.#word(arg.name);
      let value: VariableValue = Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined;
      if (value === undefined && arg.value !== undefined) {
        const expansion = this.#attempt(() => expandWord(arg.value ?? "", this.#options()));
        value = expansion.pending.length > 0 ? pending : expansion.value;
        if (value === pending) {
          this.#variables.set(name, pending);
          return { name, value: expansion.value };
        }
      } else if (value === undefined && Object.hasOwn(globalArgs, name)) value = globalArgs[name];
      if (value === undefined) return { name };
      this.#variables.set(name, value);
      return { name, value };
    });
    return { ...written, args };
  }

  /** All pairs of one ENV see the variables as they were before it. */
  #env(written: Facts<"env">): Instruction {
    const pairs = this.#pairs(written.pairs);
    for (const { pair, known } of pairs) this.#variables.set(pair.key, known ? pair.value : pending);
    return { ...written, pairs: pairs.map(({ pair }) => pair) };
  }

  #copy(written: Facts<"copy"> | Facts<"add">): Instruction {
    const sources = written.sources.map((source) => this.#word(source));
    const sourcesUnresolved = this.#unresolved.size > 0;
    const facts: CopyFacts<ImageSource> = {
      ...written,
      sources,
      destination: this.#word(written.destination),
      heredocs: written.heredocs.map((heredoc) => this.#heredoc(heredoc)),
      exclude: written.exclude.map((pattern) => this.#word(pattern)),
      options: written.options.map(({ key, value }) => ({ key, value: this.#word(value) })),
      ...(written.chown === undefined ? {} : { chown: this.#word(written.chown) }),
      ...(written.chmod === undefined ? {} : { chmod: this.#word(written.chmod) }),
    };
    return { ...written, ...facts, ...(sourcesUnresolved ? { sourcesUnresolved } : {}) };
  }

  #heredoc(heredoc: HeredocFile): HeredocFile {
    if (!heredoc.expand) return heredoc;
    const content = this.#note(() => expandWord(heredoc.content, { ...this.#options(), quotes: "ignore" }));
    return { ...heredoc, content };
  }

  #pairs(pairs: readonly KeyValue[]): { readonly pair: KeyValue; readonly known: boolean }[] {
    return pairs.map(({ key, value }) => {
      const expansion = this.#attempt(() => expandWord(value, this.#options()));
      return {
        pair: { key: this.#word(key), value: expansion.value },
        known: expansion.pending.length === 0,
      };
    });
  }

  #word(text: string): string {
    return this.#note(() => expandWord(text, this.#options()));
  }

  #words(text: string): readonly string[] {
    return this.#note(() => expandWords(text, this.#options()));
  }

  #note<T>(expansion: () => Expansion<T>): T {
    return this.#attempt(expansion).value;
  }

  #attempt<T>(expansion: () => Expansion<T>): Expansion<T> {
    try {
      const result = expansion();
      for (const name of result.pending) this.#unresolved.add(name);
      return result;
    } catch (error) {
      if (error instanceof ShellWordError) throw syntaxError(this.#instruction.position, error.message);
      throw error;
    }
  }

  #options(): ShellWordOptions {
    const { escapeCharacter } = this.#values;
    return {
      escapeCharacter,
      lookup: (name) => {
        const value = this.#variables.get(name);
        return value === undefined && this.#open ? pending : value;
      },
    };
  }
}
