import { Command as Commander, type Help, Option } from "commander";
import { WerfError } from "../core/errors.js";
import type { Command } from "./commands/command.js";
import { type CommandEntry, commandTable } from "./commands/index.js";
import type { CliHost } from "./host.js";
import type { OptionSpec } from "./options/option.js";
import { parseBoolean } from "./options/resolve.js";
import { commonOptions, type OptionName, optionTable } from "./options/table.js";

type Executor = (
  entry: CommandEntry,
  command: Command,
  flags: Readonly<Record<string, unknown>>,
  args: readonly string[],
) => Promise<void>;

/** The parser for this command line: all commands by name, the called one with its options. */
export async function buildProgram(host: CliHost, execute: Executor): Promise<Commander> {
  const program = configure(new Commander("werf"), host)
    .description("Build images, distribute bundles and clean up container registries.")
    .usage("COMMAND [OPTIONS]");
  const called = findCalled(host.argv);
  for (const entry of commandTable) {
    const parent = groupOf(program, entry, host);
    const leaf = configure(new Commander(entry.path.at(-1)), host).summary(entry.summary);
    if (entry === called) await define(leaf, entry, execute);
    parent.addCommand(leaf);
  }
  program.addHelpText("after", "\nwerf COMMAND --help tells more about a command.");
  return program;
}

const termColumns = 30;

/** A term that is longer than its column has the description on the lines below it. */
function formatItem(term: string, columns: number, description: string, helper: Help): string {
  if (description === "") return `  ${term}`;
  const indent = " ".repeat(columns + 4);
  const text = helper
    .boxWrap(description, (helper.helpWidth ?? 80) - indent.length)
    .replaceAll("\n", `\n${indent}`);
  return term.length > columns ? `  ${term}\n${indent}${text}` : `  ${term.padEnd(columns + 2)}${text}`;
}

function configure(command: Commander, host: CliHost): Commander {
  return command
    .exitOverride()
    .showSuggestionAfterError(true)
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .configureHelp({ formatItem, padWidth: () => termColumns })
    .configureOutput({
      writeOut: (text) => host.stdout(text),
      writeErr: (text) => host.stderr(text),
      getOutHelpWidth: () => 80,
      getErrHelpWidth: () => 80,
      outputError: (text, write) => write(text.replace(/^error: /, "Error: ")),
    });
}

/** The command that the words before the first flag name; the longest path wins. */
export function findCalled(argv: readonly string[]): CommandEntry | undefined {
  const words = argv.filter((word) => !word.startsWith("-"));
  return commandTable.find(({ path }) => path.every((part, i) => words[i] === part));
}

function groupOf(program: Commander, entry: CommandEntry, host: CliHost): Commander {
  const [group] = entry.path;
  if (entry.path.length === 1 || group === undefined) return program;
  const existing = program.commands.find((c) => c.name() === group);
  if (existing !== undefined) return existing;
  const made = configure(new Commander(group), host).summary(groupSummaries[group] ?? "");
  program.addCommand(made);
  return made;
}

const groupSummaries: Readonly<Record<string, string>> = {
  bundle: "publish and copy bundles: a Helm chart with its images",
  config: "werf.yaml as werf reads it",
  "managed-images": "the images that cleanup knows of besides those of werf.yaml",
  stage: "what is published of an image",
  cr: "log in to container registries",
  registry: "the embedded registry",
};

async function define(leaf: Commander, entry: CommandEntry, execute: Executor): Promise<void> {
  const command = await entry.load();
  leaf.description(
    [`${entry.summary[0]?.toUpperCase()}${entry.summary.slice(1)}.`, ...command.description].join("\n\n"),
  );
  if (command.arguments !== undefined) leaf.arguments(command.arguments);
  const common = "print" in command ? [] : commonOptions;
  const names: readonly OptionName[] = [...new Set([...command.options, ...common])];
  for (const name of names) addOption(leaf, optionTable[name]);
  if (command.examples.length > 0)
    leaf.addHelpText("after", `\nExamples:\n${command.examples.map((e) => `  $ ${e}`).join("\n")}`);
  leaf.action(async (...given: unknown[]) => {
    const flags = leaf.opts<Record<string, unknown>>();
    const args = given
      .slice(0, -2)
      .flat()
      .filter((a): a is string => typeof a === "string");
    await execute(entry, command, byName(names, flags), args);
  });
}

/** Commander keys values by flag; we key them by the option's name. */
function byName(
  names: readonly OptionName[],
  flags: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, flags[attribute(optionTable[name].flag)]]));
}

function attribute(flag: string): string {
  return new Option(`--${flag}`).attributeName();
}

function addOption(leaf: Commander, spec: OptionSpec): void {
  const short = "short" in spec && spec.short !== undefined ? `-${spec.short}, ` : "";
  const text = `${spec.description}${defaultText(spec)}${environmentText(spec)}`;
  const value = spec.kind === "boolean" ? "" : ` <${spec.placeholder}>`;
  const option = new Option(`${short}--${spec.flag}${value}`, text).helpGroup(`${spec.group}:`);
  if (spec.kind === "list")
    option.argParser((item: string, before: string[] | undefined) => [...(before ?? []), item]);
  leaf.addOption(option);
  if (spec.kind === "boolean") leaf.addOption(new Option(`--no-${spec.flag}`).hideHelp());
}

function defaultText(spec: OptionSpec): string {
  if (!("default" in spec) || spec.default === undefined || spec.default === false) return "";
  return ` (default ${String(spec.default)})`;
}

function environmentText(spec: OptionSpec): string {
  return spec.env.length === 0
    ? ""
    : ` [$${spec.env.map((e) => (e.endsWith("_") ? `${e}*` : e)).join(", $")}]`;
}

/**
 * `--flag=false` of a boolean is `--no-flag`, as in werf; Commander knows only the second form.
 * @throws WerfError `cli/option-invalid`
 */
export function normalizeBooleans(argv: readonly string[]): string[] {
  const booleans = new Set(
    Object.values(optionTable)
      .filter((o) => o.kind === "boolean")
      .map((o) => o.flag as string),
  );
  return argv.map((word) => {
    const match = /^--([a-z0-9-]+)=(.*)$/.exec(word);
    if (match === null || !booleans.has(match[1] ?? "")) return word;
    const value = parseBoolean(match[2]);
    if (value === undefined) {
      throw new WerfError("cli/option-invalid", `--${match[1]}: "${match[2]}" is neither true nor false`, {
        exitCode: 2,
      });
    }
    return value ? `--${match[1]}` : `--no-${match[1]}`;
  });
}
