import { execFile } from "node:child_process";
import { readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { putBlob, putImage, putIndex } from "../../../test/contract/layout-content.js";
import { requirePeer } from "../../../test/support/registries.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { type TarItem, writeTar } from "../../archive/tar-writer.js";
import { copyImages } from "../copy/copy-images.js";
import { type Digest, digestOf, hexOf } from "../digest.js";
import { descriptorOf, type RawManifest } from "../manifest.js";
import { mediaTypes } from "../media-types.js";
import { openLayoutDirectory } from "./layout-directory.js";
import { openLayoutTar } from "./layout-tar.js";
import { createLayoutTar } from "./layout-tar-writer.js";

const exec = promisify(execFile);
const lacksZstd = requirePeer("zstd") === undefined;
let run: TestRun;
let file: string;
let staging: string;
beforeEach(async () => {
  run = await testRun();
  file = join(run.cwd, "app.tar");
  staging = `${file}.werf-ts-partial`;
});
afterEach(() => run.dispose());

const names = async (): Promise<string[]> =>
  (await readdir(run.cwd)).filter((name) => name !== "home").sort();
const staged = (digest: Digest): string => join(staging, "blobs", "sha256", hexOf(digest));

/** Two platforms under `v1`; the children in any order. */
async function fillArchive(isReversed = false): Promise<RawManifest> {
  const store = await createLayoutTar(run, "app.tar");
  const put: Record<string, RawManifest> = {};
  for (const name of isReversed ? ["arm64", "amd64"] : ["amd64", "arm64"])
    put[name] = await putImage(store, name);
  const index = await putIndex(
    store,
    [put["amd64"], put["arm64"]].flatMap((m) => m ?? []),
    "v1",
  );
  if (isReversed) await store.writeManifest(put["amd64"] ?? index);
  await store.close("done");
  return index;
}

describe("createLayoutTar", () => {
  it("writes the same bytes for the same images, on every machine", async () => {
    await fillArchive();
    const first = await readFile(file);
    await fillArchive(true);
    expect(digestOf(await readFile(file))).toBe(digestOf(first));
    expect(digestOf(first)).toMatchInlineSnapshot(
      `"sha256:1d9d5a7e76b4485405b50fd1c3a86ebdb0c0f96de6b4faeeed0c356f87cbaf0a"`,
    );
    expect(await names()).toEqual(["app.tar"]);
  });

  it("puts the small files first and the blobs in order", async () => {
    await fillArchive();
    const { stdout } = await exec("tar", ["-tf", file]);
    const paths = stdout.trimEnd().split("\n");
    expect(paths.slice(0, 4)).toEqual(["oci-layout", "index.json", "blobs/", "blobs/sha256/"]);
    expect(paths.slice(4)).toEqual(paths.slice(4).sort());
    expect(paths).toHaveLength(4 + 3 + 2 + 3);
  });

  it("keeps what came when it fails, says so, and goes on from there", async () => {
    await writeFile(file, "the file of before");
    const first = await createLayoutTar(run, "app.tar");
    const { digest } = await putBlob(first, "much to download", mediaTypes.ociLayer);
    await first.close("failed");
    expect(await readFile(file, "utf8")).toBe("the file of before");
    expect(run.events).toContainEqual(
      expect.objectContaining({ code: "note", message: expect.stringContaining(staging) }),
    );

    const second = await createLayoutTar(run, "app.tar");
    expect(await second.statBlob(digest)).toEqual({ kind: "present", size: 16 });
    const image = await putImage(second, "app", "v1");
    await second.close("done");
    expect(await names()).toEqual(["app.tar"]);
    const store = await openLayoutTar(run, file);
    expect(await store.statManifest("v1")).toMatchObject({ descriptor: { digest: image.digest } });
    // No manifest of this run needs it.
    expect(await store.statBlob(digest)).toEqual({ kind: "missing" });
    await store.close("done");
  });

  it("leaves nothing behind when it fails with nothing done", async () => {
    const store = await createLayoutTar(run, "app.tar");
    await store.close("failed");
    expect(await names()).toEqual([]);
  });

  it("asks again for a staged blob that was cut, and refuses one that was damaged", async () => {
    const first = await createLayoutTar(run, "app.tar");
    const [cut, damaged] = [digestOf("app"), digestOf("base layer")];
    await putImage(first, "app", "v1");
    await first.close("failed");
    await truncate(staged(cut), 1);
    await writeFile(staged(damaged), "evil layer");

    const second = await createLayoutTar(run, "app.tar");
    await putImage(second, "app", "v1");
    await expect(second.close("done")).rejects.toMatchObject({ code: "oci/digest-mismatch" });
    expect(await names()).toEqual(["app.tar.werf-ts-partial"]);

    const third = await createLayoutTar(run, "app.tar");
    expect(await third.statBlob(damaged)).toEqual({ kind: "missing" });
    await putImage(third, "app", "v1");
    await third.close("done");
    const store = await openLayoutTar(run, "app.tar");
    expect((await buffer(await store.readBlob({ digest: damaged }))).toString()).toBe("base layer");
    await store.close("done");
  });
});

describe("openLayoutTar", () => {
  it("reads what was written, and copies it on", async () => {
    const index = await fillArchive();
    const source = await openLayoutTar(run, "app.tar");
    expect([source.address, source.place]).toEqual(["archive:app.tar", file]);
    const destination = await openLayoutDirectory(run, "copy", "write");
    await copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }]);
    expect(await destination.statManifest("v1")).toEqual({
      kind: "present",
      descriptor: descriptorOf(index),
    });
    await expect(source.writeManifest(index)).rejects.toMatchObject({ code: "oci/layout-read-only" });
    await source.close("done");
  });

  it.for(["gzip", "zstd"])("reads an archive that was compressed with %s", async (compression, { skip }) => {
    skip(compression === "zstd" && lacksZstd, "the program zstd is not there");
    const index = await fillArchive();
    if (compression === "gzip") await writeFile(file, gzipSync(await readFile(file)));
    else await exec("zstd", ["-q", "--rm", "-f", file, "-o", `${file}.zst`]);
    const store = await openLayoutTar(run, compression === "gzip" ? file : `${file}.zst`);
    expect(await store.readManifest("v1")).toMatchObject({ manifest: { digest: index.digest } });
    expect((await buffer(await store.readBlob({ digest: digestOf("amd64") }))).toString()).toBe("amd64");
    await store.close("done");
  });

  it("reads what the system's tar made of a directory, and follows no link", async () => {
    const writer = await openLayoutDirectory(run, "layout", "write");
    await putImage(writer, "app", "v1");
    await writer.close("done");
    const linked = digestOf("a blob that is a link");
    await writeFile(join(run.cwd, "elsewhere"), "a blob that is a link");
    await symlink("../../../elsewhere", join(writer.place, "blobs", "sha256", hexOf(linked)));
    await exec("tar", ["-cf", file, "-C", writer.place, "."]);
    const store = await openLayoutTar(run, file);
    expect((await buffer(await store.readBlob({ digest: digestOf("app"), size: 3 }))).toString()).toBe("app");
    expect(await store.statBlob(linked)).toEqual({ kind: "missing" });
    await expect(store.readBlob({ digest: linked })).rejects.toMatchObject({ code: "oci/blob-missing" });
    await store.close("done");
  });

  it("serves many readers at once", async () => {
    const writer = await createLayoutTar(run, file);
    const layers = Array.from({ length: 30 }, (_, i) => `layer ${i} `.repeat(100_000));
    for (const [i, layer] of layers.entries()) await putImage(writer, `image ${i}`, `t${i}`, layer);
    await writer.close("done");
    const store = await openLayoutTar(run, file);
    const read = layers.map(async (layer) => buffer(await store.readBlob({ digest: digestOf(layer) })));
    expect((await Promise.all(read)).map(String)).toEqual(layers);
    await store.close("done");
  });

  it("refuses an archive that was cut, wherever", async () => {
    await fillArchive();
    const bytes = await readFile(file);
    for (let length = 600; length < bytes.length - 1024; length += 997) {
      await writeFile(file, bytes.subarray(0, length));
      await expect(openLayoutTar(run, file)).rejects.toMatchObject({
        code: "archive/truncated",
        message: expect.stringContaining(`archive:${file}`),
      });
    }
    await writeFile(file, gzipSync(bytes).subarray(0, -100));
    await expect(openLayoutTar(run, file)).rejects.toMatchObject({ code: "archive/truncated" });
  });

  it("refuses a blob whose bytes were changed, when it is read", async () => {
    await fillArchive();
    const bytes = await readFile(file);
    bytes.write("evil", bytes.indexOf("base layer"));
    await writeFile(file, bytes);
    const store = await openLayoutTar(run, file);
    const digest = digestOf("base layer");
    await expect(buffer(await store.readBlob({ digest }))).rejects.toMatchObject({
      code: "oci/digest-mismatch",
    });
    await store.close("failed");
  });

  async function writeItems(entries: Readonly<Record<string, string>>): Promise<void> {
    const items = Object.entries(entries).map(([name, text]): TarItem => {
      const content = Buffer.from(text);
      const facts = { mode: 0o644, uid: 0, gid: 0, mtime: 0, size: content.length };
      return { header: { name, type: "file", ...facts }, content: () => content };
    });
    await writeFile(file, await buffer(Readable.from(writeTar(items))));
  }
  const layout = {
    "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
    "index.json": '{"schemaVersion":2,"manifests":[]}',
  };

  it.each<[string, Record<string, string>, string]>([
    ["an entry that leads outside", { ...layout, "../../etc/cron.d/evil": "" }, "archive/path-outside"],
    ["an absolute entry", { ...layout, "/etc/passwd": "" }, "archive/path-outside"],
    ["no oci-layout", { "index.json": "{}" }, "oci/layout-invalid"],
    ["no index.json", { "oci-layout": layout["oci-layout"] }, "oci/layout-invalid"],
    ["an oci-layout of 1 MB", { ...layout, "oci-layout": " ".repeat(1_000_000) }, "oci/layout-invalid"],
  ])("refuses an archive with %s", async (_what, entries, code) => {
    await writeItems(entries);
    await expect(openLayoutTar(run, file)).rejects.toMatchObject({ code });
  });

  it("refuses what is no archive, and what isn't there", async () => {
    await expect(openLayoutTar(run, "absent.tar")).rejects.toMatchObject({ code: "oci/archive-missing" });
    await writeFile(file, "#!/bin/sh\n".repeat(100));
    await expect(openLayoutTar(run, file)).rejects.toMatchObject({ code: "archive/not-tar" });
    await writeFile(file, "");
    await expect(openLayoutTar(run, file)).rejects.toMatchObject({ code: "archive/not-tar" });
  });
});
