import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Digest, digestOf, hexOf } from "../../oci/digest.js";
import { manifestFromJson, type RawManifest } from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import type { EmbeddedRepository } from "./repository.js";
import { openRegistryRoot, type RegistryRoot } from "./root.js";

let directory: string;
let root: RegistryRoot;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "werf-ts-root-"));
  root = openRegistryRoot(directory, { durable: false });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function put(repository: EmbeddedRepository, text: string): Promise<{ digest: Digest; size: number }> {
  const blob = { digest: digestOf(text), size: Buffer.byteLength(text) };
  await repository.writeBlob(blob, { open: () => Readable.from([Buffer.from(text)]) });
  return blob;
}

async function imageOf(repository: EmbeddedRepository, text: string): Promise<RawManifest> {
  const config = { mediaType: mediaTypes.ociConfig, ...(await put(repository, `{"x":"${text}"}`)) };
  const layer = { mediaType: mediaTypes.ociLayer, ...(await put(repository, text)) };
  return manifestFromJson({ schemaVersion: 2, config, layers: [layer] }, mediaTypes.ociManifest);
}

const later = (): Date => new Date(Date.now() + 60_000);
const contentPath = (digest: Digest): string =>
  join(directory, "blobs", "sha256", hexOf(digest).slice(0, 2), hexOf(digest));

describe("repositories of a root", () => {
  test("they are those that something was written to, below others as well", async () => {
    expect(await root.listRepositories()).toEqual([]);
    root.repository("never/written");
    expect(await readdir(directory)).toEqual([]);
    await put(root.repository("b/c/d"), "x");
    await put(root.repository("b"), "x");
    await put(root.repository("a"), "x");
    expect(await root.listRepositories()).toEqual(["a", "b", "b/c/d"]);
    expect(await root.repository("b/c").exists()).toBe(false);
    expect(await root.repository("b").exists()).toBe(true);
  });

  test.each(["..", "a/../../b", "/etc", "A", "a\u0000b", ""])("%j is refused", (name) => {
    expect(() => root.repository(name)).toThrow(
      expect.objectContaining({ code: "embedded-registry/name-invalid" }),
    );
  });

  test("no reference leaves the directory", async () => {
    const repository = root.repository("a");
    await expect(repository.statManifest("../../x")).rejects.toMatchObject({
      code: "embedded-registry/tag-invalid",
    });
    await expect(repository.deleteTag("../x")).rejects.toMatchObject({
      code: "embedded-registry/tag-invalid",
    });
    const digest = "sha256:../../../../etc/passwd" as Digest;
    await expect(async () => repository.statBlob(digest)).rejects.toMatchObject({
      code: "oci/digest-invalid",
    });
  });

  test("they share the bytes of a blob, and not the knowledge of it", async () => {
    const { digest } = await put(root.repository("a"), "shared");
    expect(await root.repository("b").statBlob(digest)).toEqual({ kind: "missing" });
    await put(root.repository("b"), "shared");
    expect((await stat(contentPath(digest))).nlink).toBe(3);
    await root.repository("a").blobs.remove(digest);
    expect(await root.repository("b").statBlob(digest)).toEqual({ kind: "present", size: 6 });
  });

  test("nothing is left in staging", async () => {
    const repository = root.repository("a");
    await repository.writeManifest(await imageOf(repository, "x"), "v1");
    await repository.writeManifest(await imageOf(repository, "y"), "v1");
    expect(await readdir(join(directory, "staging"))).toEqual([]);
  });

  test("a tag is one small file with the digest", async () => {
    const repository = root.repository("a");
    const image = await imageOf(repository, "x");
    await repository.writeManifest(image, "v1");
    expect(await readFile(join(directory, "repositories/a/_tags/v1"), "utf8")).toBe(image.digest);
  });
});

