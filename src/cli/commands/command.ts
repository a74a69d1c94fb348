import type { RunContext } from "../../core/run-context.js";
import type { Input } from "../input.js";
import type { OptionValues } from "../options/resolve.js";
import type { OptionName } from "../options/table.js";

type Environment = RunContext["env"];

/** Where results go; progress goes to the printers through `run.emit`. */
export interface Output {
  /** One line on stdout. */
  line(text: string): void;
  /** As it is, secrets included: what a shell reads, and no person. */
  verbatim(text: string): void;
}

export interface CommandCall<N extends OptionName> {
  readonly options: OptionValues<N>;
  readonly args: readonly string[];
  readonly input: Input;
  readonly output: Output;
  /** `linux/amd64`: the machine this runs on, as containers see it. */
  readonly hostPlatform: string;
}

interface CommandBase<N extends OptionName> {
  readonly options: readonly N[];
  /** `[IMAGE...]`; absent: no arguments. */
  readonly arguments?: string;
  /** Paragraphs of the help, below the summary. */
  readonly description: readonly string[];
  readonly examples: readonly string[];
}

/** A command that works: what its help says, which options it takes, and what it does. */
export interface RunCommand<N extends OptionName = OptionName> extends CommandBase<N> {
  /** A shell evaluates the output: nothing but failures is told beside it. */
  readonly isEvaluated?: boolean;
  /** What the shell reads when the command failed, a wrong command line included. */
  failureOutput?(argv: readonly string[], env: Environment): string;
  /** A registry that is named by an argument or the environment, for `--skip-tls-verify-registry`. */
  registryOfEnvironment?(args: readonly string[], env: Environment): Promise<string | undefined>;
  execute(run: RunContext, call: CommandCall<N>): Promise<void>;
}

/** A command that only tells something, and needs nothing from outside for it. */
export interface PlainCommand extends CommandBase<never> {
  print(): string;
}

export type Command = RunCommand | PlainCommand;

/** A command sees the values of exactly the options that it lists. */
export function defineCommand<const N extends OptionName>(command: RunCommand<N>): RunCommand {
  return command;
}
