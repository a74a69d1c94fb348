import { WerfError } from "../../core/errors.js";
import type { OptionSpec, OptionValue } from "./option.js";
import { type OptionName, optionTable } from "./table.js";

export type OptionValues<N extends OptionName> = { readonly [K in N]: OptionValue<(typeof optionTable)[K]> };

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Values of the named options: the flag beats the variable, the variable beats the default; an empty variable
 * counts as unset. Lists take the values of numbered variables first, then the flags'.
 * @throws WerfError `cli/option-invalid`
 */
export function resolveOptions<N extends OptionName>(
  names: readonly N[],
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
): OptionValues<N> {
  const entries = names.map((name) => [name, resolveOne(optionTable[name], flags[name], env)]);
  return Object.fromEntries(entries) as OptionValues<N>;
}

function resolveOne(spec: OptionSpec, flag: unknown, env: Environment): unknown {
  switch (spec.kind) {
    case "list":
      return list(spec.env, (flag as string[] | undefined) ?? [], env);
    case "boolean":
      return flag ?? booleanFromEnvironment(spec.env, env) ?? spec.default;
    case "integer": {
      const given =
        flag === undefined ? firstSet(spec.env, env) : { name: `--${spec.flag}`, text: String(flag) };
      return given === undefined ? spec.default : integer(given);
    }
    case "text":
      return (flag === undefined || flag === "" ? firstSet(spec.env, env)?.text : flag) ?? spec.default;
  }
}

function firstSet(names: readonly string[], env: Environment): { name: string; text: string } | undefined {
  for (const name of names) {
    const text = env[name];
    if (text !== undefined && text !== "") return { name, text };
  }
  return undefined;
}

/** werf's rule: 1, true, yes and 0, false, no; anything else is as if it were unset. */
function booleanFromEnvironment(names: readonly string[], env: Environment): boolean | undefined {
  return parseBoolean(firstSet(names, env)?.text);
}

export function parseBoolean(text: string | undefined): boolean | undefined {
  if (text === "1" || text === "true" || text === "yes") return true;
  if (text === "0" || text === "false" || text === "no") return false;
  return undefined;
}

function integer({ name, text }: { name: string; text: string }): number {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new WerfError("cli/option-invalid", `${name}: "${text}" is not a whole number`, { exitCode: 2 });
}

function list(names: readonly string[], flags: readonly string[], env: Environment): string[] {
  const isPrefix = (name: string): boolean => name.endsWith("_");
  const values = [...listFromEnvironment(names.filter(isPrefix), env), ...flags];
  if (values.length > 0) return values;
  const single = firstSet(
    names.filter((name) => !isPrefix(name)),
    env,
  );
  return single === undefined ? [] : [single.text];
}

/** Every variable with the prefix, sorted as `NAME=value`. */
function listFromEnvironment(prefixes: readonly string[], env: Environment): string[] {
  return Object.entries(env)
    .filter(
      ([name, value]) =>
        value !== undefined && value !== "" && prefixes.some((prefix) => name.startsWith(prefix)),
    )
    .map(([name, value]) => ({ sort: `${name}=${value}`, value: value as string }))
    .sort((a, b) => (a.sort < b.sort ? -1 : 1))
    .map(({ value }) => value);
}
