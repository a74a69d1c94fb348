import { expect } from "vitest";
import { collect, newImage, randomBlob, sortedTags } from "./content.js";
import { type Fixture, testAbility } from "./store-under-test.js";

/** Deletion, as the store's own rules have it. */
export function deletionTests(fixture: Fixture): void {
  testAbility("delete-manifest", "a manifest is deleted as the rules say", fixture, async ({ store }) => {
    const { deleteManifest } = await store.deletionRules();
    const [condemned, kept] = [await newImage(store), await newImage(store)];
    await store.writeManifest(condemned, "a");
    await store.writeManifest(condemned, "b");
    await store.writeManifest(kept, "kept");
    const result = await store.deleteManifest(condemned.digest);
    if (deleteManifest === "drops-tags") {
      expect(result).toEqual({ kind: "deleted" });
      expect(await store.statManifest(condemned.digest)).toEqual({ kind: "missing" });
      expect(await store.statManifest("a")).toEqual({ kind: "missing" });
      expect(await sortedTags(store)).toEqual(["kept"]);
    } else if (deleteManifest === "leaves-tags") {
      expect(result).toEqual({ kind: "deleted" });
      expect(await store.readManifest(condemned.digest)).toEqual({ kind: "missing" });
    } else {
      expect(result).toMatchObject({ kind: "refused" });
      expect(await sortedTags(store)).toEqual(["a", "b", "kept"]);
    }
    expect(await store.statManifest("kept")).toMatchObject({ descriptor: { digest: kept.digest } });
  });

  testAbility("delete-manifest", "deleting what isn't there says so", fixture, async ({ store }) => {
    await store.writeManifest(await newImage(store), "v1");
    expect(await store.deleteManifest(randomBlob().digest)).toEqual({ kind: "absent" });
    expect(await sortedTags(store)).toEqual(["v1"]);
  });

  testAbility("delete-tag", "a tag is deleted and its siblings stay", fixture, async ({ store }) => {
    expect((await store.deletionRules()).deleteTag).toBe("native");
    const image = await newImage(store);
    await store.writeManifest(image, "goes");
    await store.writeManifest(image, "stays");
    expect(await store.deleteTag("goes")).toEqual({ kind: "deleted" });
    expect(await store.deleteTag("goes")).toEqual({ kind: "absent" });
    expect(await store.statManifest("goes")).toEqual({ kind: "missing" });
    expect(await store.statManifest("stays")).toMatchObject({ descriptor: { digest: image.digest } });
    expect(await sortedTags(store)).toEqual(["stays"]);
  });

  testAbility(
    "delete-tag",
    "with the last tag the manifest goes or stays, as the rules say",
    fixture,
    async (under) => {
      const { store } = under;
      const { lastTag } = await store.deletionRules();
      const image = await newImage(store);
      await store.writeManifest(image, "only");
      const result = await store.deleteTag("only");
      expect(result.kind).toBe(lastTag === "refused" ? "refused" : "deleted");
      const expected = lastTag === "deletes-manifest" ? "missing" : "present";
      expect((await store.statManifest(image.digest)).kind).toBe(expected);
    },
  );

  testAbility(
    ["referrers", "delete-manifest"],
    "a referrer that was deleted is not listed",
    fixture,
    async ({ store }) => {
      const image = await newImage(store);
      await store.writeManifest(image, "v1");
      const subject = { mediaType: image.mediaType, digest: image.digest, size: image.bytes.length };
      const referrer = await newImage(store, { subject });
      await store.writeManifest(referrer);
      expect(await collect(store.listReferrers(image.digest))).toHaveLength(1);
      expect(await store.deleteManifest(referrer.digest)).toEqual({ kind: "deleted" });
      expect(await collect(store.listReferrers(image.digest))).toEqual([]);
    },
  );
}
