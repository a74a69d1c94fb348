import { parseDurationNs } from "../../core/duration.js";
import { isWerfError } from "../../core/errors.js";
import type { HealthcheckFacts } from "./instruction.js";
import { type InstructionSource, jsonStrings } from "./instruction-source.js";
import { syntaxError } from "./syntax-error.js";

const durations = {
  interval: "intervalNs",
  timeout: "timeoutNs",
  "start-period": "startPeriodNs",
  "start-interval": "startIntervalNs",
} as const;
const nanosecondsPerMillisecond = 1_000_000;

/** https://docs.docker.com/reference/dockerfile/#healthcheck */
export function parseHealthcheck(source: InstructionSource): HealthcheckFacts {
  const { position, rest } = source;
  const [, word = "", after = ""] = /^(\S+)\s*(.*)$/s.exec(rest) ?? [];
  const kind = word.toUpperCase();
  if (kind === "NONE") {
    if (after !== "" || source.flags.length > 0)
      throw syntaxError(position, "HEALTHCHECK NONE takes no arguments");
    return { test: ["NONE"] };
  }
  if (kind !== "CMD")
    throw syntaxError(position, `HEALTHCHECK is followed by NONE or by CMD, not by "${word}"`);
  const argv = jsonStrings(source, after);
  if (after === "" || argv?.length === 0) throw syntaxError(position, "HEALTHCHECK CMD needs a command");
  return { ...parseFlags(source), test: argv === undefined ? ["CMD-SHELL", after] : ["CMD", ...argv] };
}

function parseFlags({ flags, position }: InstructionSource): Omit<HealthcheckFacts, "test"> {
  const facts: { -readonly [K in Exclude<keyof HealthcheckFacts, "test">]?: number } = {};
  for (const { key, value } of flags) {
    if (key in durations) {
      facts[durations[key as keyof typeof durations]] = duration(key, value, position);
    } else if (key === "retries") {
      if (!/^\d{1,9}$/.test(value)) throw syntaxError(position, `--retries=${value} is not a number`);
      facts.retries = Number(value);
    } else {
      throw syntaxError(
        position,
        `HEALTHCHECK has no flag --${key}; there are --${[...Object.keys(durations), "retries"].join(", --")}`,
      );
    }
  }
  return facts;
}

function duration(flag: string, value: string, position: InstructionSource["position"]): number {
  let nanoseconds: number;
  try {
    nanoseconds = Number(parseDurationNs(value));
  } catch (error) {
    if (isWerfError(error)) throw syntaxError(position, `--${flag}: ${error.message}`, error.hint);
    throw error;
  }
  if (nanoseconds !== 0 && nanoseconds < nanosecondsPerMillisecond)
    throw syntaxError(position, `--${flag}=${value} is less than 1ms`);
  return nanoseconds;
}
