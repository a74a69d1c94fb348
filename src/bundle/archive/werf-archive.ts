import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decompress } from "../../archive/compression.js";
import { readTar } from "../../archive/tar-reader.js";
import { isWerfError, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { BlobDirectory } from "../../oci/layout/blob-directory.js";
import { openLayoutDirectory } from "../../oci/layout/layout-directory.js";
import { indexFileName, LayoutIndex } from "../../oci/layout/layout-index.js";
import { LayoutStore } from "../../oci/layout/layout-store.js";
import type { Store } from "../../oci/store.js";
import { chartArtifact, writeArtifactBlobs } from "../bundle-manifest.js";
import { maxChartBytes, unpackChart } from "../chart/chart.js";
import { ChartYaml } from "../chart/chart-yaml.js";
import { readDockerSave } from "./docker-save.js";
import { chartEntry, imageEntry } from "./werf-archive-names.js";

export interface ImportedArchive {
  readonly store: Store;
  readonly bundleTag: string;
}

const maxImages = 10_000;

/**
 * Reads an archive that `werf bundle copy` (Go) wrote: gzip over a tar with `chart.tar.gz` and
 * `images/TAG.tar.gz`, each of these gzip over the output of `docker save`. It is taken apart once, in one pass,
 * into a temporary layout; layers that images share are kept once.
 * @throws WerfError `bundle/archive-invalid`
 */
export async function importWerfArchive(
  run: RunContext,
  path: string,
  address: string,
): Promise<ImportedArchive> {
  const directory = await run.tmp();
  const target = await openLayoutDirectory(run, directory, "write");
  try {
    const bundleTag = await importEntries(run, path, address, directory, target);
    await target.close("done");
    const index = LayoutIndex.parse(await readFile(join(directory, indexFileName)), address);
    const blobs = new BlobDirectory(directory, address);
    return {
      store: new LayoutStore({ address, place: directory, blobs, index: { current: index } }),
      bundleTag,
    };
  } catch (error) {
    await target.close("failed");
    throw invalid(address, error);
  }
}

async function importEntries(
  run: RunContext,
  path: string,
  address: string,
  directory: string,
  target: Store,
): Promise<string> {
  const tags = new Set<string>();
  let chart: Uint8Array | undefined;
  for await (const { header, content } of readTar(decompress(createReadStream(path)))) {
    run.signal.throwIfAborted();
    const name = header.name.replace(/^\.\//, "");
    const tag = imageEntry(name);
    if (header.type !== "file") continue;
    if (name === chartEntry) {
      if (header.size > maxChartBytes) throw new Error(`${chartEntry} has ${header.size} bytes`);
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      chart = Buffer.concat(chunks);
    } else if (tag !== undefined) {
      if (tags.size >= maxImages) throw new Error(`it has more than ${maxImages} images`);
      tags.add(tag);
      await target.writeManifest(await readDockerSave(content, `${address}: ${name}`, directory), tag);
    }
  }
  if (chart === undefined) throw new Error(`it has no ${chartEntry}`);
  const bundleTag = freeTag(tags);
  await importChart(chart, address, target, bundleTag);
  return bundleTag;
}

/** The chart's bytes stay; a manifest is put around them. */
async function importChart(archive: Uint8Array, address: string, target: Store, tag: string): Promise<void> {
  const chart = await unpackChart(chunksOf(archive), address);
  const metadata = new ChartYaml(chart.files.get("Chart.yaml"), `Chart.yaml of ${address}`).metadata();
  const artifact = chartArtifact({ metadata, archive, created: new Date(chart.mtime * 1000) });
  await writeArtifactBlobs(target, artifact);
  await target.writeManifest(artifact.manifest, tag);
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/** The archive doesn't say which tag the bundle had; any that no image has will do. */
function freeTag(taken: ReadonlySet<string>): string {
  let tag = "bundle";
  while (taken.has(tag)) tag += "-";
  return tag;
}

function invalid(address: string, cause: unknown): unknown {
  if (cause instanceof Error && cause.name === "AbortError") return cause;
  const isOwn = isWerfError(cause) && cause.message.includes(address);
  if (isOwn) return cause;
  return new WerfError("bundle/archive-invalid", `${address} can't be read: ${(cause as Error).message}`, {
    hint: "the file is damaged or not complete: write it again with `werf bundle copy`",
    cause,
  });
}
