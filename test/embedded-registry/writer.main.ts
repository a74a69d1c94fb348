import { Readable } from "node:stream";
import { openRegistryRoot } from "../../src/embedded-registry/store/root.js";
import { digestOf } from "../../src/oci/digest.js";
import { manifestFromJson } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";

/** One of several processes that write the same blobs, manifests and tags into one root: ROOT COUNT. */
const [directory = "", count = "0"] = process.argv.slice(2);
const repository = openRegistryRoot(directory, { durable: false }).repository("shared/app");
for (let i = 0; i < Number(count); i++) {
  const bytes = Buffer.alloc(100_000, `layer ${i}`);
  const blob = { digest: digestOf(bytes), size: bytes.length };
  await repository.writeBlob(blob, { open: () => Readable.from([bytes]) });
  const config = Buffer.from(`{"i":${i}}`);
  const configBlob = { digest: digestOf(config), size: config.length };
  await repository.writeBlob(configBlob, { open: () => Readable.from([config]) });
  const manifest = manifestFromJson(
    {
      schemaVersion: 2,
      config: { mediaType: mediaTypes.ociConfig, ...configBlob },
      layers: [{ mediaType: mediaTypes.ociLayer, ...blob }],
    },
    mediaTypes.ociManifest,
  );
  await repository.writeManifest(manifest, `v${i}`);
  await repository.writeManifest(manifest, "latest");
}
console.log("done");
