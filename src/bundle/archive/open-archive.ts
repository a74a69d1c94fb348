import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import { decompress } from "../../archive/compression.js";
import { readTar } from "../../archive/tar-reader.js";
import { messageOf, WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { openLayoutTar } from "../../oci/layout/layout-tar.js";
import { parseManifest } from "../../oci/manifest.js";
import type { Store } from "../../oci/store.js";
import { isBundleManifest } from "../bundle.js";
import { importWerfArchive } from "./werf-archive.js";
import { chartEntry, imageEntry } from "./werf-archive-names.js";

/** An archive with one bundle in it, opened to copy from. */
export interface BundleArchive {
  readonly store: Store;
  /** The bundle's tag in the archive, or its digest. */
  readonly reference: string;
  /** How its images are to be found: archives of werf have lost the digests. */
  readonly imagesBy: "digest" | "tag";
}

/**
 * Opens `archive:FILE`: an OCI image layout in a tar file, or an archive of werf, which is told by its entries.
 * @throws WerfError `bundle/archive-missing`, `bundle/archive-unknown`, `bundle/archive-invalid`, and what the
 *   reader of the layout throws
 */
export async function openBundleArchive(run: RunContext, file: string): Promise<BundleArchive> {
  const path = resolve(run.cwd, file);
  if ((await formOf(path, file)) === "werf") {
    const { store, bundleTag } = await importWerfArchive(run, path, `archive:${file}`);
    return { store, reference: bundleTag, imagesBy: "tag" };
  }
  const store = await openLayoutTar(run, file);
  try {
    return { store, reference: await findBundle(store), imagesBy: "digest" };
  } catch (error) {
    await store.close("failed");
    throw error;
  }
}

/** The first entries tell; blobs may come before everything else. */
async function formOf(path: string, file: string): Promise<"oci" | "werf"> {
  await checkReadable(path, file);
  const stream = createReadStream(path);
  try {
    for await (const { header } of readTar(decompress(stream))) {
      const name = header.name.replace(/^\.\//, "");
      if (name === chartEntry || name === "images/" || imageEntry(name) !== undefined) return "werf";
      if (name === "oci-layout" || name === "index.json" || name.startsWith("blobs/")) return "oci";
    }
  } catch (cause) {
    throw new WerfError("bundle/archive-unknown", `archive:${file} can't be read: ${messageOf(cause)}`, {
      hint: "an archive is what `werf bundle copy --to archive:FILE` writes",
      cause,
    });
  } finally {
    stream.destroy();
  }
  throw new WerfError(
    "bundle/archive-unknown",
    `archive:${file} is neither an OCI image layout nor an archive of werf`,
    { hint: "an archive is what `werf bundle copy --to archive:FILE` writes" },
  );
}

async function checkReadable(path: string, file: string): Promise<void> {
  try {
    await (await open(path)).close();
  } catch (cause) {
    throw new WerfError("bundle/archive-missing", `archive:${file} can't be opened: ${messageOf(cause)}`, {
      hint: "check the path; it starts from the current directory",
      cause,
    });
  }
}

/**
 * The one bundle among the tags of a store.
 * @throws WerfError `bundle/missing` when there is none, `bundle/ambiguous` when there are several
 */
async function findBundle(store: Store): Promise<string> {
  const found: string[] = [];
  for await (const tag of store.listTags()) {
    const read = await store.readManifest(tag);
    const isBundle =
      read.kind === "present" && isBundleManifest(parseManifest(read.manifest, `${store.address}:${tag}`));
    if (isBundle) found.push(tag);
  }
  const [tag, ...others] = found;
  if (tag === undefined) {
    throw new WerfError("bundle/missing", `${store.address} has no bundle in it`, {
      hint: "it may be an archive of images only; write one with `werf bundle copy --to archive:FILE`",
    });
  }
  if (others.length > 0) {
    throw new WerfError(
      "bundle/ambiguous",
      `${store.address} has several bundles: ${found.sort().join(", ")}`,
      {
        hint: "make an archive with one of them",
      },
    );
  }
  return tag;
}
