import { randomInt } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Digest, digestOf } from "../oci/digest.js";
import { manifestFromJson, type RawManifest } from "../oci/manifest.js";
import { mediaTypes } from "../oci/media-types.js";
import { labels } from "./labels.js";

/** Content that a manifest points to, small enough for memory. */
export interface SmallBlob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** A record: an image that holds nothing but labels. Its blobs are to be written before its manifest. */
export interface RecordImage {
  readonly manifest: RawManifest;
  readonly config: SmallBlob;
  readonly layer: SmallBlob;
}

export interface RecordContent {
  readonly project: string;
  /** In addition to the project's. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly now: Date;
}

/** Two zero blocks: the shortest valid tar. */
const emptyTar = new Uint8Array(1024);
const emptyTarDiffId = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/**
 * The manifest-only image in which werf keeps records: Docker's schema 2, one empty layer. `created` has
 * nanoseconds, the last six digits by chance, so that no two records share a digest and deleting one by
 * digest never takes another with it.
 */
export function recordManifest(content: RecordContent): RecordImage {
  const created = withNanoseconds(content.now);
  const layer = smallBlob(gzipSync(emptyTar, { level: 9 }));
  const config = smallBlob(
    Buffer.from(
      JSON.stringify({
        architecture: "",
        created,
        history: [{ created }],
        os: "",
        rootfs: { type: "layers", diff_ids: [emptyTarDiffId] },
        config: { Labels: { ...content.labels, [labels.project]: content.project } },
      }),
    ),
  );
  const manifest = manifestFromJson(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config: { mediaType: mediaTypes.dockerConfig, size: config.bytes.length, digest: config.digest },
      layers: [{ mediaType: mediaTypes.dockerLayerGzip, size: layer.bytes.length, digest: layer.digest }],
    },
    mediaTypes.dockerManifest,
  );
  return { manifest, config, layer };
}

function smallBlob(bytes: Uint8Array): SmallBlob {
  return { digest: digestOf(bytes), bytes };
}

function withNanoseconds(now: Date): string {
  return now.toISOString().replace("Z", `${String(randomInt(1_000_000)).padStart(6, "0")}Z`);
}
