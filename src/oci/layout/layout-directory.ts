import { mkdir, open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { WerfError } from "../../core/errors.js";
import type { RunContext } from "../../core/run-context.js";
import { BlobDirectory, partialMark } from "./blob-directory.js";
import { IndexFile, replaceFile } from "./index-file.js";
import {
  checkLayoutFile,
  layoutFileBytes,
  layoutFileName,
  maxLayoutFileBytes,
  notALayout,
} from "./layout-file.js";
import { indexFileName, LayoutIndex, maxIndexBytes } from "./layout-index.js";
import { LayoutStore } from "./layout-store.js";
import { WritableLayoutStore } from "./writable-layout-store.js";

/**
 * Opens an OCI image layout in a directory, `oci:DIR`. To write, the directory is made when it isn't there, and must
 * be a layout or empty.
 * @throws WerfError `oci/layout-invalid`, `oci/manifest-invalid`, `oci/layout-not-empty`
 */
export async function openLayoutDirectory(
  run: RunContext,
  path: string,
  mode: "read" | "write",
): Promise<LayoutStore> {
  const place = resolve(run.cwd, path);
  const address = `oci:${path}`;
  const blobs = new BlobDirectory(place, address);
  if (mode === "read") {
    checkLayoutFile(await readPart(place, layoutFileName, maxLayoutFileBytes, address), address);
    const bytes = await readPart(place, indexFileName, maxIndexBytes, address);
    const current = LayoutIndex.parse(bytes, `${address}: ${indexFileName}`);
    return new LayoutStore({ address, place, blobs, index: { current } });
  }
  await makeLayout(place, address);
  return new WritableLayoutStore({
    address,
    place,
    blobs,
    index: await IndexFile.open(join(place, indexFileName), `${address}: ${indexFileName}`, run.clock),
    finish: () => blobs.removePartials(run.clock.now()),
  });
}

async function makeLayout(place: string, address: string): Promise<void> {
  await mkdir(place, { recursive: true });
  const names = await readdir(place);
  if (names.includes(layoutFileName)) {
    checkLayoutFile(await readPart(place, layoutFileName, maxLayoutFileBytes, address), address);
  } else if (names.some((name) => !name.includes(partialMark))) {
    throw new WerfError("oci/layout-not-empty", `${address} is neither an OCI image layout nor empty`, {
      hint: "name another directory, or empty this one",
    });
  }
  await mkdir(join(place, "blobs", "sha256"), { recursive: true });
  if (!names.includes(indexFileName)) {
    await replaceFile(join(place, indexFileName), LayoutIndex.empty().toBytes());
  }
  if (!names.includes(layoutFileName)) await replaceFile(join(place, layoutFileName), layoutFileBytes);
}

async function readPart(place: string, name: string, limit: number, address: string): Promise<Uint8Array> {
  const file = await open(join(place, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") throw notALayout(address, name);
    throw error;
  });
  try {
    const { size } = await file.stat();
    if (size > limit) {
      throw new WerfError(
        "oci/layout-invalid",
        `${address}: ${name} has ${size} bytes; at most ${limit} are read`,
      );
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}
