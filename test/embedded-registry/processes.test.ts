import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { openRegistryRoot } from "../../src/embedded-registry/store/root.js";
import { parseManifest } from "../../src/oci/manifest.js";
import { bytesOf, collect, sortedTags } from "../contract/content.js";

const run = promisify(execFile);

test("several processes write one repository at once, and all of it is whole", async () => {
  const directory = await mkdtemp(join(tmpdir(), "werf-ts-processes-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const script = join(directory, "writer.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "writer.main.ts")],
    outfile: script,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
  });
  const rootDirectory = join(directory, "root");
  const count = 30;
  const writers = [1, 2, 3].map(() => run(process.execPath, [script, rootDirectory, String(count)]));
  for (const { stdout } of await Promise.all(writers)) expect(stdout).toBe("done\n");

  const repository = openRegistryRoot(rootDirectory).repository("shared/app");
  expect(await sortedTags(repository)).toEqual(
    ["latest", ...Array.from({ length: count }, (_, i) => `v${i}`)].sort(),
  );
  for (const tag of await collect(repository.listTags())) {
    const found = await repository.readManifest(tag);
    if (found.kind === "missing") throw new Error(`${tag} points nowhere`);
    const manifest = parseManifest(found.manifest, tag);
    if (manifest.kind !== "image") throw new Error("not an image");
    for (const blob of [manifest.config, ...manifest.layers]) await bytesOf(repository, blob);
  }
  expect(await readdir(join(rootDirectory, "staging"))).toEqual([]);
});
