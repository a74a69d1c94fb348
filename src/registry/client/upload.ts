import { pipeline, type Readable } from "node:stream";
import { isWerfError } from "../../core/errors.js";
import type { BodySource, HttpResponse } from "../../core/http.js";
import { isTransient } from "../../http/failure.js";
import { Attempts, isRetriedStatus, retryAfterMs } from "../../http/retry.js";
import { type Digest, VerifyStream } from "../../oci/digest.js";
import type { RepositoryName } from "../../oci/reference.js";
import { scopesOf } from "../auth/scope.js";
import { statBlob } from "./blob.js";
import type { Endpoint } from "./endpoint.js";

export interface Blob {
  readonly digest: Digest;
  readonly size: number;
}

/** A registry may hash and move the whole blob before it answers. */
const commitTimeoutMs = 15 * 60_000;

/**
 * Uploads a blob in one piece: POST, then PUT with the bytes (distribution-spec, "POST then PUT"). A session
 * that failed is not taken up: the whole is sent again, unless the registry turns out to have it.
 */
export async function uploadBlob(endpoint: Endpoint, blob: Blob, source: BodySource): Promise<void> {
  const { run } = endpoint;
  const attempts = new Attempts(run, endpoint.host);
  const doing = `upload the blob ${blob.digest} to ${endpoint.address}`;
  for (;;) {
    const failure = await attempt(endpoint, blob, source, doing);
    if (failure === undefined) return;
    if (!failure.retry || !(await attempts.again(failure.retry))) throw failure.error;
    if ((await statBlob(endpoint, blob.digest)).kind === "present") return;
  }
}

interface UploadFailure {
  readonly error: unknown;
  readonly retry: { because: string; waitMs?: number | undefined } | undefined;
}

async function attempt(
  endpoint: Endpoint,
  blob: Blob,
  source: BodySource,
  doing: string,
): Promise<UploadFailure | undefined> {
  const target = await openSession(endpoint, doing);
  target.searchParams.set("digest", blob.digest);
  let response: HttpResponse;
  try {
    response = await endpoint.request({
      method: "PUT",
      path: target,
      headers: { "content-type": "application/octet-stream" },
      body: { length: blob.size, open: () => verified(endpoint, blob, source) },
      retry: false,
      timeoutMs: commitTimeoutMs,
    });
  } catch (error) {
    const retry = isWerfError(error) && isTransient(error) ? { because: error.message } : undefined;
    return { error, retry };
  }
  if (response.status === 201 || response.status === 204) {
    await response.discard();
    return undefined;
  }
  const waitMs = retryAfterMs(response.headers["retry-after"], endpoint.run.clock.now());
  // 404: the session is gone, as behind a load balancer whose registries don't share a secret.
  const again = isRetriedStatus(response.status) || response.status === 404;
  return {
    error: await endpoint.error(response, doing),
    retry: again ? { because: `status ${response.status}`, waitMs } : undefined,
  };
}

async function openSession(endpoint: Endpoint, doing: string): Promise<URL> {
  const response = await endpoint.request({
    method: "POST",
    path: "blobs/uploads/",
    headers: { "content-length": "0" },
    retry: true,
  });
  const location = response.headers["location"];
  if (response.status !== 202 || location === undefined) throw await endpoint.error(response, doing);
  await response.discard();
  return endpoint.resolve(location, response.url);
}

async function verified(endpoint: Endpoint, blob: Blob, source: BodySource): Promise<Readable> {
  return pipeline(await source.open(), new VerifyStream(blob, endpoint.address), () => undefined);
}

/**
 * Takes a blob over from another repository of the same registry: distribution-spec, "Mounting a blob from
 * another repository". `false`: it has to be uploaded.
 */
export async function mountBlob(endpoint: Endpoint, digest: Digest, from: RepositoryName): Promise<boolean> {
  const query = new URLSearchParams({ mount: digest, from: from.name });
  let response: HttpResponse;
  try {
    response = await endpoint.request({
      method: "POST",
      path: `blobs/uploads/?${query}`,
      headers: { "content-length": "0" },
      scopes: scopesOf(from.name, ["pull"]),
      retry: true,
    });
  } catch (error) {
    // A token for both repositories may be refused where one for ours alone is given.
    if (isWerfError(error) && (error.code === "registry/unauthorized" || error.code === "registry/denied"))
      return false;
    throw error;
  }
  await response.discard();
  if (response.status === 202) await cancelSession(endpoint, response);
  return response.status === 201;
}

/** The registry opened an upload instead. It would expire by itself: a failure here is none. */
async function cancelSession(endpoint: Endpoint, response: HttpResponse): Promise<void> {
  const location = response.headers["location"];
  if (location === undefined) return;
  try {
    const path = await endpoint.resolve(location, response.url);
    const answer = await endpoint.request({ method: "DELETE", path, retry: false });
    await answer.discard();
  } catch (error) {
    if (endpoint.run.signal.aborted) throw error;
  }
}
