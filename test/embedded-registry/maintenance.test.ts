import { mkdtemp, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import type { Clock } from "../../src/core/run-context.js";
import type { EmbeddedRepository } from "../../src/embedded-registry/store/repository.js";
import { openRegistryRoot, type RegistryRoot } from "../../src/embedded-registry/store/root.js";
import { type Digest, hexOf } from "../../src/oci/digest.js";
import { descriptorOf, parseManifest, type RawManifest } from "../../src/oci/manifest.js";
import { blobOf, jsonManifest, newImage, newIndex, putBlob, randomBlob } from "../contract/content.js";
import { type CliResult, werf } from "../support/cli.js";
import { startEmbedded } from "../support/registries.js";

let directory: string;
let root: RegistryRoot;
let app: EmbeddedRepository;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "werf-ts-maintenance-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  root = openRegistryRoot(directory, { durable: false });
  app = root.repository("team/app");
});

/** Everything that is there now is two days old to it. */
const inTwoDays: Clock = { ...systemClock, now: () => new Date(Date.now() + 48 * 3_600_000) };

/** A moment of the file system's clock after everything that was written: it ticks every few milliseconds. */
async function nextTick(): Promise<Date> {
  const probe = join(directory, "probe");
  const time = async (): Promise<Date> => {
    await writeFile(probe, "");
    return (await stat(probe)).ctime;
  };
  const before = await time();
  for (;;) {
    const now = await time();
    if (now > before) return now;
  }
}

function run(argv: readonly string[], clock: Clock = systemClock): Promise<CliResult> {
  return werf(["registry", ...argv], { cwd: directory, home: directory, clock });
}

function gc(...argv: string[]): Promise<CliResult> {
  return run(["gc", "--root", directory, ...argv], inTwoDays);
}

function fsck(...argv: string[]): Promise<CliResult> {
  return run(["fsck", "--root", directory, ...argv]);
}

async function layerOf(image: RawManifest): Promise<Digest> {
  const manifest = parseManifest(image, "test");
  const layer = manifest.kind === "image" ? manifest.layers[0] : undefined;
  return layer?.digest ?? image.digest;
}

const content = (digest: Digest): string =>
  join(directory, "blobs", "sha256", hexOf(digest).slice(0, 2), hexOf(digest));
const inRepository = (kind: string, digest: Digest): string =>
  join(directory, "repositories/team/app", kind, "sha256", hexOf(digest));

async function isThere(repository: EmbeddedRepository, image: RawManifest): Promise<boolean> {
  return (await repository.readManifest(image.digest)).kind === "present";
}

