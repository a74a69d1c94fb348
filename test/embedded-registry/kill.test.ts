import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RawManifest } from "../../src/oci/manifest.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import { type Blob, blobOf, jsonManifest, randomBlob } from "../contract/content.js";
import { type Gate, startGate } from "../support/gate.js";

// The packed command serves a directory and is killed: after each request of a push in turn, in the middle of an
// upload, and while it takes a manifest. What was acknowledged is there afterwards, and what is visible is whole.

const binary = fileURLToPath(new URL("../../dist/bin/werf.js", import.meta.url));
const repository = "/v2/killed/app";

let root: string;
/** Of the server itself. */
let host: string;
let gate: Gate;
let serving: ChildProcess | undefined;
/** What the registry acknowledged: blobs by digest, manifests by tag. */
const blobs = new Set<string>();
const tags = new Map<string, string>();

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "werf-ts-kill-"));
  gate = await startGate("127.0.0.1:1");
});
afterAll(async () => {
  await kill();
  await gate.stop();
  await rm(root, { recursive: true, force: true });
});

async function start(): Promise<void> {
  const child = spawn(
    process.execPath,
    [binary, "registry", "serve", "--listen", "127.0.0.1:0", "--root", root],
    { env: { HOME: root, PATH: process.env["PATH"] }, stdio: ["ignore", "pipe", "inherit"] },
  );
  serving = child;
  const lines = createInterface(child.stdout);
  const line = await new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("close", () => reject(new Error("the registry ended before it served")));
  });
  host = line.slice(line.lastIndexOf("/") + 1);
  gate.lead(host);
  gate.open();
}

async function kill(): Promise<void> {
  const child = serving;
  serving = undefined;
  if (child === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

interface Image {
  readonly config: Blob;
  readonly layer: Blob;
  readonly manifest: RawManifest;
}

function image(): Image {
  const [config, layer] = [randomBlob(), randomBlob(300_000)];
  const manifest = jsonManifest(mediaTypes.ociManifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: mediaTypes.ociConfig, digest: config.digest, size: config.size },
    layers: [{ mediaType: mediaTypes.ociLayerGzip, digest: layer.digest, size: layer.size }],
    // Long enough to be written in pieces.
    annotations: { padding: "x".repeat(2_000_000) },
  });
  return { config, layer, manifest };
}

async function send(method: string, path: string, body?: Uint8Array): Promise<Response> {
  const response = await fetch(new URL(path, `http://${gate.host}`), {
    method,
    headers: { "content-type": mediaTypes.ociManifest },
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}`);
  return response;
}

async function uploadAddress(digest: string): Promise<string> {
  const session = await send("POST", `${repository}/blobs/uploads/`);
  return `${session.headers.get("location")}?digest=${digest}`;
}

async function pushBlob({ bytes, digest }: Blob): Promise<void> {
  await send("PUT", await uploadAddress(digest), bytes);
  blobs.add(digest);
}

async function pushManifest({ bytes, digest }: RawManifest, tag: string): Promise<void> {
  // Until it is acknowledged, the tag may be the old manifest or the new one.
  tags.delete(tag);
  await send("PUT", `${repository}/manifests/${tag}`, bytes);
  tags.set(tag, digest);
}

/** Seven requests. */
async function push(tag: string): Promise<void> {
  const { config, layer, manifest } = image();
  await pushBlob(config);
  await pushBlob(layer);
  await pushManifest(manifest, tag);
  await pushManifest(manifest, "latest");
  tags.delete(tag);
  await send("DELETE", `${repository}/manifests/${tag}`);
}

/** Sends a request without its last `missing` bytes, and calls `then` when the rest is on its way. */
async function sendPart(
  path: string,
  bytes: Uint8Array,
  missing: number,
  then: () => Promise<void>,
): Promise<void> {
  const outgoing = request(new URL(path, `http://${host}`), {
    method: "PUT",
    headers: { "content-type": mediaTypes.ociManifest, "content-length": bytes.length },
  });
  const lost = new Promise((resolve) =>
    outgoing.on("error", resolve).once("response", resolve).once("close", resolve),
  );
  await new Promise<void>((resolve) => {
    const part = bytes.subarray(0, bytes.length - missing);
    if (missing === 0) outgoing.end(part, resolve);
    else outgoing.write(part, () => resolve());
  });
  await then();
  outgoing.destroy();
  await lost;
}

async function read(path: string): Promise<Blob> {
  return blobOf(Buffer.from(await (await send("GET", path)).arrayBuffer()));
}

async function expectWhole(): Promise<void> {
  for (const digest of blobs) expect((await read(`${repository}/blobs/${digest}`)).digest).toBe(digest);
  const listing = await fetch(`http://${gate.host}${repository}/tags/list`);
  const visible = listing.status === 404 ? [] : ((await listing.json()) as { tags: string[] }).tags;
  expect(visible).toEqual(expect.arrayContaining([...tags.keys()]));
  for (const tag of visible) {
    const response = await send("GET", `${repository}/manifests/${tag}`);
    const { digest, bytes } = blobOf(Buffer.from(await response.arrayBuffer()));
    expect(response.headers.get("docker-content-digest")).toBe(digest);
    if (tags.has(tag)) expect(digest, tag).toBe(tags.get(tag));
    const { config, layers } = JSON.parse(Buffer.from(bytes).toString()) as Record<string, never> & {
      config: { digest: string };
      layers: { digest: string }[];
    };
    for (const blob of [config, ...layers]) {
      expect((await read(`${repository}/blobs/${blob.digest}`)).digest, tag).toBe(blob.digest);
    }
  }
}

test("killed at any moment, it keeps what it acknowledged and shows nothing by halves", async () => {
  for (let n = 1; n <= 7; n++) {
    await start();
    const killed = new Promise<void>((resolve) => gate.closeAfter(n, () => void kill().then(resolve)));
    await expect(push(`v${n}`)).rejects.toThrow();
    await killed;
    await start();
    await expectWhole();
    await kill();
  }
  for (let n = 0; n < 8; n++) {
    await start();
    const { config, layer, manifest } = image();
    await pushBlob(config);
    // Half of a layer, or all of it but its last byte: it never becomes visible.
    await sendPart(await uploadAddress(layer.digest), layer.bytes, n % 2 === 0 ? 150_000 : 1, kill);
    await start();
    await expect(send("HEAD", `${repository}/blobs/${layer.digest}`)).rejects.toThrow("404");
    await pushBlob(layer);
    // The manifest has come, and nobody knows how far its server was.
    tags.delete("latest");
    await sendPart(`${repository}/manifests/latest`, manifest.bytes, 0, kill);
    await start();
    await expectWhole();
    await pushManifest(manifest, "latest");
    await kill();
  }
  await start();
  await expectWhole();
  expect(tags.has("latest")).toBe(true);
});
