import type { Digest } from "../../oci/digest.js";
import { isRepositoryName } from "../store/names.js";
import type { EmbeddedRepository } from "../store/repository.js";
import { StagedBlob } from "../store/staged-blob.js";
import { ProtocolError, send } from "./answer.js";
import { bodyOf, type Exchange, wantDigest } from "./exchange.js";
import { readContentRange } from "./range.js";
import type { RouteOf } from "./route.js";
import type { UploadSession } from "./upload-sessions.js";

/** end-4a begins a session, end-4b takes the whole blob at once, end-11 mounts one. */
export async function postUpload(exchange: Exchange, route: RouteOf<"uploads">): Promise<void> {
  const { query, response, service } = exchange;
  const repository = service.root.repository(route.name);
  if (query.has("mount")) {
    const digest = wantDigest(query.get("mount"));
    if (await mount(exchange, repository, digest)) {
      created(exchange, repository, digest);
      return;
    }
  } else if (query.has("digest")) {
    const digest = wantDigest(query.get("digest"));
    await service.uploads.atOnce(() => putAtOnce(exchange, repository, digest));
    return;
  }
  const algorithm = query.get("digest-algorithm") === "sha512" ? "sha512" : "sha256";
  const session = await service.uploads.start(route.name, algorithm);
  send(response, 202, sessionHeaders(session));
}

/** Without `from`, or when it hasn't the blob, the client is given a session instead. */
async function mount(exchange: Exchange, target: EmbeddedRepository, digest: Digest): Promise<boolean> {
  const from = exchange.query.get("from");
  if (from === null || !isRepositoryName(from)) return false;
  return target.blobs.mount(digest, exchange.service.root.repository(from).blobs);
}

async function putAtOnce(exchange: Exchange, repository: EmbeddedRepository, digest: Digest): Promise<void> {
  const { request, service } = exchange;
  refuseTooLarge(exchange, 0);
  const algorithm = digest.startsWith("sha512:") ? "sha512" : "sha256";
  const staged = await StagedBlob.create(repository.staging, algorithm);
  try {
    await staged.append(bodyOf(request), service.maxBlobBytes);
    await repository.blobs.adopt(staged, digest);
  } finally {
    await staged.discard();
  }
  created(exchange, repository, digest);
}

/** end-5. */
export async function patchUpload(exchange: Exchange, route: RouteOf<"upload">): Promise<void> {
  await exchange.service.uploads.use(route.name, route.id, async (session) => {
    await appendBody(exchange, session);
    send(exchange.response, 202, sessionHeaders(session));
  });
}

/** end-6, with or without a last piece in its body. */
export async function putUpload(exchange: Exchange, route: RouteOf<"upload">): Promise<void> {
  const { query, service } = exchange;
  await service.uploads.use(route.name, route.id, async (session) => {
    const digest = wantDigest(query.get("digest"));
    await appendBody(exchange, session);
    const repository = service.root.repository(route.name);
    try {
      await repository.blobs.adopt(session.staged, digest);
    } finally {
      await service.uploads.end(session);
    }
    created(exchange, repository, digest);
  });
}

/** end-13. */
export async function getUpload(exchange: Exchange, route: RouteOf<"upload">): Promise<void> {
  await exchange.service.uploads.use(route.name, route.id, async (session) => {
    send(exchange.response, 204, sessionHeaders(session));
  });
}

/** Gives an upload up; distribution-spec 1.1 leaves it to the registry, Docker's API has it. */
export async function deleteUpload(exchange: Exchange, route: RouteOf<"upload">): Promise<void> {
  const { uploads } = exchange.service;
  await uploads.use(route.name, route.id, (session) => uploads.end(session));
  send(exchange.response, 204, {});
}

/**
 * @throws ProtocolError 416 for a piece out of order, SIZE_INVALID for one that isn't as long as it says; a client that
 * goes away in the middle leaves what came, to go on from there
 */
async function appendBody(exchange: Exchange, session: UploadSession): Promise<void> {
  const { request, service } = exchange;
  const header = request.headers["content-range"];
  const range = header === undefined ? undefined : readContentRange(header);
  if (header !== undefined && range === undefined) {
    throw new ProtocolError(400, "BLOB_UPLOAD_INVALID", "Content-Range is start-end, both included");
  }
  if (range !== undefined && range.start !== session.staged.size) {
    const message = `the upload has ${session.staged.size} bytes, and this piece begins at ${range.start}`;
    throw new ProtocolError(416, "BLOB_UPLOAD_INVALID", message, { headers: sessionHeaders(session) });
  }
  const length = request.headers["content-length"];
  if (range !== undefined && length !== undefined && Number(length) !== range.end - range.start + 1) {
    throw new ProtocolError(400, "SIZE_INVALID", "Content-Length and Content-Range differ");
  }
  try {
    refuseTooLarge(exchange, session.staged.size);
    await session.staged.append(
      bodyOf(request),
      Math.min(service.maxBlobBytes, (range?.end ?? Infinity) + 1),
    );
  } catch (error) {
    if (!request.destroyed || request.complete) await service.uploads.end(session);
    throw error;
  }
  if (range !== undefined && session.staged.size !== range.end + 1) {
    throw new ProtocolError(400, "SIZE_INVALID", "the body is shorter than Content-Range says");
  }
}

function refuseTooLarge({ request, service }: Exchange, have: number): void {
  if (have + Number(request.headers["content-length"] ?? 0) <= service.maxBlobBytes) return;
  throw new ProtocolError(413, "SIZE_INVALID", `a blob has at most ${service.maxBlobBytes} bytes here`, {
    headers: { connection: "close" },
  });
}

/** `Range` of nothing is `0-0`, as CNCF distribution has it: the specification has no word for it. */
function sessionHeaders(session: UploadSession): Record<string, string> {
  return {
    location: `/v2/${session.name}/blobs/uploads/${session.id}`,
    range: `0-${Math.max(0, session.staged.size - 1)}`,
    "docker-upload-uuid": session.id,
  };
}

function created({ response }: Exchange, repository: EmbeddedRepository, digest: Digest): void {
  send(response, 201, {
    location: `/v2/${repository.name}/blobs/${digest}`,
    "docker-content-digest": digest,
  });
}
