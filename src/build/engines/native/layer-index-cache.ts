import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { RunContext } from "../../../core/run-context.js";
import type { Digest } from "../../../oci/digest.js";
import type { StoredLayer } from "./image-tree.js";
import { type IndexEntry, indexLayer } from "./layer-index.js";

/** Of the files' form: another number, and what is there is read anew. */
const version = 1;

/**
 * The indexes of base layers, kept under `$WERF_HOME/ts/layer-index`, so that a machine reads through a base
 * layer once and not in every build.
 */
export class LayerIndexes {
  static readonly #ofRun = new WeakMap<RunContext, LayerIndexes>();
  readonly #run: RunContext;
  readonly #known = new Map<Digest, Promise<readonly IndexEntry[]>>();

  private constructor(run: RunContext) {
    this.#run = run;
  }

  /** One for a run: images that are built at the same time have base layers in common. */
  static of(run: RunContext): LayerIndexes {
    const indexes = LayerIndexes.#ofRun.get(run) ?? new LayerIndexes(run);
    LayerIndexes.#ofRun.set(run, indexes);
    return indexes;
  }

  /** `task`: what the reading is part of, for those who watch. */
  of(layer: StoredLayer, task?: string): Promise<readonly IndexEntry[]> {
    const { digest } = layer.descriptor;
    const index = this.#known.get(digest) ?? this.#read(layer, task);
    this.#known.set(digest, index);
    // A build that is tried again reads again.
    index.catch(() => this.#known.delete(digest));
    return index;
  }

  async #read(layer: StoredLayer, parent: string | undefined): Promise<readonly IndexEntry[]> {
    const { digest } = layer.descriptor;
    const directory = join(this.#run.werfHome, "layer-index");
    const path = join(directory, `${digest.replace(":", "-")}.v${version}.json.gz`);
    const kept = await this.#kept(path);
    if (kept !== undefined) return kept;
    const entries = await this.#readThrough(layer, parent);
    await this.#keep(directory, path, entries);
    return entries;
  }

  async #readThrough(layer: StoredLayer, parent: string | undefined): Promise<readonly IndexEntry[]> {
    const { digest, size } = layer.descriptor;
    const task = randomUUID();
    const title = `reading base layer ${digest.slice(0, 19)} of ${layer.store.address}`;
    const nested = parent === undefined ? {} : { parent };
    this.#run.emit({ code: "task/started", task, title, totalBytes: size, ...nested });
    try {
      const entries = await indexLayer(layer, (bytes) =>
        this.#run.emit({ code: "task/progress", task, bytes }),
      );
      this.#run.emit({ code: "task/ended", task, result: "done" });
      return entries;
    } catch (error) {
      this.#run.emit({ code: "task/ended", task, result: "failed" });
      throw error;
    }
  }

  /** A file that can't be read counts as none. */
  async #kept(path: string): Promise<readonly IndexEntry[] | undefined> {
    try {
      const json = await promisify(gunzip)(await readFile(path));
      return JSON.parse(json.toString("utf8")) as readonly IndexEntry[];
    } catch {
      return undefined;
    }
  }

  /** A cache that can't be written (a full disk, a read-only home) is no reason to fail. */
  async #keep(directory: string, path: string, entries: readonly IndexEntry[]): Promise<void> {
    const temporary = `${path}.${randomUUID()}`;
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      await writeFile(temporary, await promisify(gzip)(JSON.stringify(entries)), { mode: 0o600 });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      this.#run.emit({
        code: "note",
        level: "debug",
        message: `the layer index ${path} was not kept: ${String(error)}`,
      });
    }
  }
}