describe("gc", () => {
  test("tells with --dry-run what it then removes, to the byte", async () => {
    const image = await newImage(app);
    await app.writeManifest(image, "v1");
    const shared = randomBlob(3000);
    await putBlob(app, shared);
    await putBlob(root.repository("other"), shared);
    const lost = randomBlob(500);
    await putBlob(app, lost);
    const told = await gc("--dry-run");
    expect(told.stdout.split("\n").sort()).toEqual(
      [
        "",
        `other: would remove blob ${shared.digest} (2.9 KiB)`,
        `team/app: would remove blob ${lost.digest} (500 B)`,
        `team/app: would remove blob ${shared.digest} (2.9 KiB)`,
        "Would remove 0 manifests, and 2 blobs of 3.4 KiB from the disk",
      ].sort(),
    );
    expect((await app.blobs.stat(lost.digest)).kind).toBe("present");
    const done = await gc();
    expect(done.exitCode).toBe(0);
    expect(done.stdout).toBe(
      told.stdout.replaceAll("would remove", "removed").replace("Would remove", "Removed"),
    );
    for (const { digest } of [shared, lost]) await expect(stat(content(digest))).rejects.toThrow("ENOENT");
    expect((await gc()).stdout).toBe("Removed 0 manifests, and 0 blobs of 0 B from the disk\n");
    expect((await fsck()).exitCode).toBe(0);
  });

  test("content of two repositories, old in both, goes at once", async () => {
    const blob = randomBlob(1000);
    const repositories = ["a", "b", "c"].map((name) => root.repository(name));
    for (const repository of repositories) await putBlob(repository, blob);
    expect(await root.prune(await nextTick())).toEqual({ manifests: 0, blobs: 1, bytes: 1000 });
  });

  test("what is young, and what somebody asked for lately, stays", async () => {
    const [young, asked, mounted, old] = [randomBlob(), randomBlob(), randomBlob(), randomBlob()];
    for (const blob of [asked, mounted, old]) await putBlob(app, blob);
    const since = await nextTick();
    const registry = await startEmbedded({ root: directory });
    onTestFinished(() => registry.server.close());
    const base = `http://${registry.host}/v2/team/app/blobs`;
    expect((await fetch(`${base}/${asked.digest}`, { method: "HEAD" })).status).toBe(200);
    const mount = await fetch(`${base}/uploads/?mount=${mounted.digest}&from=team/app`, { method: "POST" });
    expect(mount.status).toBe(201);
    await putBlob(app, young);
    await root.prune(since);
    const kept = [young, asked, mounted].map(({ digest }) => app.blobs.stat(digest));
    for (const found of await Promise.all(kept)) expect(found.kind).toBe("present");
    expect((await app.blobs.stat(old.digest)).kind).toBe("missing");
  });

  test("--untagged removes what no tag leads to; without it every manifest stays", async () => {
    const tagged = await newImage(app);
    await app.writeManifest(tagged, "v1");
    const child = await newImage(app);
    await app.writeManifest(child);
    await app.writeManifest(newIndex([child]), "multi");
    const signature = await newImage(app, { subject: descriptorOf(tagged) });
    await app.writeManifest(signature);
    const ofSignature = await newImage(app, { subject: descriptorOf(signature) });
    await app.writeManifest(ofSignature);
    const [left, subject] = [await newImage(app), await newImage(app)];
    await app.writeManifest(left, "gone");
    await app.deleteTag("gone");
    const looseSignature = await newImage(app, { subject: descriptorOf(subject) });
    await app.writeManifest(looseSignature);
    // Those of the subject, which has no manifest.
    expect((await gc()).stdout).toContain("Removed 0 manifests, and 2 blobs");
    const done = await gc("--untagged");
    expect(done.stdout).toContain("Removed 2 manifests, and 4 blobs");
    for (const image of [tagged, child, signature, ofSignature]) expect(await isThere(app, image)).toBe(true);
    for (const image of [left, looseSignature]) expect(await isThere(app, image)).toBe(false);
    expect((await fsck()).stdout).toContain("No problem in 1 repositories, 5 manifests, 2 tags");
  });

  test("an untagged manifest that is young keeps what it lists", async () => {
    const child = await newImage(app);
    await app.writeManifest(child);
    const since = await nextTick();
    const index = newIndex([child]);
    await app.writeManifest(index);
    expect(await root.prune(since, { untagged: true })).toMatchObject({ manifests: 0, blobs: 0 });
    expect(await root.prune(new Date(Date.now() + 1000), { untagged: true })).toMatchObject({ manifests: 2 });
  });

  test("layers that may live elsewhere, and whatever an unknown manifest names, stay", async () => {
    const [foreign, named, config] = [randomBlob(), randomBlob(), blobOf("{}")];
    for (const blob of [foreign, named, config]) await putBlob(app, blob);
    const type = "application/vnd.oci.image.manifest.v1+json";
    await app.writeManifest(
      jsonManifest(type, {
        schemaVersion: 2,
        mediaType: type,
        config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config.digest, size: 2 },
        layers: [
          {
            mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            digest: foreign.digest,
            size: foreign.size,
            urls: ["https://example.org/layer"],
          },
        ],
      }),
      "foreign",
    );
    await app.writeManifest(jsonManifest("application/vnd.example.v1+json", { of: [named.digest] }), "x");
    expect((await gc()).stdout).toContain("Removed 0 manifests, and 0 blobs");
  });

  test("a file that was taken away by a gc that died comes back, by itself or for who asks", async () => {
    const image = await newImage(app);
    await app.writeManifest(image, "v1");
    const layer = await layerOf(image);
    const files = [inRepository("_blobs", layer), inRepository("_manifests", image.digest)];
    const takeAll = async (): Promise<void> => {
      for (const file of files) await rename(file, `${file}.taken`);
    };
    await takeAll();
    expect((await fsck()).exitCode).toBe(0);
    expect(await app.readManifest("v1")).toMatchObject({ kind: "present" });
    expect(await app.blobs.stat(layer)).toMatchObject({ kind: "present" });
    await takeAll();
    expect((await gc("--untagged")).stdout).toContain("Removed 0 manifests, and 0 blobs");
    for (const file of files) expect((await stat(file)).isFile()).toBe(true);
    expect(await readdir(join(directory, "repositories/team/app/_blobs/sha256"))).toHaveLength(2);
  });

  test("beside writers that tag, list and sign old untagged manifests, nothing that was acknowledged goes", async () => {
    const images = await Promise.all(Array.from({ length: 40 }, () => newImage(app)));
    for (const image of images) await app.writeManifest(image);
    const writer = openRegistryRoot(directory, { durable: false }).repository("team/app");
    let writing = true;
    const pruner = (async () => {
      while (writing) await root.prune(new Date(Date.now() + 60_000), { untagged: true });
    })();
    const kept: [string, RawManifest][] = [];
    try {
      for (const [i, image] of images.entries()) {
        const written = i % 2 === 0 ? image : newIndex([image]);
        const failed = await writer.writeManifest(written, `v${i}`).catch((error: unknown) => error);
        if (failed === undefined) kept.push([`v${i}`, image]);
        else expect(failed).toMatchObject({ code: "embedded-registry/child-missing" });
      }
    } finally {
      writing = false;
      await pruner;
    }
    for (const [tag, image] of kept) {
      expect(await writer.readManifest(tag), tag).toMatchObject({ kind: "present" });
      expect(await isThere(writer, image), tag).toBe(true);
    }
    const checked = await fsck();
    expect(checked).toMatchObject({ exitCode: 0 });
  });

  test("stops before a repository whose manifest is damaged: what it needs can't be known", async () => {
    const image = await newImage(app);
    await app.writeManifest(image, "v1");
    const lost = randomBlob();
    await putBlob(app, lost);
    await writeFile(inRepository("_manifests", image.digest), "x");
    const result = await gc();
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain("the file was damaged");
    expect((await app.blobs.stat(lost.digest)).kind).toBe("present");
  });

  test.each([
    [["gc", "--older-than", "59m"], 2, "less than an hour"],
    [["gc", "--older-than", "soon"], 2, "is not a duration"],
    [["gc", "--root", "elsewhere"], 1, "there is no registry in"],
    [["fsck", "--root", "elsewhere"], 1, "there is no registry in"],
  ])("%j is refused", async (argv, exitCode, message) => {
    expect(await run(argv)).toMatchObject({ exitCode, stderr: expect.stringContaining(message) });
  });

  test("without --root it works on the local store", async () => {
    expect((await run(["gc"])).stdout).toBe("There is no local store: nothing to remove\n");
    expect((await run(["fsck"])).stdout).toBe("There is no local store: nothing to check\n");
    const local = openRegistryRoot(join(directory, ".werf/ts/local"), { durable: false });
    await putBlob(local.repository("project"), randomBlob(10));
    expect((await run(["gc"])).stdout).toContain("Removed 0 manifests, and 0 blobs");
    expect((await run(["gc"], inTwoDays)).stdout).toContain("Removed 0 manifests, and 1 blobs of 10 B");
  });
});

