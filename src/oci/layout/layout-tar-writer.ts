import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type TarHeader, type TarItem, writeTar } from "../../archive/tar-writer.js";
import { isWerfError, messageOf, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { type Digest, VerifyStream } from "../digest.js";
import { BlobDirectory } from "./blob-directory.js";
import { blobPath } from "./blob-space.js";
import { layoutFileBytes, layoutFileName } from "./layout-file.js";
import { indexFileName, LayoutIndex } from "./layout-index.js";
import type { LayoutStore } from "./layout-store.js";
import type { ManifestGraph } from "./manifest-graph.js";
import { WritableLayoutStore } from "./writable-layout-store.js";

const stagingSuffix = ".werf-ts-partial";

/**
 * Makes an OCI image layout in an uncompressed tar file, `archive:FILE`; the same images give the same bytes. Blobs
 * are kept in `FILE.werf-ts-partial/` until `close("done")` writes the file, which replaces one that is there.
 * After `close("failed")`, or when the process was killed, the next run finds the blobs again.
 * @throws WerfError `oci/archive-place`
 */
export async function createLayoutTar(run: RunContext, file: string): Promise<LayoutStore> {
  const place = resolve(run.cwd, file);
  const address = `archive:${file}`;
  const staging = `${place}${stagingSuffix}`;
  await makeStaging(staging, place, address);
  const blobs = new BlobDirectory(staging, address);
  const current = LayoutIndex.empty();

  async function finish(outcome: "done" | "failed", graph: () => Promise<ManifestGraph>): Promise<void> {
    await blobs.removePartials(run.clock.now());
    if (outcome === "done") {
      await writeArchive(run, place, itemsOf(current, blobs, await contentOf(await graph(), blobs), address));
      await rm(staging, { recursive: true, force: true });
      return;
    }
    if ((await blobs.list()).length === 0) {
      await rm(staging, { recursive: true, force: true });
      return;
    }
    const message = `${address} was not written; what came so far stays in ${staging}: run the command again to go on from there, or remove it`;
    run.emit({ code: "note", level: "info", message });
  }

  return new WritableLayoutStore({
    address,
    place,
    blobs,
    finish,
    index: {
      current,
      change: (change) => change(current),
      flush: () => Promise.resolve(),
    },
  });
}

async function makeStaging(staging: string, place: string, address: string): Promise<void> {
  const hint = "name a file in a directory that you may write to: archive:FILE";
  const there = await stat(place).catch(() => undefined);
  if (there?.isDirectory() === true)
    throw new WerfError("oci/archive-place", `${address} is a directory`, { hint });
  try {
    await mkdir(staging, { recursive: true });
  } catch (cause) {
    throw new WerfError("oci/archive-place", `${address} can't be written: ${messageOf(cause)}`, {
      hint,
      cause,
    });
  }
}

/** What belongs into the archive. The staging directory may hold more, of a run before that wanted other images. */
async function contentOf(graph: ManifestGraph, blobs: BlobDirectory): Promise<readonly Digest[]> {
  const staged = await blobs.list();
  const known = [...graph.all()];
  // What we can't look into may need any of them.
  if (known.some((manifest) => !manifest.isUnderstood)) return staged;
  const wanted = new Set(known.flatMap((manifest) => [manifest.descriptor.digest, ...manifest.blobs]));
  return staged.filter((digest) => wanted.has(digest));
}

/** The files in the order in which a reader wants them. */
async function* itemsOf(
  index: LayoutIndex,
  blobs: BlobDirectory,
  digests: readonly Digest[],
  address: string,
): AsyncGenerator<TarItem, void, undefined> {
  yield fileItem(layoutFileName, layoutFileBytes);
  yield fileItem(indexFileName, index.toBytes());
  const directories = new Set(["blobs/", "blobs/sha256/", ...digests.map((d) => `${dirname(blobPath(d))}/`)]);
  for (const name of directories) {
    yield { header: { ...common, name, type: "directory", mode: 0o755, size: 0 } };
  }
  for (const digest of digests) {
    const size = (await blobs.sizeOf(digest)) ?? 0;
    yield {
      header: { ...common, name: blobPath(digest), type: "file", mode: 0o644, size },
      content: () => Readable.from(verified(blobs, { digest, size }, address), { objectMode: false }),
    };
  }
}

async function* verified(
  blobs: BlobDirectory,
  blob: { readonly digest: Digest; readonly size: number },
  address: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const content = new VerifyStream(blob, address);
  pipeline(blobs.read(blob.digest), content).catch(() => undefined);
  try {
    for await (const chunk of content) yield chunk as Uint8Array;
  } catch (error) {
    // Damaged in the staging directory: the next run must not find it there.
    if (isWerfError(error) && error.code === "oci/digest-mismatch") await blobs.remove(blob.digest);
    throw error;
  }
}

const common: Pick<TarHeader, "uid" | "gid" | "mtime"> = { uid: 0, gid: 0, mtime: 0 };

function fileItem(name: string, bytes: Uint8Array): TarItem {
  return { header: { ...common, name, type: "file", mode: 0o644, size: bytes.length }, content: () => bytes };
}

/** Readers see the old file or the new one, whole. */
async function writeArchive(run: RunContext, place: string, items: AsyncIterable<TarItem>): Promise<void> {
  const partial = `${place}.tmp`;
  try {
    await pipeline(writeTar(items), createWriteStream(partial, { flush: true, highWaterMark: 1024 * 1024 }), {
      signal: run.signal,
    });
    await rename(partial, place);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