describe("damage", () => {
  test("a manifest whose file was damaged is an error, not an answer", async () => {
    const repository = root.repository("a");
    const image = await imageOf(repository, "x");
    await repository.writeManifest(image, "v1");
    const path = join(directory, "repositories/a/_manifests/sha256", hexOf(image.digest));
    await writeFile(path, `${image.mediaType}\n{}`);
    await utimes(path, 1, 1);
    await expect(repository.readManifest("v1")).rejects.toMatchObject({ code: "oci/digest-mismatch" });
    await repository.writeManifest(image, "v1");
    expect(await repository.readManifest("v1")).toMatchObject({ kind: "present" });
  });

  test("a blob that was cut off is written again, in its repository and in the shared content", async () => {
    const repository = root.repository("a");
    const blob = await put(repository, "0123456789");
    await writeFile(contentPath(blob.digest), "0123");
    expect(await repository.statBlob(blob.digest)).toEqual({ kind: "present", size: 4 });
    await put(repository, "0123456789");
    expect(await repository.statBlob(blob.digest)).toEqual({ kind: "present", size: 10 });
    expect(await readFile(contentPath(blob.digest), "utf8")).toBe("0123456789");
  });

  test("a tag whose manifest has gone is no tag", async () => {
    const repository = root.repository("a");
    const image = await imageOf(repository, "x");
    await repository.writeManifest(image, "v1");
    await rm(join(directory, "repositories/a/_manifests/sha256", hexOf(image.digest)));
    expect(await repository.statManifest("v1")).toEqual({ kind: "missing" });
  });
});

describe("pruning", () => {
  test("blobs that no manifest lists go, with their content; others stay", async () => {
    const [a, b] = [root.repository("a"), root.repository("b")];
    const image = await imageOf(a, "used");
    await a.writeManifest(image, "v1");
    const unused = await put(a, "unused");
    const usedElsewhere = await put(a, "layer of b");
    await b.writeManifest(await imageOf(b, "layer of b"));
    expect(await root.prune(later())).toEqual({ manifests: 0, blobs: 1, bytes: 6 });
    expect(await a.statBlob(unused.digest)).toEqual({ kind: "missing" });
    expect(await a.statBlob(usedElsewhere.digest)).toEqual({ kind: "missing" });
    expect(await b.statBlob(usedElsewhere.digest)).toMatchObject({ kind: "present" });
    expect(await a.statBlob(digestOf("used"))).toMatchObject({ kind: "present" });
    expect(await readdir(join(directory, "staging"))).toEqual([]);
  });

  test("after its manifest is deleted an image takes no room", async () => {
    const repository = root.repository("a");
    const image = await imageOf(repository, "x");
    await repository.writeManifest(image, "v1");
    expect(await root.prune(later())).toEqual({ manifests: 0, blobs: 0, bytes: 0 });
    await repository.deleteManifest(image.digest);
    expect(await root.prune(later())).toMatchObject({ blobs: 2 });
  });

  test("what came since stays, for a manifest that is still to come", async () => {
    const repository = root.repository("a");
    const image = await imageOf(repository, "x");
    expect(await root.prune(new Date(Date.now() - 60_000))).toEqual({ manifests: 0, blobs: 0, bytes: 0 });
    await repository.writeManifest(image, "v1");
  });

  test("beside a writer no manifest loses a blob", async () => {
    const repository = root.repository("a");
    let pruning = true;
    const pruner = (async () => {
      while (pruning) await root.prune(later());
    })();
    const written: string[] = [];
    try {
      for (let i = 0; i < 60; i++) {
        const text = `image ${i}`;
        const result = await imageOf(repository, text).then(async (image) =>
          repository.writeManifest(image, `v${i}`).then(
            () => "written",
            (e: unknown) => e,
          ),
        );
        if (result === "written") written.push(text);
        else expect(result).toMatchObject({ code: "embedded-registry/child-missing" });
      }
    } finally {
      pruning = false;
      await pruner;
    }
    expect(written.length).toBeGreaterThan(0);
    expect(await repository.listManifests()).toHaveLength(written.length);
    for (const text of written.flatMap((layer) => [layer, `{"x":"${layer}"}`])) {
      expect(await repository.statBlob(digestOf(text))).toMatchObject({ kind: "present" });
    }
  });
});

describe("unfinished files", () => {
  test("only those that nobody has written to lately are swept", async () => {
    await put(root.repository("a"), "x");
    const [old, young] = [join(directory, "staging", "old"), join(directory, "staging", "young")];
    for (const path of [old, young]) await writeFile(path, "half");
    await utimes(old, 1000, 1000);
    await root.sweepStaging(new Date(Date.now() - 3_600_000));
    expect(await readdir(join(directory, "staging"))).toEqual(["young"]);
  });
});
