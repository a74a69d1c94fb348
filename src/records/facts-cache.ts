import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { RunContext } from "../core/run-context.js";
import { digestOf, hexOf, isDigest } from "../oci/digest.js";
import type { StageFacts } from "./stage-reader.js";

/**
 * What earlier runs learnt about the stages of one repository. A stage's tag is never given to other
 * content, so it serves as the key; still, what is to be deleted is asked for again just before.
 */
export interface FactsCache {
  get(tag: string): StageFacts | undefined;
  set(tag: string, facts: StageFacts): void;
  /** Writes down the entries whose tags still exist: the file never outgrows the repository. */
  save(existing: ReadonlySet<string>): Promise<void>;
}

const formatVersion = 1;
const maxEntries = 500_000;

/** Opens the cache of a repository; a file that is missing or damaged is an empty cache. */
export async function openFactsCache(
  run: Pick<RunContext, "werfHome">,
  address: string,
): Promise<FactsCache> {
  const file = join(run.werfHome, "facts", `${hexOf(digestOf(address))}.v${formatVersion}.jsonl`);
  const entries = await readEntries(file);
  let changed = false;
  return {
    get: (tag) => entries.get(tag),
    set(tag, facts) {
      entries.set(tag, facts);
      changed = true;
    },
    async save(existing) {
      for (const tag of entries.keys()) {
        if (!existing.has(tag)) changed = entries.delete(tag) || changed;
      }
      if (changed) await writeEntries(file, entries);
      changed = false;
    },
  };
}

async function readEntries(file: string): Promise<Map<string, StageFacts>> {
  const entries = new Map<string, StageFacts>();
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    return entries;
  }
  for (const line of text.split("\n")) {
    const entry = parseLine(line);
    if (entry !== undefined) entries.set(entry.tag, entry.facts);
  }
  return entries;
}

function parseLine(line: string): { tag: string; facts: StageFacts } | undefined {
  try {
    const { tag, facts } = JSON.parse(line) as { tag?: unknown; facts?: Partial<StageFacts> };
    if (typeof tag !== "string" || typeof facts?.digest !== "string") return undefined;
    return isDigest(facts.digest) && Array.isArray(facts.children)
      ? { tag, facts: facts as StageFacts }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Beside the file and then over it, so that two runs at once leave one whole file. */
async function writeEntries(file: string, entries: ReadonlyMap<string, StageFacts>): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const lines: string[] = [];
  for (const [tag, facts] of entries) {
    if (lines.length === maxEntries) break;
    lines.push(`${JSON.stringify({ tag, facts })}\n`);
  }
  await replaceFile(file, lines.join(""));
}

/** Writes a file whole or not at all. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: "wx" });
    const handle = await open(draft, "r");
    await handle.sync();
    await handle.close();
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
