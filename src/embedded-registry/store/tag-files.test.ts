import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Digest, digestOf } from "../../oci/digest.js";
import { manifestFromJson, type RawManifest } from "../../oci/manifest.js";
import { mediaTypes } from "../../oci/media-types.js";
import type { EmbeddedRepository } from "./repository.js";
import { openRegistryRoot } from "./root.js";

let directory: string;
let repository: EmbeddedRepository;
let config: { mediaType: string; digest: Digest; size: number };
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "werf-ts-tags-"));
  repository = openRegistryRoot(directory, { durable: false }).repository("app");
  config = { mediaType: mediaTypes.ociConfig, digest: digestOf("{}"), size: 2 };
  await repository.writeBlob(config, { open: () => Readable.from([Buffer.from("{}")]) });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function image(text: string): RawManifest {
  return manifestFromJson(
    { schemaVersion: 2, config, layers: [], annotations: { text } },
    mediaTypes.ociManifest,
  );
}

async function tags(): Promise<string[]> {
  const all: string[] = [];
  for await (const tag of repository.listTags()) all.push(tag);
  return all.sort();
}

test("deleting a digest takes the tags that point to it now, not those that did", async () => {
  const [one, two] = [image("1"), image("2")];
  for (const tag of ["a", "b", "moved", "back"]) await repository.writeManifest(one, tag);
  await repository.writeManifest(two, "moved");
  await repository.writeManifest(two, "back");
  await repository.writeManifest(one, "back");
  expect(await repository.deleteManifest(one.digest)).toEqual({ kind: "deleted" });
  expect(await tags()).toEqual(["moved"]);
  expect(await repository.deleteManifest(two.digest)).toEqual({ kind: "deleted" });
  expect(await tags()).toEqual([]);
});

test("a tag that was deleted and written again goes with its digest", async () => {
  await repository.writeManifest(image("1"), "a");
  await repository.deleteTag("a");
  await repository.writeManifest(image("1"), "a");
  await repository.deleteManifest(image("1").digest);
  expect(await tags()).toEqual([]);
});

test("a manifest that is deleted while its tags are written is there with them all, or not at all", async () => {
  const manifest = image("contended");
  for (let round = 0; round < 15; round++) {
    const names = Array.from({ length: 4 }, (_, i) => `t${i}`);
    const deleting = async (): Promise<void> => {
      for (let i = 0; i < 4; i++) await repository.deleteManifest(manifest.digest);
    };
    await Promise.all([deleting(), ...names.map((name) => repository.writeManifest(manifest, name))]);
    const there = (await repository.statManifest(manifest.digest)).kind === "present";
    for (const tag of await tags()) {
      expect(there).toBe(true);
      expect(await repository.statManifest(tag)).toMatchObject({ kind: "present" });
    }
    await repository.deleteManifest(manifest.digest);
    expect(await tags()).toEqual([]);
  }
});

test("a tag that moves away while its old manifest is deleted is not lost", async () => {
  for (let round = 0; round < 30; round++) {
    const [old, young] = [image(`old ${round}`), image(`young ${round}`)];
    await repository.writeManifest(old, "latest");
    await Promise.all([repository.writeManifest(young, "latest"), repository.deleteManifest(old.digest)]);
    expect(await repository.statManifest("latest")).toMatchObject({ descriptor: { digest: young.digest } });
  }
});
