import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import type { WerfEvent } from "../../src/core/events.js";
import {
  openRegistry,
  type RegistryOptions,
  type RunningRegistry,
  startRegistry,
} from "../../src/embedded-registry/server/server.js";
import { blobOf, newImage, randomBlob } from "../contract/content.js";

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "werf-ts-server-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function start(options: Partial<RegistryOptions> = {}): Promise<RunningRegistry> {
  const server = await startRegistry({
    root: options.root ?? (await temporary()),
    listen: { host: "127.0.0.1", port: 0 },
    clock: systemClock,
    emit: () => undefined,
    signal: new AbortController().signal,
    durable: false,
    ...options,
  });
  onTestFinished(() => server.close());
  return server;
}

describe("a read-only registry", () => {
  test("serves and changes nothing", async () => {
    const root = await temporary();
    const writable = await start({ root });
    const repository = writable.root.repository("app");
    const image = await newImage(repository);
    await repository.writeManifest(image, "v1");
    const server = await start({ root, readOnly: true });
    const base = `${server.url}/v2/app`;
    expect((await fetch(`${base}/manifests/v1`)).status).toBe(200);
    expect((await fetch(`${base}/tags/list`)).status).toBe(200);
    const writes: [string, string][] = [
      ["POST", "/blobs/uploads/"],
      ["PUT", "/manifests/v2"],
      ["DELETE", "/manifests/v1"],
      ["DELETE", `/manifests/${image.digest}`],
      ["DELETE", `/blobs/${blobOf("").digest}`],
    ];
    for (const [method, path] of writes) {
      const answer = await fetch(base + path, { method });
      expect(answer.status).toBe(405);
      expect(await answer.json()).toMatchObject({ errors: [{ code: "UNSUPPORTED" }] });
    }
    expect((await fetch(`${base}/manifests/v1`)).status).toBe(200);
  });
});

describe("start and end", () => {
  test("what one server wrote the next one serves", async () => {
    const root = await temporary();
    const first = await start({ root });
    const blob = randomBlob(100_000);
    const push = await fetch(`${first.url}/v2/app/blobs/uploads/?digest=${blob.digest}`, {
      method: "POST",
      body: blob.bytes as Uint8Array<ArrayBuffer>,
    });
    expect(push.status).toBe(201);
    await first.close();
    await expect(fetch(`${first.url}/v2/`)).rejects.toThrow();
    const second = await start({ root });
    const answer = await fetch(`${second.url}/v2/app/blobs/${blob.digest}`);
    expect(Buffer.from(await answer.arrayBuffer()).equals(blob.bytes)).toBe(true);
  });

  test("closing waits for the request under way, and ends with the signal as well", async () => {
    const abort = new AbortController();
    const server = await start({ signal: abort.signal });
    const blob = randomBlob(1000);
    const [hostname, port] = server.host.split(":");
    const upload = request({
      hostname,
      port,
      method: "POST",
      path: `/v2/app/blobs/uploads/?digest=${blob.digest}`,
      headers: { "content-length": blob.size, expect: "100-continue" },
    });
    upload.flushHeaders();
    // The server has the request in hand.
    await once(upload, "continue");
    upload.write(blob.bytes.subarray(0, 500));
    abort.abort();
    const closed = server.close();
    upload.end(blob.bytes.subarray(500));
    const [response] = await once(upload, "response");
    response.resume();
    expect(response.statusCode).toBe(201);
    await closed;
    await expect(fetch(`${server.url}/v2/`)).rejects.toThrow();
  });

  test("a signal that has aborted already starts nothing that stays", async () => {
    const server = await start({ signal: AbortSignal.abort() });
    await expect(fetch(`${server.url}/v2/`)).rejects.toThrow();
  });

  test("a port that is taken is named", async () => {
    const first = await start();
    const port = Number(first.host.split(":")[1]);
    await expect(start({ listen: { host: "127.0.0.1", port } })).rejects.toMatchObject({
      code: "embedded-registry/listen-failed",
      message: expect.stringContaining(`127.0.0.1:${port}: EADDRINUSE`),
    });
  });

  test("unfinished uploads of a server that was killed go at the next start, young ones stay", async () => {
    const root = await temporary();
    const staging = join(root, "staging");
    await mkdir(staging);
    for (const name of ["old", "young"]) await writeFile(join(staging, name), "half");
    await utimes(join(staging, "old"), 1000, 1000);
    await start({ root });
    expect(await readdir(staging)).toEqual(["young"]);
  });

  test("unfinished uploads of this server go when it closes", async () => {
    const root = await temporary();
    const server = await start({ root });
    await fetch(`${server.url}/v2/app/blobs/uploads/`, { method: "POST" });
    expect(await readdir(join(root, "staging"))).toHaveLength(1);
    await server.close();
    expect(await readdir(join(root, "staging"))).toEqual([]);
  });
});

test("a failure of the registry itself is 500 and a warning, without its paths", async () => {
  const root = await temporary();
  const events: WerfEvent[] = [];
  const server = await start({ root, emit: (event) => void events.push(event) });
  await mkdir(join(root, "repositories", "app", "_tags"), { recursive: true });
  await mkdir(join(root, "repositories", "app", "_tags", "v1"));
  const answer = await fetch(`${server.url}/v2/app/manifests/v1`);
  expect(answer.status).toBe(500);
  const body = await answer.text();
  expect(JSON.parse(body)).toMatchObject({ errors: [{ code: "UNKNOWN" }] });
  expect(body).not.toContain(root);
  expect(events).toContainEqual(
    expect.objectContaining({
      code: "warning",
      id: "embedded-registry/internal",
      message: expect.stringContaining("EISDIR"),
    }),
  );
});

test("a registry without a port answers behind a server of one's own", async () => {
  const registry = await openRegistry({ root: await temporary(), clock: systemClock, emit: () => undefined });
  const server = createServer((incoming, response) => {
    if (incoming.headers.authorization === "Bearer x") void registry.handle(incoming, response);
    else response.writeHead(401).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
    await registry.close();
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/v2/`;
  expect((await fetch(url)).status).toBe(401);
  expect((await fetch(url, { headers: { authorization: "Bearer x" } })).status).toBe(200);
});
