import { expect, test } from "vitest";
import { parseJsonObject, type RawManifest, rawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import type { Store } from "../../src/oci/store.js";
import { collect, jsonManifest, newImage, newIndex, randomBlob, sortedTags } from "./content.js";
import { type Fixture, testAbility } from "./store-under-test.js";

/** Manifests by tag and by digest. */
export function manifestTests(fixture: Fixture): void {
  const expectBytes = async (store: Store, reference: string, manifest: RawManifest): Promise<void> => {
    const found = await store.readManifest(reference);
    if (found.kind === "missing") throw new Error(`${reference} is missing`);
    expect(Buffer.from(found.manifest.bytes).toString()).toBe(Buffer.from(manifest.bytes).toString());
    expect(found.manifest).toMatchObject({ digest: manifest.digest, mediaType: manifest.mediaType });
  };

  test("a manifest is read by tag and by digest", async () => {
    const { store } = fixture();
    const image = await newImage(store);
    await store.writeManifest(image, "v1");
    await expectBytes(store, "v1", image);
    await expectBytes(store, image.digest, image);
    for (const reference of ["v1", image.digest]) {
      expect(await store.statManifest(reference)).toEqual({
        kind: "present",
        descriptor: { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length },
      });
    }
  });

  test("its bytes stay as they are: white space, order, fields that nobody knows", async () => {
    const { store } = fixture();
    const json = parseJsonObject((await newImage(store)).bytes, "the image");
    const odd = ` \n${JSON.stringify({ "x-unknown": [1.0, "ü\u0000"], ...json }, undefined, "\t")}\r\n \n`;
    const manifest = rawManifest(Buffer.from(odd), mediaTypes.ociManifest);
    await store.writeManifest(manifest, "odd");
    await expectBytes(store, "odd", manifest);
  });

  test("Docker's media types are kept", async () => {
    const { store } = fixture();
    const json = parseJsonObject((await newImage(store)).bytes, "the image");
    const image = jsonManifest(mediaTypes.dockerManifest, { ...json, mediaType: mediaTypes.dockerManifest });
    await store.writeManifest(image, "docker");
    await expectBytes(store, "docker", image);
  });

  test("an index comes after its children", async () => {
    const { store } = fixture();
    const children = [await newImage(store), await newImage(store)];
    for (const child of children) await store.writeManifest(child);
    const index = newIndex(children);
    await store.writeManifest(index, "multi");
    await expectBytes(store, "multi", index);
    expect(await sortedTags(store)).toEqual(["multi"]);
  });

  testAbility("checks-children", "an index whose child is missing is refused", fixture, async ({ store }) => {
    const index = newIndex([await newImage(store)]);
    await expect(store.writeManifest(index, "broken")).rejects.toThrow();
    expect(await store.statManifest("broken")).toEqual({ kind: "missing" });
  });

  testAbility("checks-children", "so is an image whose layer is missing", fixture, async ({ store }) => {
    const json = parseJsonObject((await newImage(store)).bytes, "the image");
    const absent = randomBlob();
    const layer = { mediaType: mediaTypes.ociLayerGzip, digest: absent.digest, size: absent.size };
    const image = jsonManifest(mediaTypes.ociManifest, { ...json, layers: [layer] });
    await expect(store.writeManifest(image)).rejects.toThrow();
    expect(await store.statManifest(image.digest)).toEqual({ kind: "missing" });
  });

  test("what isn't there is missing", async () => {
    const { store } = fixture();
    for (const reference of ["absent", randomBlob().digest]) {
      expect(await store.statManifest(reference)).toEqual({ kind: "missing" });
      expect(await store.readManifest(reference)).toEqual({ kind: "missing" });
    }
    await store.writeManifest(await newImage(store), "present");
    expect(await store.readManifest("absent")).toEqual({ kind: "missing" });
  });

  test("a manifest may be written again, under more tags", async () => {
    const { store } = fixture();
    const image = await newImage(store);
    await store.writeManifest(image);
    await store.writeManifest(image, "a");
    await store.writeManifest(image, "b");
    await expectBytes(store, "a", image);
    expect(await sortedTags(store)).toEqual(["a", "b"]);
  });
}

export function tagTests(fixture: Fixture): void {
  test("a tag moves, and what it pointed to stays", async () => {
    const { store } = fixture();
    const [old, young] = [await newImage(store), await newImage(store)];
    await store.writeManifest(old, "latest");
    await store.writeManifest(young, "latest");
    expect(await store.statManifest("latest")).toMatchObject({ descriptor: { digest: young.digest } });
    expect(await store.statManifest(old.digest)).toMatchObject({ kind: "present" });
    expect(await sortedTags(store)).toEqual(["latest"]);
  });

  test("a store that was never written to has no tags", async () => {
    expect(await sortedTags(fixture().store)).toEqual([]);
  });

  test("tags of every form are kept apart, also those that differ by case", async () => {
    const { store } = fixture();
    const tags = ["v1.0", "V1.0", "_x", "a-b.c_d", "0", `${"Ab".repeat(64)}`];
    for (const tag of tags) await store.writeManifest(await newImage(store), tag);
    expect(await sortedTags(store)).toEqual(tags.toSorted());
    const digests = new Set<string>();
    for (const tag of tags) {
      const found = await store.statManifest(tag);
      if (found.kind === "present") digests.add(found.descriptor.digest);
    }
    expect(digests.size).toBe(tags.length);
  });

  testAbility("many-tags", "all tags are listed, each once", fixture, async ({ store, capabilities }) => {
    const image = await newImage(store);
    const tags = Array.from({ length: capabilities?.manyTags ?? 250 }, (_, i) => `build-${i}`);
    for (const tag of tags) await store.writeManifest(image, tag);
    expect(await sortedTags(store)).toEqual(tags.sort());
  });
}

export function referrerTests(fixture: Fixture): void {
  testAbility("referrers", "a manifest is found by its subject", fixture, async ({ store }) => {
    const image = await newImage(store);
    const subject = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };
    const first = await newImage(store, {
      subject,
      artifactType: "application/vnd.test.signature",
      annotations: { by: "me" },
    });
    // A subject may come after what refers to it.
    await store.writeManifest(first);
    await store.writeManifest(image, "v1");
    const second = await newImage(store, { subject });
    await store.writeManifest(second);
    const found = await collect(store.listReferrers(image.digest));
    expect(found.map((descriptor) => descriptor.digest).sort()).toEqual([first.digest, second.digest].sort());
    expect(found.find((descriptor) => descriptor.digest === first.digest)).toMatchObject({
      mediaType: mediaTypes.ociManifest,
      size: first.bytes.length,
      artifactType: "application/vnd.test.signature",
      annotations: { by: "me" },
    });
    // image-spec: without artifactType it is the config's media type.
    const plain = found.find((descriptor) => descriptor.digest === second.digest);
    expect(plain?.artifactType).toBe(mediaTypes.ociConfig);
  });

  test("what has no referrers lists none", async () => {
    const { store } = fixture();
    const image = await newImage(store);
    await store.writeManifest(image, "v1");
    expect(await collect(store.listReferrers(image.digest))).toEqual([]);
    expect(await collect(store.listReferrers(randomBlob().digest))).toEqual([]);
  });
}
