import { randomBytes } from "node:crypto";
import { afterAll, describe, expect, test } from "vitest";
import { isolateTag } from "../../src/oci/isolate.js";
import { openRegistry, type Registry } from "../../src/registry/client/registry.js";
import { isMissing, startDockerRegistry, startEmbedded } from "../support/registries.js";
import { testRun } from "../support/run-context.js";
import { collect, newImage, sortedTags } from "./content.js";
import { storeContract } from "./store-contract.js";

const run = await testRun();
const embedded = await startEmbedded();
const docker = await startDockerRegistry();

afterAll(async () => {
  await run.dispose();
  await embedded.stop();
  if (!isMissing(docker)) await docker.stop();
});

function open(host: string): Registry {
  const name = `t-${randomBytes(6).toString("hex")}/app`;
  return openRegistry(run, { host, name }, { insecure: false, access: "push" });
}

storeContract("the embedded registry, through the client", async () => ({
  store: open(embedded.host),
  second: open(embedded.host),
  dispose: async () => undefined,
}));

const title = isMissing(docker) ? `docker-registry 2.8 (${docker.missing})` : "docker-registry 2.8";

describe.skipIf(isMissing(docker))(title, () => {
  const host = isMissing(docker) ? "" : docker.host;

  storeContract("docker-registry 2.8, through the client", async () => ({
    store: open(host),
    second: open(host),
    capabilities: {
      lacks: { "delete-tag": "distribution 2.8 answers 400 to DELETE of a tag" },
    },
    dispose: async () => undefined,
  }));

  test("a tag that can't be deleted by its name is isolated: its sibling stays", async () => {
    const store = open(host);
    expect((await store.deletionRules()).deleteTag).toBe("isolate");
    const image = await newImage(store);
    await store.writeManifest(image, "goes");
    await store.writeManifest(image, "stays");
    expect(await isolateTag(store, "goes", image.digest)).toEqual({ kind: "deleted" });
    expect(await sortedTags(store)).toEqual(["stays"]);
    expect(await store.statManifest("stays")).toMatchObject({ descriptor: { digest: image.digest } });
    expect(await isolateTag(store, "goes", image.digest)).toEqual({ kind: "absent" });
  });

  test("a repository that nobody wrote to is missing, an emptied one isn't", async () => {
    const store = open(host);
    expect(await store.statRepository()).toBe("missing");
    expect(await collect(store.listTags())).toEqual([]);
    const image = await newImage(store);
    await store.writeManifest(image, "v1");
    expect(await store.deleteManifest(image.digest)).toEqual({ kind: "deleted" });
    expect(await store.statRepository()).toBe("present");
    expect(await collect(store.listTags())).toEqual([]);
  });
});
