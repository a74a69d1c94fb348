import { Readable } from "node:stream";
import { expect, test } from "vitest";
import type { Store } from "../../src/oci/store.js";
import { blobOf, bytesOf, putBlob, randomBlob, sourceOf } from "./content.js";
import { type Fixture, testAbility } from "./store-under-test.js";

/** Blobs: written, verified, read, mounted. */
export function blobTests(fixture: Fixture): void {
  const roundTrip = async (store: Store, blob: ReturnType<typeof blobOf>): Promise<void> => {
    expect(await store.statBlob(blob.digest)).toEqual({ kind: "missing" });
    expect(await store.writeBlob(blob, sourceOf(blob.bytes))).toEqual({ kind: "uploaded" });
    expect(await store.statBlob(blob.digest)).toEqual({ kind: "present", size: blob.size });
    expect(Buffer.compare(await bytesOf(store, blob), blob.bytes)).toBe(0);
  };

  test.each([
    ["1 byte", 1],
    ["64 KiB and one byte", 65_537],
    ["5 MiB", 5 * 1024 * 1024],
  ])("a blob of %s comes back as it was written", async (_size, bytes) => {
    await roundTrip(fixture().store, randomBlob(bytes));
  });

  testAbility("empty-blob", "so does a blob without a byte", fixture, ({ store }) =>
    roundTrip(store, blobOf("")),
  );

  testAbility("sha512", "so does a blob that is known by its sha512", fixture, ({ store }) =>
    roundTrip(store, blobOf(randomBlob(1000).bytes, "sha512")),
  );

  test("a second write says that the blob exists", async () => {
    const { store } = fixture();
    const blob = randomBlob();
    await putBlob(store, blob);
    expect(await store.writeBlob(blob, sourceOf(blob.bytes))).toEqual({ kind: "exists" });
    expect(Buffer.compare(await bytesOf(store, blob), blob.bytes)).toBe(0);
  });

  test.each([
    ["other bytes of the same size", (good: Uint8Array) => Buffer.from(good).fill(0x21, 10, 20)],
    ["fewer bytes", (good: Uint8Array) => good.subarray(0, 100)],
    ["more bytes", (good: Uint8Array) => Buffer.concat([good, Buffer.from("more")])],
  ])("%s than the digest says are refused, and nothing is visible", async (_what, damage) => {
    const { store } = fixture();
    const blob = randomBlob(1000);
    const { length: _unknown, ...source } = sourceOf(damage(blob.bytes));
    await expect(store.writeBlob(blob, source)).rejects.toMatchObject({ code: "oci/digest-mismatch" });
    expect(await store.statBlob(blob.digest)).toEqual({ kind: "missing" });
    await putBlob(store, blob);
    expect(Buffer.compare(await bytesOf(store, blob), blob.bytes)).toBe(0);
  });

  test("a source that fails leaves nothing visible", async () => {
    const { store } = fixture();
    const blob = randomBlob(100_000);
    const broken = {
      open: () => Readable.from(failAfter(blob.bytes.subarray(0, 50_000)), { objectMode: false }),
    };
    await expect(store.writeBlob(blob, broken)).rejects.toThrow();
    expect(await store.statBlob(blob.digest)).toEqual({ kind: "missing" });
  });

  test("a blob that isn't there can't be read", async () => {
    const read = bytesOf(fixture().store, randomBlob());
    await expect(read).rejects.toMatchObject({ code: "oci/blob-missing" });
  });

  test("reading fails when the blob hasn't the size that was expected", async () => {
    const { store } = fixture();
    const blob = randomBlob(1000);
    await putBlob(store, blob);
    await expect(bytesOf(store, { digest: blob.digest, size: 999 })).rejects.toMatchObject({
      code: "oci/digest-mismatch",
    });
  });

  testAbility("concurrent-writes", "several may write the same blob at once", fixture, async ({ store }) => {
    const blob = randomBlob(300_000);
    const results = await Promise.all([1, 2, 3, 4].map(() => store.writeBlob(blob, sourceOf(blob.bytes))));
    expect(results.map((result) => result.kind)).toContain("uploaded");
    expect(Buffer.compare(await bytesOf(store, blob), blob.bytes)).toBe(0);
  });
}

function* failAfter(bytes: Uint8Array): Generator<Uint8Array> {
  yield bytes;
  throw new Error("the source broke off");
}

/** Between two repositories of one place. */
export function mountTests(fixture: Fixture): void {
  testAbility("mount", "a blob is taken over from a repository of the same place", fixture, async (under) => {
    const { store, second } = under;
    if (second?.mountBlob === undefined) throw new Error("no mountBlob: say so in lacks.mount");
    expect(second.place).toBe(store.place);
    const blob = randomBlob(1000);
    await putBlob(store, blob);
    expect(await second.statBlob(blob.digest)).toEqual({ kind: "missing" });
    expect(await second.mountBlob(blob, store)).toBe(true);
    expect(await second.statBlob(blob.digest)).toEqual({ kind: "present", size: blob.size });
    expect(Buffer.compare(await bytesOf(second, blob), blob.bytes)).toBe(0);
  });

  testAbility("mount", "what the other repository hasn't is not mounted", fixture, async (under) => {
    const blob = randomBlob();
    expect(await under.second?.mountBlob?.(blob, under.store)).toBe(false);
    expect(await under.second?.statBlob(blob.digest)).toEqual({ kind: "missing" });
  });
}
