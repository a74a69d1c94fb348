import { type Readable, Transform } from "node:stream";
import { copyFailure, writing } from "./failure.js";
import type { PlannedBlob } from "./plan.js";

export type BlobOutcome = "uploaded" | "mounted" | "skipped";

/** Moves single blobs; knows what is under way, so that a failure elsewhere can end it. */
export class BlobTransfer {
  readonly #onBytes: (bytes: number) => void;
  readonly #open = new Set<Readable>();
  #aborted = false;
  bytes = 0;

  constructor(onBytes: (bytes: number) => void) {
    this.#onBytes = onBytes;
  }

  /** Mounts the blob where source and destination are of one place, else sends it unless it is there. */
  async copy(blob: PlannedBlob): Promise<BlobOutcome> {
    const { source, destination, descriptor } = blob;
    if (source.place === destination.place && destination.mountBlob !== undefined) {
      const isMounted = await writing(destination, async () => destination.mountBlob?.(descriptor, source));
      if (isMounted === true) {
        this.#onBytes(descriptor.size);
        return "mounted";
      }
    }
    return this.send(blob);
  }

  async send({ source, destination, descriptor }: PlannedBlob): Promise<BlobOutcome> {
    let sourceFailure: { readonly error: unknown } | undefined;
    let reported = 0;
    const open = async (): Promise<Readable> => {
      if (this.#aborted) throw new Error("the copy was given up");
      sourceFailure = undefined;
      let seen = 0;
      const count = (length: number): void => {
        seen += length;
        this.bytes += length;
        if (seen <= reported) return;
        // A second attempt moves the same bytes again; progress counts them once.
        this.#onBytes(seen - reported);
        reported = seen;
      };
      try {
        const content = await source.readBlob(descriptor);
        return this.#metered(content, count, (error) => {
          sourceFailure = { error };
        });
      } catch (error) {
        sourceFailure = { error };
        throw error;
      }
    };
    try {
      const written = await destination.writeBlob(descriptor, { length: descriptor.size, open });
      if (reported < descriptor.size) this.#onBytes(descriptor.size - reported);
      return written.kind === "uploaded" ? "uploaded" : "skipped";
    } catch (error) {
      if (sourceFailure === undefined) throw copyFailure(`writing to ${destination.address}`, error);
      throw copyFailure(`reading from ${source.address}`, sourceFailure.error);
    }
  }

  /** Ends what is under way. */
  abort(): void {
    this.#aborted = true;
    for (const stream of this.#open) stream.destroy(new Error("the copy was given up"));
  }

  /**
   * Counts the bytes of a stream. Joined by hand, not by `pipeline`: a failure of the reader must not look like
   * one of the source.
   */
  #metered(content: Readable, count: (length: number) => void, onError: (error: unknown) => void): Readable {
    const meter = new Transform({
      transform: (chunk: Uint8Array, _encoding, done) => {
        count(chunk.length);
        done(null, chunk);
      },
    });
    const fail = (error: Error): void => {
      if (!meter.destroyed) onError(error);
      meter.destroy(error);
    };
    content.on("error", fail);
    content.once("close", () => {
      if (!content.readableEnded) fail(new Error("the stream was closed before its end"));
    });
    meter.once("close", () => {
      this.#open.delete(meter);
      content.destroy();
    });
    // The reader hears of it where it reads; an abort between two reads must not be an unheard error.
    meter.on("error", () => undefined);
    this.#open.add(meter);
    content.pipe(meter);
    return meter;
  }
}
