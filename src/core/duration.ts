import { WerfError } from "./errors.js";

const nanosecondsPer: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n, // micro sign
  "\u03bcs": 1_000n, // Greek letter mu
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const maxNanoseconds = 2n ** 63n - 1n;
const part = /(?:(\d+)(?:\.(\d*))?|\.(\d+))(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;

/**
 * Nanoseconds of a duration as Go writes it: `168h`, `1h30m`, `1.5s`, `-1h`, `0`. There is no day or week.
 * Parts of a nanosecond are dropped, as Go does.
 * @see https://pkg.go.dev/time#ParseDuration
 * @throws WerfError `core/duration-invalid`
 */
export function parseDurationNs(text: string): bigint {
  const negative = text.startsWith("-");
  const body = negative || text.startsWith("+") ? text.slice(1) : text;
  if (body === "0") return 0n;
  let sum = 0n;
  let at = 0;
  while (at < body.length) {
    part.lastIndex = at;
    const match = part.exec(body);
    if (match === null) throw invalid(text, body);
    const [whole, integer = "0", fraction = match[3] ?? "", , unit = ""] = match;
    const scale = nanosecondsPer[unit] ?? 0n;
    sum += BigInt(integer) * scale + (BigInt(`0${fraction}`) * scale) / 10n ** BigInt(fraction.length);
    at += whole.length;
  }
  if (body === "" || sum > maxNanoseconds) throw invalid(text, body);
  return negative ? -sum : sum;
}

/** The same in milliseconds; shorter than one it is a fraction. @throws WerfError `core/duration-invalid` */
export function parseDurationMs(text: string): number {
  return Number(parseDurationNs(text)) / 1e6;
}

/** Milliseconds as Go prints a duration, without units that are zero: `168h`, `1h30m`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  const sign = milliseconds < 0 ? "-" : "";
  const left = Math.abs(milliseconds);
  if (left < 1000) return `${sign}${trim(left)}ms`;
  const hours = Math.floor(left / 3_600_000);
  const minutes = Math.floor((left % 3_600_000) / 60_000);
  const seconds = (left % 60_000) / 1000;
  return [
    sign,
    hours > 0 ? `${hours}h` : "",
    minutes > 0 ? `${minutes}m` : "",
    seconds > 0 ? `${trim(seconds)}s` : "",
  ].join("");
}

function trim(value: number): string {
  return String(Number(value.toFixed(6)));
}

function invalid(text: string, body: string): WerfError {
  const days = /^(\d+)([dw])$/.exec(body);
  const hours = days === null ? 168 : Number(days[1]) * (days[2] === "d" ? 24 : 168);
  return new WerfError("core/duration-invalid", `"${text.slice(0, 80)}" is not a duration`, {
    hint:
      days === null
        ? "write numbers with the units h, m, s, ms, us, ns: 168h, 1h30m, 1.5s"
        : `there is no unit for days or weeks: write ${hours}h`,
  });
}
