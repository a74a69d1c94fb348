import { Readable } from "node:stream";
import type { RunContext } from "../core/run-context.js";
import type { Store } from "../oci/store.js";
import { recordManifest, type SmallBlob } from "./record-manifest.js";

/** Writes the records of one project into one repository; the layer that all share is sent once. */
export interface RecordWriter {
  /** Pushes a record under `tag`, over one that is there. */
  write(tag: string, labels?: Readonly<Record<string, string>>): Promise<void>;
}

export function createRecordWriter(
  run: Pick<RunContext, "clock">,
  store: Store,
  project: string,
): RecordWriter {
  let layerWritten: Promise<void> | undefined;
  return {
    async write(tag, labels = {}) {
      const record = recordManifest({ project, labels, now: run.clock.now() });
      layerWritten ??= writeSmallBlob(store, record.layer);
      try {
        await layerWritten;
      } catch (error) {
        layerWritten = undefined;
        throw error;
      }
      await writeSmallBlob(store, record.config);
      await store.writeManifest(record.manifest, tag);
    },
  };
}

async function writeSmallBlob(store: Store, blob: SmallBlob): Promise<void> {
  const size = blob.bytes.length;
  await store.writeBlob(
    { digest: blob.digest, size },
    { length: size, open: () => Readable.from([Buffer.from(blob.bytes)]) },
  );
}
