import { Readable } from "node:stream";
import { systemClock } from "../src/core/clock.js";
import { digestOf } from "../src/oci/digest.js";
import { manifestFromJson } from "../src/oci/manifest.js";
import { mediaTypes } from "../src/oci/media-types.js";
import type { Store } from "../src/oci/store.js";
import { formatStageAnnotations } from "../src/records/annotations.js";
import { createRecordWriter } from "../src/records/record-writer.js";
import { imageMetadataTag, stageTag } from "../src/records/tags.js";
import { startGate } from "../test/support/gate.js";
import { shopFiles, testProject } from "../test/support/project.js";
import { startEmbedded } from "../test/support/registries.js";
import { measure } from "./measure.js";
import { werf } from "./root.js";

const stages = 2000;
const hourMs = 3_600_000;
/** Finding out how the host speaks, and the like. */
const constantRequests = 10;

/**
 * Requests that a cleanup makes which reads 2,000 stages of the last commit, each with its metadata. Bounds:
 * the first time one a stage beyond the pages of tags; the second time none of them again.
 */
export async function benchCleanup(): Promise<string> {
  const registry = await startEmbedded();
  const gate = await startGate(registry.host);
  const project = testProject(shopFiles);
  try {
    const commit = project.commit("first");
    project.push("main");
    const env = { PATH: process.env["PATH"], HOME: project.home };
    const repo = `${gate.host}/bench/cleanup`;
    await measure(process.execPath, [werf, "build", "--repo", repo], env, project.directory);
    const store = registry.server.root.repository("bench/cleanup");
    const records = createRecordWriter({ clock: systemClock }, store, "shop");
    for (let n = 0; n < stages; n++) {
      const stage = await publishStage(store, n);
      await records.write(imageMetadataTag("backend", commit, stage));
    }
    const counts: string[] = [];
    for (const [round, bound] of [
      ["first", stages + constantRequests],
      ["second", constantRequests],
    ] as const) {
      gate.reset();
      const { ms, peakMiB } = await measure(
        process.execPath,
        [werf, "cleanup", "--repo", repo, "--without-kube", "--dry-run"],
        env,
        project.directory,
      );
      const pages = gate.seen.filter(({ path }) => path.includes("/tags/list")).length;
      const others = gate.seen.length - pages;
      if (others > bound) throw new Error(`${round} run: ${others} requests beyond the pages, not ${bound}`);
      counts.push(
        `${round} run ${others} requests (at most ${bound}) beyond ${pages} pages of tags, ${(ms / 1000).toFixed(1)} s, ${peakMiB.toFixed(0)} MiB`,
      );
    }
    return `${stages} stages: ${counts.join("; ")}`;
  } finally {
    project.dispose();
    await gate.stop();
    await registry.stop();
  }
}

/** A stage without layers, four days old; gives its tag. */
async function publishStage(store: Store, n: number): Promise<string> {
  const createdMs = Date.now() - 100 * hourMs - n;
  const contentDigest = n.toString(16).padStart(56, "0");
  const config = Buffer.from(
    JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [] }, n }),
  );
  const descriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length };
  await store.writeBlob(descriptor, { length: config.length, open: () => Readable.from([config]) });
  const annotations = formatStageAnnotations({ project: "shop", createdMs, dependencies: [], contentDigest });
  const manifest = manifestFromJson(
    { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: descriptor, layers: [], annotations },
    mediaTypes.ociManifest,
  );
  const tag = stageTag(contentDigest, createdMs);
  await store.writeManifest(manifest, tag);
  return tag;
}
