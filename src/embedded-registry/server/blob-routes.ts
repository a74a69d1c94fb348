import { pipeline } from "node:stream/promises";
import { ProtocolError, send } from "./answer.js";
import { type Exchange, matchesEtag, notFound, wantDigest } from "./exchange.js";
import { type RangeRequest, readRange } from "./range.js";
import type { RouteOf } from "./route.js";

/** Read at once; larger ones are streamed in pieces of `streamBytes`. */
const wholeBytes = 256 * 1024;
const streamBytes = 1024 * 1024;

/** end-2: GET and HEAD, with `Range`. The client verifies what it gets; the store did when it was written. */
export async function getBlob(exchange: Exchange, route: RouteOf<"blob">): Promise<void> {
  const { request, response, service } = exchange;
  const digest = wantDigest(route.digest);
  const repository = service.root.repository(route.name);
  const handle = await repository.blobs.open(digest);
  if (handle === undefined) throw await notFound(repository, "BLOB_UNKNOWN", { digest });
  try {
    // Who asks so may list it in a manifest next.
    if (request.method === "HEAD" && !service.readOnly) await repository.blobs.renew(digest);
    const { size } = await handle.stat();
    const etag = `"${digest}"`;
    const headers = {
      "content-type": "application/octet-stream",
      "docker-content-digest": digest,
      "accept-ranges": "bytes",
      "cache-control": "max-age=31536000",
      etag,
    };
    if (matchesEtag(request, etag)) {
      send(response, 304, headers);
      return;
    }
    const range = rangeOf(exchange, size, etag);
    if (range.kind === "unsatisfiable") {
      throw new ProtocolError(416, "SIZE_INVALID", `the blob has ${size} bytes`, {
        headers: { "content-range": `bytes */${size}` },
      });
    }
    const { start, end } = range.kind === "part" ? range : { start: 0, end: size - 1 };
    const length = end - start + 1;
    response.writeHead(range.kind === "part" ? 206 : 200, {
      ...headers,
      "content-length": String(length),
      ...(range.kind === "part" ? { "content-range": `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method === "HEAD" || length === 0) {
      response.end();
    } else if (length <= wholeBytes) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, start);
      response.end(buffer.subarray(0, bytesRead));
    } else {
      const file = handle.createReadStream({ start, end, highWaterMark: streamBytes, autoClose: false });
      await pipeline(file, response);
    }
  } finally {
    await handle.close();
  }
}

function rangeOf({ request }: Exchange, size: number, etag: string): RangeRequest {
  const ifRange = request.headers["if-range"];
  const stale = ifRange !== undefined && ifRange !== etag;
  return request.method === "HEAD" || stale ? { kind: "whole" } : readRange(request.headers.range, size);
}

/** end-10. */
export async function deleteBlob(exchange: Exchange, route: RouteOf<"blob">): Promise<void> {
  const digest = wantDigest(route.digest);
  const repository = exchange.service.root.repository(route.name);
  if (!(await repository.blobs.remove(digest))) throw await notFound(repository, "BLOB_UNKNOWN", { digest });
  send(exchange.response, 202, {});
}
