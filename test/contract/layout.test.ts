import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { copyImages } from "../../src/oci/copy/copy-images.js";
import { digestOf } from "../../src/oci/digest.js";
import { openLayoutDirectory } from "../../src/oci/layout/layout-directory.js";
import { openLayoutTar } from "../../src/oci/layout/layout-tar.js";
import { createLayoutTar } from "../../src/oci/layout/layout-tar-writer.js";
import { requirePeer } from "../support/registries.js";
import { type TestRun, testRun } from "../support/run-context.js";
import { bytesOf } from "./content.js";
import { putImage, putIndex } from "./layout-content.js";
import { storeContract } from "./store-contract.js";

const lacks = { mount: "a layout has no other repository to take a blob from" };

storeContract("layout in a directory", async () => {
  const run = await testRun();
  const store = await openLayoutDirectory(run, "layout", "write");
  return { store, capabilities: { lacks }, dispose: () => run.dispose() };
});

storeContract("layout for a tar file", async () => {
  const run = await testRun();
  const store = await createLayoutTar(run, join(run.cwd, "layout.tar"));
  return { store, capabilities: { lacks }, dispose: () => run.dispose() };
});

const skopeo = requirePeer("skopeo") ?? "";

describe.skipIf(skopeo === "")("skopeo and layouts", () => {
  let run: TestRun;
  beforeEach(async () => {
    run = await testRun();
  });
  afterEach(() => run.dispose());

  async function call(...args: string[]): Promise<Buffer> {
    const { exitCode, stdout, stderr } = await run.exec(skopeo, ["--insecure-policy", ...args]);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    return Buffer.from(stdout);
  }

  test("it reads an archive that we wrote", async () => {
    const store = await createLayoutTar(run, "app.tar");
    const image = await putImage(store, "app", "v1");
    const index = await putIndex(store, [image], "multi");
    await store.close("done");
    const source = `oci-archive:${store.place}`;
    expect((await call("inspect", "--raw", `${source}:v1`)).equals(image.bytes)).toBe(true);
    expect((await call("inspect", "--raw", `${source}:multi`)).equals(index.bytes)).toBe(true);
    await call(
      "copy",
      "-q",
      "--preserve-digests",
      "--all",
      `${source}:multi`,
      `oci:${join(run.cwd, "copy")}:multi`,
    );
    const copy = await openLayoutDirectory(run, "copy", "read");
    expect(await copy.statManifest("multi")).toMatchObject({ descriptor: { digest: index.digest } });
    expect(await copy.statManifest(image.digest)).toMatchObject({ kind: "present" });
    expect(Buffer.from(await bytesOf(copy, { digest: digestOf("base layer") })).toString()).toBe(
      "base layer",
    );
  });

  test("we read an archive that it wrote, and it a directory that we wrote", async () => {
    const store = await openLayoutDirectory(run, "layout", "write");
    const image = await putImage(store, "app", "v1");
    await store.close("done");
    const archive = join(run.cwd, "skopeo.tar");
    await call(
      "copy",
      "-q",
      "--preserve-digests",
      `oci:${store.place}:v1`,
      `oci-archive:${archive}:name/with:colon`,
    );
    const source = await openLayoutTar(run, archive);
    const tags: string[] = [];
    for await (const tag of source.listTags()) tags.push(tag);
    expect(tags).toEqual(["name/with:colon"]);
    const destination = await createLayoutTar(run, "again.tar");
    const reference = "name/with:colon";
    await copyImages(run, [{ source, reference, destination, tags: ["v2"] }]);
    await Promise.all([source.close("done"), destination.close("done")]);
    expect((await call("inspect", "--raw", `oci-archive:${destination.place}:v2`)).equals(image.bytes)).toBe(
      true,
    );
  });
});
