import { readdirSync } from "node:fs";
import { Readable } from "node:stream";
import { digestOf } from "../src/oci/digest.js";
import { manifestFromJson } from "../src/oci/manifest.js";
import { mediaTypes } from "../src/oci/media-types.js";
import { formatStageAnnotations } from "../src/records/annotations.js";
import { stageTag } from "../src/records/tags.js";
import { startGate } from "../test/support/gate.js";
import { shopFiles, testProject } from "../test/support/project.js";
import { startEmbedded } from "../test/support/registries.js";
import { measure } from "./measure.js";
import { werf } from "./root.js";

const stages = 2000;

/** Requests that a cleanup of 2,000 stages makes: one a stage beyond the listing, and none of them again. */
export async function benchCleanup(): Promise<string> {
  const registry = await startEmbedded();
  const gate = await startGate(registry.host);
  const project = testProject(shopFiles);
  try {
    project.commit("first");
    project.push("main");
    const env = { PATH: process.env["PATH"], HOME: project.home };
    const repo = `${gate.host}/bench/cleanup`;
    await measure(process.execPath, [werf, "build", "--repo", repo], env, project.directory);
    const store = registry.server.root.repository("bench/cleanup");
    for (let i = 0; i < stages; i++) {
      const createdMs = Date.now() - i;
      const digest = i.toString(16).padStart(56, "0");
      const config = Buffer.from(
        JSON.stringify({
          os: "linux",
          architecture: "amd64",
          rootfs: { type: "layers", diff_ids: [] },
          n: i,
        }),
      );
      const descriptor = { mediaType: mediaTypes.ociConfig, digest: digestOf(config), size: config.length };
      await store.writeBlob(descriptor, { length: config.length, open: () => Readable.from([config]) });
      const annotations = formatStageAnnotations({
        project: "shop",
        createdMs,
        dependencies: [],
        contentDigest: digest,
      });
      const manifest = manifestFromJson(
        { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: descriptor, layers: [], annotations },
        mediaTypes.ociManifest,
      );
      await store.writeManifest(manifest, stageTag(digest, createdMs));
    }
    const counts: string[] = [];
    for (const round of ["first", "second"]) {
      gate.reset();
      const { ms, peakMiB } = await measure(
        process.execPath,
        [werf, "cleanup", "--repo", repo, "--without-kube", "--dry-run"],
        env,
        project.directory,
      );
      const manifests = gate.seen.filter(({ path }) => path.includes("/manifests/")).length;
      const lists = gate.seen.filter(({ path }) => path.includes("/tags/list")).length;
      counts.push(
        `${round} run ${gate.seen.length} requests (${manifests} manifests, ${lists} pages), ${(ms / 1000).toFixed(1)} s, ${peakMiB.toFixed(0)} MiB`,
      );
    }
    return `${stages} stages, ${readdirSync(project.home).length > 0 ? "facts kept" : "nothing kept"}: ${counts.join("; ")}`;
  } finally {
    project.dispose();
    await gate.stop();
    await registry.stop();
  }
}
