import { isIP } from "node:net";
import { isAbsolute, resolve } from "node:path";
import { parseDurationMs } from "../../core/duration.js";
import { WerfError } from "../../core/errors.js";

function invalid(message: string, hint: string): WerfError {
  return new WerfError("cli/option-invalid", message, { hint, exitCode: 2 });
}

export function absolutePath(cwd: string, path: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path);
}

/** @throws WerfError `cli/option-invalid` */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw invalid(
      `--listen: "${text}" is not HOST:PORT`,
      "for example 127.0.0.1:5000, or 127.0.0.1:0 for a free port",
    );
  }
  return { host: match[1] ?? match[2] ?? "", port };
}

/** Whether only this machine reaches it; a name other than `localhost` may be anything. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || (isIP(host) === 4 && host.startsWith("127.")) || host === "::1";
}

const units: Readonly<Record<string, number>> = {
  "": 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/**
 * `1048576` or `1MiB`, in bytes.
 * @throws WerfError `cli/option-invalid`
 */
export function parseSize(flag: string, text: string): number {
  const match = /^(\d{1,15})(|[KMGT]iB)$/.exec(text);
  const bytes = Number(match?.[1]) * (units[match?.[2] ?? ""] ?? 0);
  if (match !== null && bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw invalid(
    `--${flag}: "${text}" is not a size`,
    "a number of bytes from 1, or one with KiB, MiB, GiB or TiB",
  );
}

const minimumAgeMs = 3_600_000;

/**
 * The age from which things may go, in milliseconds. An hour at least: a push may take as long from asking for a blob
 * to writing the manifest that lists it.
 * @throws WerfError `cli/option-invalid`
 */
export function parseOlderThan(text: string): number {
  let age: number;
  try {
    age = parseDurationMs(text);
  } catch {
    throw invalid(`--older-than: "${text}" is not a duration`, "for example 24h or 90m");
  }
  if (age >= minimumAgeMs) return age;
  throw invalid(
    `--older-than: ${text} is less than an hour`,
    "pushes that are under way need their blobs for as long",
  );
}
