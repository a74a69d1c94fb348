import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { withFileLock } from "./file-lock.js";

export type JsonObject = Record<string, unknown>;

/** `explicit`, WERF_DOCKER_CONFIG, DOCKER_CONFIG or `~/.docker`, in this order. */
export function dockerConfigDirectory(run: RunContext, explicit?: string): string {
  return namedDirectory(run, explicit) ?? join(run.home, ".docker");
}

/**
 * Where logins are looked for, in this order. A directory that was named is alone, so that nobody else's login is
 * taken by chance; only REGISTRY_AUTH_FILE, named as well, comes after it. Otherwise podman's files follow
 * (containers-auth.json(5)).
 */
export function configFiles(run: RunContext, explicit?: string): readonly string[] {
  const files = [join(dockerConfigDirectory(run, explicit), "config.json")];
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME } = run.env;
  if (REGISTRY_AUTH_FILE) files.push(resolve(run.cwd, REGISTRY_AUTH_FILE));
  if (namedDirectory(run, explicit) !== undefined) return files;
  if (XDG_RUNTIME_DIR) files.push(join(XDG_RUNTIME_DIR, "containers", "auth.json"));
  files.push(join(XDG_CONFIG_HOME || join(run.home, ".config"), "containers", "auth.json"));
  return files;
}

function namedDirectory(run: RunContext, explicit?: string): string | undefined {
  const named = explicit || run.env["WERF_DOCKER_CONFIG"] || run.env["DOCKER_CONFIG"];
  return named ? resolve(run.cwd, named) : undefined;
}

/** `undefined`: there is no such file. @throws WerfError `registry/docker-config-invalid` */
export async function readConfigFile(file: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw configInvalid(file, messageOf(cause), cause);
  }
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    // The parser's message quotes what it read, which may be a secret.
    throw configInvalid(file, "it is not JSON");
  }
  return objectOrEmpty(value, "the file", file);
}

/**
 * Changes the file as a whole: readers see the old one or the new one, changes of other processes are kept, and only
 * its owner may read it. A file behind a symbolic link is changed where it lies.
 * @throws WerfError `registry/docker-config-invalid`, `registry/docker-config-unwritable`
 */
export async function changeConfigFile(
  run: Pick<RunContext, "clock">,
  path: string,
  change: (config: JsonObject) => JsonObject | undefined,
): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await realpath(path).catch(() => path);
    await withFileLock(`${file}.werf-ts-lock`, run.clock, async () => {
      const changed = change((await readConfigFile(file)) ?? {});
      if (changed !== undefined) await replaceFile(file, `${JSON.stringify(changed, undefined, "\t")}\n`);
    });
  } catch (cause) {
    if (cause instanceof WerfError) throw cause;
    throw new WerfError(
      "registry/docker-config-unwritable",
      `${path} can't be written: ${messageOf(cause)}`,
      { hint: "name a directory that may be written to with --docker-config", cause },
    );
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.werf-ts-${randomUUID()}`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** @throws WerfError `registry/docker-config-invalid` */
export function objectOrEmpty(value: unknown, what: string, file: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as JsonObject;
  throw configInvalid(file, `${what} is not a JSON object`);
}

export function configInvalid(file: string, what: string, cause?: unknown): WerfError {
  return new WerfError("registry/docker-config-invalid", `${file} can't be used: ${what}`, {
    hint: "repair the file, or remove it and log in anew",
    cause,
  });
}
