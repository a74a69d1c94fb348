import type { Command } from "../../src/cli/commands/command.js";
import { commandTable } from "../../src/cli/commands/index.js";
import type { OptionSpec } from "../../src/cli/options/option.js";
import { commonOptions, type OptionName, optionTable } from "../../src/cli/options/table.js";

const common: ReadonlySet<OptionName> = new Set(commonOptions);

/** `docs/reference/cli.md`: every command with its flags, variables and defaults, from the option table. */
export async function renderCliReference(): Promise<string> {
  const commands = await Promise.all(
    commandTable.map(async ({ path, summary, load }) => section(path, summary, await load())),
  );
  return [
    "# Command line",
    "",
    "Made by `npm run docs` from the tables that the command itself uses; don't edit it.",
    "",
    "A flag beats its variable, a variable beats the default, and an empty variable counts as unset. Where several variables are named, the first that is set counts. A variable that ends in `*` is a prefix: all variables that begin with it are taken, in the order of their names, before the flags. A boolean takes `--flag`, `--flag=false` and `--no-flag`, in a variable `1`, `true`, `yes`, `0`, `false` or `no`.",
    "",
    "Exit codes: 0 done, 1 failed, 2 wrong command line, 130 interrupted (143 by SIGTERM).",
    "",
    ...commands.flat(),
    "## Options of every command",
    "",
    ...table(commonOptions),
  ].join("\n");
}

function section(path: readonly string[], summary: string, command: Command): string[] {
  const name = `werf ${path.join(" ")}`;
  const own = command.options.filter((option) => !common.has(option));
  const title = `${summary[0]?.toUpperCase()}${summary.slice(1)}.`;
  const usage = command.arguments === undefined ? "" : ` ${command.arguments}`;
  return [
    `## ${name}`,
    "",
    ...[title, ...command.description].flatMap((paragraph) => [paragraph, ""]),
    "```console",
    `$ ${name}${usage} [OPTIONS]`,
    ...command.examples.map((example) => `$ ${example}`),
    "```",
    "",
    ...(own.length === 0 ? [] : table(own)),
  ];
}

function table(options: readonly OptionName[]): string[] {
  const rows = options.map((option) => row(optionTable[option]));
  return [
    "| flag | variable | default | what it does |",
    "| --- | --- | --- | --- |",
    ...rows.map((cells) => `| ${cells.map(escaped).join(" | ")} |`),
    "",
  ];
}

function row(spec: OptionSpec): string[] {
  const value = spec.kind === "boolean" ? "" : ` ${spec.placeholder}`;
  const short = spec.short === undefined ? "" : `\`-${spec.short}\`, `;
  const variables = spec.env.map((name) => `\`${name}${name.endsWith("_") ? "*" : ""}\``);
  const given = "default" in spec ? spec.default : undefined;
  return [
    `${short}\`--${spec.flag}${value}\``,
    variables.join(", "),
    given === undefined ? "" : `\`${String(given)}\``,
    spec.kind === "list" ? `${spec.description}; repeatable` : spec.description,
  ];
}

function escaped(cell: string): string {
  return cell.replaceAll("|", "\\|");
}
