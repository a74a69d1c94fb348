import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { testProject } from "../test/support/project.js";
import { isMissing, requirePeer, startDockerRegistry } from "../test/support/registries.js";
import { registryTags } from "../test/support/tags.js";
import { interleave, type Measured, measure } from "./measure.js";
import { werf } from "./root.js";

const layers = 4;
const layerMiB = 256;

/** A bundle whose image has 4 x 256 MiB of random layers, between two docker-registries, against skopeo copy. */
export async function benchCopy(directory: string): Promise<string> {
  const skopeo = requirePeer("skopeo");
  const source = await startDockerRegistry();
  if (skopeo === undefined || isMissing(source)) return "skipped: needs skopeo and docker-registry";
  const project = testProject({
    "werf.yaml": "project: big\nconfigVersion: 1\n---\nimage: big\ndockerfile: Dockerfile\n",
    Dockerfile: `FROM ${source.host}/base/big:1\nCOPY note.txt /note.txt\n`,
    "note.txt": "one small layer on four big ones\n",
    ".helm/Chart.yaml": "apiVersion: v2\nname: big\nversion: 0.1.0\n",
  });
  try {
    const layout = await bigLayout(join(directory, "layout"));
    await measure(skopeo, [
      "copy",
      "--dest-tls-verify=false",
      `oci:${layout}:1`,
      `docker://${source.host}/base/big:1`,
    ]);
    project.commit("big");
    const env = { PATH: process.env["PATH"], HOME: project.home };
    const repo = `${source.host}/bench/big`;
    await measure(
      process.execPath,
      [werf, "bundle", "publish", "--repo", repo, "--tag", "1.0.0"],
      env,
      project.directory,
    );
    const stage = (await registryTags(repo)).find((tag) => /^[0-9a-f]{56}-\d{13}$/.test(tag));
    const bundle = `${repo}:1.0.0`;
    const { ours, peer, ratio } = await interleave(
      5,
      () =>
        toFresh((target) =>
          measure(
            process.execPath,
            [werf, "bundle", "copy", "--from", bundle, "--to", `${target}/a/big:1.0.0`],
            env,
            project.directory,
          ),
        ),
      () =>
        toFresh((target) =>
          measure(skopeo, [
            "copy",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            `docker://${repo}:${stage}`,
            `docker://${target}/a/big:1`,
          ]),
        ),
    );
    return `${layers} x ${layerMiB} MiB: werf bundle copy ${(ours.ms / 1000).toFixed(2)} s and ${ours.peakMiB.toFixed(0)} MiB, skopeo copy ${(peer.ms / 1000).toFixed(2)} s and ${peer.peakMiB.toFixed(0)} MiB, ratio ${ratio.toFixed(2)} (at most 1.0, and 150 MiB)`;
  } finally {
    project.dispose();
    await source.stop();
  }
}

/** A registry of its own for each copy: skopeo remembers where blobs are, and would mount them. */
async function toFresh(copy: (target: string) => Promise<Measured>): Promise<Measured> {
  const target = await startDockerRegistry();
  if (isMissing(target)) throw new Error(target.missing);
  try {
    return await copy(target.host);
  } finally {
    await target.stop();
  }
}

/** An OCI layout written by hand: random bytes as uncompressed layers, each one file in a tar. */
async function bigLayout(directory: string): Promise<string> {
  const blobs = join(directory, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const descriptors = [];
  for (let i = 0; i < layers; i++) descriptors.push(await bigLayer(blobs, `layer-${i}`));
  const put = (mediaType: string, value: object): { mediaType: string; digest: string; size: number } => {
    const bytes = Buffer.from(JSON.stringify(value));
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const config = put("application/vnd.oci.image.config.v1+json", {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: descriptors.map(({ digest }) => digest) },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers: descriptors });
  const annotations = { "org.opencontainers.image.ref.name": "1" };
  writeFileSync(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return directory;
}

async function bigLayer(
  blobs: string,
  name: string,
): Promise<{ mediaType: string; digest: string; size: number }> {
  const { rename } = await import("node:fs/promises");
  const file = join(blobs, name);
  const size = layerMiB * 1024 * 1024;
  const header = Buffer.alloc(512);
  header.write(`${name}.bin`, 0);
  header.write("0000644\0" + "0000000\0" + "0000000\0", 100);
  header.write(`${size.toString(8).padStart(11, "0")}\0${"0".repeat(11)}\0        0`, 124);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((a, b) => a + b, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const hash = createHash("sha256");
  const stream = createWriteStream(file);
  const write = async (bytes: Buffer): Promise<void> => {
    hash.update(bytes);
    if (!stream.write(bytes)) await once(stream, "drain");
  };
  await write(header);
  for (let i = 0; i < layerMiB; i++) await write(randomBytes(1024 * 1024));
  await write(Buffer.alloc(1024));
  stream.end();
  await finished(stream);
  const hex = hash.digest("hex");
  await rename(file, join(blobs, hex));
  return { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: `sha256:${hex}`, size: size + 1536 };
}
