import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CopyResult, copyImages } from "../../src/oci/copy/copy-images.js";
import { openLayoutTar } from "../../src/oci/layout/layout-tar.js";
import { createLayoutTar } from "../../src/oci/layout/layout-tar-writer.js";
import { descriptorOf, type RawManifest } from "../../src/oci/manifest.js";
import type { Store } from "../../src/oci/store.js";
import { openRegistry } from "../../src/registry/client/registry.js";
import { type Gate, startGate } from "../support/gate.js";
import { isMissing, startDockerRegistry, startEmbedded } from "../support/registries.js";
import { testRun } from "../support/run-context.js";
import { newImage, newIndex } from "./content.js";

// Retries wait for nothing here: the gate stays closed however long one waits.
const run = await testRun({ clock: { now: () => new Date(), sleep: () => Promise.resolve() } });
const embedded = await startEmbedded();
const docker = await startDockerRegistry();
let gate: Gate;

beforeAll(async () => {
  gate = await startGate(embedded.host);
});
afterAll(async () => {
  await run.dispose();
  await gate.stop();
  await embedded.stop();
  if (!isMissing(docker)) await docker.stop();
});

function open(host: string): Store {
  const name = `t-${randomBytes(6).toString("hex")}/app`;
  return openRegistry(run, { host, name }, { insecure: false, access: "push" });
}

/** Two platforms under `v1`, one of them signed. */
async function publish(
  store: Store,
): Promise<{ index: RawManifest; signed: RawManifest; signature: RawManifest }> {
  const children = [await newImage(store), await newImage(store)] as const;
  for (const child of children) await store.writeManifest(child);
  const index = newIndex(children);
  await store.writeManifest(index, "v1");
  const signature = await newImage(store, {
    subject: descriptorOf(children[0]),
    artifactType: "application/vnd.example.signature",
  });
  await store.writeManifest(signature);
  return { index, signed: children[0], signature };
}

const copy = (source: Store, destination: Store): Promise<CopyResult> =>
  copyImages(run, [{ source, reference: "v1", destination, tags: ["v1"] }], { referrers: true });

const hosts = [
  ["the embedded registry", embedded.host],
  ...(isMissing(docker) ? [] : [["docker-registry 2.8", docker.host] as const]),
] as const;

describe.each(hosts)("copyImages with %s", (_title, host) => {
  test("mounts within one registry, signature included", async () => {
    const source = open(host);
    const destination = open(host);
    const { index, signature } = await publish(source);
    const result = await copy(source, destination);
    expect(result.blobs).toEqual({ uploaded: 0, mounted: 6, skipped: 0 });
    expect(await destination.statManifest("v1")).toMatchObject({ descriptor: { digest: index.digest } });
    expect(await destination.statManifest(signature.digest)).toMatchObject({ kind: "present" });
    expect((await copy(source, destination)).images.every((image) => image.result === "current")).toBe(true);
  });

  test("goes to an archive and from there to another registry, with the same digests", async () => {
    const source = open(host);
    const { index, signed, signature } = await publish(source);
    const file = `${randomBytes(6).toString("hex")}.tar`;
    const written = await createLayoutTar(run, file);
    await copy(source, written);
    await written.close("done");
    const archive = await openLayoutTar(run, file);
    const destination = open(embedded.host);
    const result = await copy(archive, destination);
    await archive.close("done");
    expect(result.blobs.uploaded).toBe(6);
    expect(await destination.statManifest("v1")).toMatchObject({ descriptor: { digest: index.digest } });
    const referrers = [];
    for await (const referrer of destination.listReferrers(signed.digest)) referrers.push(referrer.digest);
    expect(referrers).toEqual([signature.digest]);
  });
});

test("a copy that is there costs one question to each side", async () => {
  const source = open(embedded.host);
  await publish(source);
  const destination = open(gate.host);
  const requests = [{ source, reference: "v1", destination, tags: ["v1"] }];
  await copyImages(run, requests);
  gate.reset();
  await copyImages(run, requests);
  const asked = gate.seen.filter(({ path }) => path !== "/v2/");
  expect(asked.map(({ method }) => method)).toEqual(["HEAD"]);
});

test("a copy that was cut at any request is finished by the next", async () => {
  const source = open(embedded.host);
  const { index } = await publish(source);
  for (let n = 1; n <= 40; n += 3) {
    const destination = open(gate.host);
    gate.closeAfter(n, () => undefined);
    const request = { source, reference: "v1", destination, tags: ["v1"] };
    const outcome = await copyImages(run, [request]).then(
      () => "done",
      () => "failed",
    );
    gate.open();
    const before = await destination.statManifest("v1");
    // The tag is never there before everything below it is.
    if (before.kind === "present") {
      for (const child of JSON.parse(Buffer.from(index.bytes).toString()).manifests) {
        expect(await destination.statManifest(child.digest)).toMatchObject({ kind: "present" });
      }
    }
    await copyImages(run, [request]);
    expect(await destination.statManifest("v1")).toMatchObject({ descriptor: { digest: index.digest } });
    if (outcome === "done") return;
  }
});
