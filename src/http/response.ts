import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { WerfError } from "../core/errors.js";
import type { HttpResponse } from "../core/http.js";

const defaultLimit = 4 * 1024 * 1024;
/** What is read of an unwanted body to keep its connection; more than this, and the connection goes. */
const discardLimit = 256 * 1024;

type Translate = (error: unknown) => Error;

export function httpResponse(
  answer: Dispatcher.ResponseData,
  address: { readonly url: string; readonly printable: string },
  translate: Translate,
): HttpResponse {
  const headers = flatten(answer.headers);
  const body = new ResponseBody(answer.body, translate);
  const bytes = (limit = defaultLimit): Promise<Uint8Array> =>
    collect(body, Number(headers["content-length"] ?? 0), limit, address.printable);
  return {
    status: answer.statusCode,
    headers,
    url: address.url,
    body,
    bytes,
    text: async (limit) => Buffer.from(await bytes(limit)).toString("utf8"),
    discard: () => discard(body),
  };
}

/** Passes undici's body on, with its errors in our words. */
class ResponseBody extends Readable {
  readonly #source: Readable;
  #started = false;

  constructor(source: Readable, translate: Translate) {
    super({ highWaterMark: 256 * 1024 });
    this.#source = source;
    source.on("error", (error) => this.destroy(translate(error)));
    // Whoever reads it gets the error; a body that nobody reads any more must not end the process.
    this.on("error", () => undefined);
  }

  override _read(): void {
    if (!this.#started) {
      this.#started = true;
      this.#source.on("data", (chunk: Uint8Array) => {
        if (!this.push(chunk)) this.#source.pause();
      });
      this.#source.on("end", () => this.push(null));
    }
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#source.readableEnded) this.#source.destroy();
    done(error);
  }
}

async function collect(
  body: Readable,
  announced: number,
  limit: number,
  address: string,
): Promise<Uint8Array> {
  const tooLarge = (): WerfError =>
    new WerfError("http/body-too-large", `${address}: the answer is larger than ${limit} bytes`);
  if (announced > limit) {
    body.destroy();
    throw tooLarge();
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

async function discard(body: Readable): Promise<void> {
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > discardLimit) break;
    }
  } catch {
    // Nobody wanted it.
  }
}

function flatten(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
