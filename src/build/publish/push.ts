import { randomUUID } from "node:crypto";
import { Readable, Transform } from "node:stream";
import { mapConcurrently } from "../../core/concurrency.js";
import type { BodySource } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import type { Store } from "../../oci/store.js";
import type { BuiltImage, BuiltLayer } from "../engines/engine.js";
import type { FinishedImage } from "./image-manifest.js";

const layersAtOnce = 4;

/** Puts an image under a tag: layers and config first, the manifest with its tag last. */
export async function pushImage(
  run: RunContext,
  destination: Store,
  image: {
    readonly built: BuiltImage;
    readonly finished: FinishedImage;
    readonly tag: string /** The task that the layers are part of. */;
    readonly task: string;
  },
): Promise<void> {
  const distinct = new Map(image.built.layers.map((layer) => [layer.descriptor.digest, layer]));
  await mapConcurrently(distinct.values(), layersAtOnce, (layer) =>
    pushLayer(run, destination, layer, image.task),
  );
  const { descriptor, bytes } = image.finished.config;
  await destination.writeBlob(descriptor, { length: bytes.length, open: () => Readable.from([bytes]) });
  await destination.writeManifest(image.finished.manifest, image.tag);
}

async function pushLayer(
  run: RunContext,
  destination: Store,
  layer: BuiltLayer,
  parent: string,
): Promise<void> {
  const { descriptor, content } = layer;
  if (content.kind === "bytes") {
    await destination.writeBlob(descriptor, counted(run, descriptor.digest, content.source, parent));
    return;
  }
  if (content.store.place === destination.place) {
    if (content.store.address === destination.address) return;
    if (await destination.mountBlob?.(descriptor, content.store)) return;
  }
  const source: BodySource = { length: descriptor.size, open: () => content.store.readBlob(descriptor) };
  await destination.writeBlob(descriptor, counted(run, descriptor.digest, source, parent));
}

/** Tells how the bytes flow. Nothing is told when the blob is there already and the source is never opened. */
function counted(run: RunContext, title: string, source: BodySource, parent: string): BodySource {
  return {
    ...(source.length === undefined ? {} : { length: source.length }),
    async open() {
      const task = randomUUID();
      const started = { code: "task/started", task, parent, title: `layer ${title.slice(0, 19)}` } as const;
      run.emit(source.length === undefined ? started : { ...started, totalBytes: source.length });
      const counter = new Transform({
        transform(chunk: Uint8Array, _encoding, done) {
          run.emit({ code: "task/progress", task, bytes: chunk.length });
          done(null, chunk);
        },
      });
      const bytes = await source.open();
      bytes.on("error", (error) => counter.destroy(error));
      counter.on("close", () => {
        bytes.destroy();
        run.emit({ code: "task/ended", task, result: counter.readableEnded ? "done" : "failed" });
      });
      return bytes.pipe(counter);
    },
  };
}
