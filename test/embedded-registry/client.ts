import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect } from "vitest";
import type { RegistryOptions } from "../../src/embedded-registry/server/server.js";
import type { RawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import { type Blob, blobOf, jsonManifest, randomBlob } from "../contract/content.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** The body as JSON. */
  json(): unknown;
}

export interface Sent {
  readonly body?: Uint8Array | string;
  readonly headers?: Record<string, string>;
}

export interface Client {
  readonly registry: EmbeddedTestRegistry;
  send(method: string, path: string, sent?: Sent): Promise<Answer>;
}

/** One server for the tests of a file; the raw requests are the point. */
export function useRegistry(options: Partial<RegistryOptions> = {}): Client {
  let registry: EmbeddedTestRegistry | undefined;
  beforeAll(async () => {
    registry = await startEmbedded(options);
  });
  afterAll(() => registry?.stop());
  const running = (): EmbeddedTestRegistry => {
    if (registry === undefined) throw new Error("the registry isn't started");
    return registry;
  };
  return {
    get registry() {
      return running();
    },
    send: (method, path, sent = {}) => send(running().host, method, path, sent),
  };
}

/** By node:http, because `fetch` would tidy the path. */
async function send(host: string, method: string, path: string, sent: Sent): Promise<Answer> {
  const [hostname, port] = host.split(":");
  return new Promise((resolve, reject) => {
    const length = sent.body === undefined ? {} : { "content-length": Buffer.byteLength(sent.body) };
    const outgoing = httpRequest({ hostname, port, method, path, headers: { ...length, ...sent.headers } });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.once("error", reject);
      incoming.once("end", () => {
        const bytes = Buffer.concat(chunks);
        const headers = new Headers();
        for (const [name, value] of Object.entries(incoming.headersDistinct))
          headers.set(name, String(value));
        resolve({
          status: incoming.statusCode ?? 0,
          headers,
          bytes,
          json: () => JSON.parse(bytes.toString()),
        });
      });
    });
    outgoing.end(sent.body);
  });
}

/** Begins a request and lets go of the connection after these bytes of its body. */
export async function breakOff(host: string, head: string, bytes: Uint8Array): Promise<void> {
  const [hostname = "", port] = host.split(":");
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => resolve());
    socket.write(`${head.replaceAll("\n", "\r\n")}\r\n\r\n`);
    socket.write(bytes, () => socket.destroySoon());
  });
}

export function expectError(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, body: answer.json() }).toMatchObject({
    status,
    body: { errors: [{ code, message: expect.any(String) }] },
  });
  expect(answer.headers.get("content-type")).toBe("application/json");
}

export async function pushBlob(client: Client, name: string, blob: Blob): Promise<void> {
  const answer = await client.send("POST", `/v2/${name}/blobs/uploads/?digest=${blob.digest}`, {
    body: blob.bytes,
  });
  expect(answer.status).toBe(201);
}

/** An image with one layer whose blobs are pushed. */
export async function pushImageBlobs(client: Client, name: string, extra: object = {}): Promise<RawManifest> {
  const [config, layer] = [blobOf(`{"of":"${randomBlob(8).digest}"}`), randomBlob()];
  await pushBlob(client, name, config);
  await pushBlob(client, name, layer);
  return jsonManifest(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
    layers: [{ mediaType: mediaTypes.ociLayer, digest: layer.digest, size: layer.size }],
    ...extra,
  });
}

export function putManifest(
  client: Client,
  name: string,
  reference: string,
  manifest: RawManifest,
): Promise<Answer> {
  return client.send("PUT", `/v2/${name}/manifests/${reference}`, {
    body: manifest.bytes,
    headers: { "content-type": manifest.mediaType },
  });
}

/** Pushes a new image under its tags, or by its digest alone. */
export async function pushImage(
  client: Client,
  name: string,
  tags: readonly string[] = [],
  extra: object = {},
): Promise<RawManifest> {
  const image = await pushImageBlobs(client, name, extra);
  for (const reference of tags.length === 0 ? [image.digest] : tags) {
    expect((await putManifest(client, name, reference, image)).status).toBe(201);
  }
  return image;
}
