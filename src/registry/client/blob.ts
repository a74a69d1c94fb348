import { pipeline, Readable } from "node:stream";
import { isWerfError, WerfError } from "../../core/errors.js";
import type { HttpResponse } from "../../core/http.js";
import { type Digest, VerifyStream } from "../../oci/digest.js";
import type { BlobStat } from "../../oci/store.js";
import { isHtml } from "./answer.js";
import type { Endpoint } from "./endpoint.js";

const maxResumes = 5;

/** HEAD `/v2/NAME/blobs/DIGEST`. */
export async function statBlob(endpoint: Endpoint, digest: Digest): Promise<BlobStat> {
  const response = await endpoint.request({ method: "HEAD", path: `blobs/${digest}` });
  if (response.status === 404 && !isHtml(response)) return { kind: "missing" };
  const size = Number(response.headers["content-length"]);
  if (response.status !== 200)
    throw await endpoint.error(response, `look for the blob ${digest} in ${endpoint.address}`);
  if (Number.isSafeInteger(size) && size >= 0) return { kind: "present", size };
  throw new WerfError(
    "registry/answer-invalid",
    `${endpoint.address}: the registry doesn't say how large the blob ${digest} is`,
  );
}

/**
 * GET `/v2/NAME/blobs/DIGEST`, verified. A connection that breaks is taken up where it ended.
 * @throws WerfError `oci/blob-missing`
 */
export async function readBlob(
  endpoint: Endpoint,
  blob: { readonly digest: Digest; readonly size?: number },
): Promise<Readable> {
  const first = await getBlob(endpoint, blob.digest, 0);
  const verify = new VerifyStream(blob, endpoint.address);
  // The error reaches the reader through `verify`.
  return pipeline(
    Readable.from(chunks(endpoint, blob.digest, first), { objectMode: false }),
    verify,
    () => undefined,
  );
}

async function* chunks(endpoint: Endpoint, digest: Digest, first: HttpResponse): AsyncGenerator<Uint8Array> {
  let response = first;
  let seen = 0;
  for (let resumes = 0; ; resumes++) {
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        seen += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      const broken = isWerfError(error) && (error.code === "http/reset" || error.code === "http/timeout");
      if (!broken || seen === 0 || resumes >= maxResumes) throw error;
      const rest = await getBlob(endpoint, digest, seen);
      // A server without ranges would begin anew: what was read can't be taken back.
      if (rest.status !== 206 || !rest.headers["content-range"]?.startsWith(`bytes ${seen}-`)) {
        rest.body.destroy();
        throw error;
      }
      response = rest;
    }
  }
}

async function getBlob(endpoint: Endpoint, digest: Digest, from: number): Promise<HttpResponse> {
  const headers: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
  const response = await endpoint.request({ method: "GET", path: `blobs/${digest}`, headers });
  if (response.status === 200 || (response.status === 206 && from > 0)) return response;
  if (response.status === 404 && !isHtml(response)) {
    await response.discard();
    throw new WerfError("oci/blob-missing", `${endpoint.address} doesn't have the blob ${digest}`, {
      hint: "the image is broken there, or the registry is removing it now",
    });
  }
  throw await endpoint.error(response, `read the blob ${digest} of ${endpoint.address}`);
}