describe("fsck", () => {
  test("finds nothing in what is whole", async () => {
    const image = await newImage(app);
    await app.writeManifest(image, "v1");
    await app.writeManifest(image, "V1-RC");
    await app.writeManifest(newIndex([image]), "multi");
    await app.writeManifest(await newImage(app, { subject: descriptorOf(image) }));
    const { exitCode, stdout } = await fsck();
    expect(stdout).toBe("No problem in 1 repositories, 3 manifests, 3 tags and 4 blobs\n");
    expect(exitCode).toBe(0);
  });

  type Damage = (image: RawManifest, layer: Digest) => Promise<void>;
  const damages: [what: string, expected: string, damage: Damage][] = [
    ["a flipped byte", "is damaged: its bytes are sha256:", (_, layer) => flip(content(layer))],
    ["a blob that was cut off", "and it has 10", async (_, layer) => writeFile(content(layer), "0123456789")],
    ["a missing blob", "which isn't there", (_, layer) => unlink(inRepository("_blobs", layer))],
    ["a damaged manifest", "is damaged", ({ digest }) => flip(inRepository("_manifests", digest))],
    ["a missing manifest", "points to sha256:", ({ digest }) => unlink(inRepository("_manifests", digest))],
    ["a tag with rubbish", "holds no digest", () => writeFile(tagFile("v1"), "rubbish")],
    ["a strange tag file", "is no tag", () => writeFile(tagFile("..x"), "rubbish")],
    [
      "a tag nobody would find",
      "has no note of it",
      () => rm(join(directory, "repositories/team/app/_tagged"), { recursive: true }),
    ],
    [
      "a strange blob file",
      "its name is no digest",
      (_, layer) => writeFile(`${inRepository("_blobs", layer)}x`, ""),
    ],
    [
      "misplaced content",
      "its name or directory is wrong",
      (_, layer) => rename(content(layer), `${content(layer)}x`),
    ],
    [
      "no entry of a referrer",
      "list of referrers doesn't have it",
      () => rm(join(directory, "repositories/team/app/_referrers"), { recursive: true }),
    ],
    ["a damaged entry", "is no entry of a list of referrers", ({ digest }) => damageReferrer(digest)],
  ];
  const tagFile = (name: string): string => join(directory, "repositories/team/app/_tags", name);

  async function flip(path: string): Promise<void> {
    const bytes = await readFile(path);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(path, bytes);
  }

  async function damageReferrer(subject: Digest): Promise<void> {
    const list = inRepository("_referrers", subject);
    for (const name of await readdir(list)) await writeFile(join(list, name), "{}");
  }

  test.each(damages)(
    "tells %s with its repository and path, and changes nothing",
    async (_, expected, damage) => {
      const image = await newImage(app);
      await app.writeManifest(image, "v1");
      await app.writeManifest(await newImage(app, { subject: descriptorOf(image) }), "signature");
      await damage(image, await layerOf(image));
      const { exitCode, stdout, stderr } = await fsck();
      expect(stdout).toContain(expected);
      expect(stdout).toMatch(/^(team\/app: repositories\/team\/app\/_|\(shared\): blobs\/sha256\/)\S+: \S/);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/has \d+ problems/);
      expect((await fsck()).stdout).toBe(stdout);
    },
  );

  test("--quick leaves the bytes of blobs unread, and sees what is missing", async () => {
    const image = await newImage(app);
    await app.writeManifest(image, "v1");
    const layer = await layerOf(image);
    await flip(content(layer));
    expect((await fsck("--quick")).exitCode).toBe(0);
    await unlink(inRepository("_blobs", layer));
    expect(await fsck("--quick")).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining(`lists ${layer}, which isn't there`),
    });
  });
});
