import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { type Handler, sendError, sendJson } from "../../../test/support/http-server.js";
import { useRegistryClient } from "../../../test/support/registry-client.js";
import type { BodySource } from "../../core/http.js";
import { digestOf } from "../../oci/digest.js";
import { openRegistry } from "./registry.js";

const client = useRegistryClient("push");
const { serve, serveOther } = client;

const bytes = Buffer.from("the bytes of a blob");
const blob = { digest: digestOf(bytes), size: bytes.length };
const source = (content: Uint8Array = bytes): BodySource => ({
  length: content.length,
  open: () => Readable.from([content], { objectMode: false }),
});

const uploads = "/v2/app/blobs/uploads/";

test("an upload is POST and one PUT, at a relative Location with its query kept", async () => {
  let received = "";
  const { store, asked } = await serve(async (request, response) => {
    if (request.method === "HEAD") return void response.writeHead(404).end();
    if (request.method === "POST")
      return void response.writeHead(202, { location: `${uploads}1?_state=a%2Fb` }).end();
    expect(request.headers["content-length"]).toBe(String(blob.size));
    received = Buffer.concat(await request.toArray()).toString();
    response.writeHead(201).end();
  });
  expect(await store.writeBlob(blob, source())).toEqual({ kind: "uploaded" });
  expect(received).toBe(bytes.toString());
  expect(await store.writeBlob(blob, source())).toEqual({ kind: "exists" });
  expect(await store.statBlob(blob.digest)).toEqual({ kind: "present", size: blob.size });
  expect(asked()).toEqual([
    `HEAD /v2/app/blobs/${blob.digest}`,
    `POST ${uploads}`,
    `PUT ${uploads}1?_state=a%2Fb&digest=${encodeURIComponent(blob.digest)}`,
  ]);
});

test("an upload that fails is sent whole again, with a session of its own", async () => {
  const bodies: string[] = [];
  let session = 0;
  const { store, asked } = await serve(async (request, response) => {
    if (request.method === "HEAD") return void response.writeHead(404).end();
    if (request.method === "POST")
      return void response.writeHead(202, { location: `${uploads}${++session}` }).end();
    if (session === 1) return void request.socket.destroy();
    bodies.push(Buffer.concat(await request.toArray()).toString());
    if (session === 2) return sendError(response, 404, "BLOB_UPLOAD_UNKNOWN");
    if (session === 3) return sendError(response, 503, "UNAVAILABLE");
    response.writeHead(201).end();
  });
  expect(await store.writeBlob(blob, source())).toEqual({ kind: "uploaded" });
  expect(bodies).toEqual(Array(3).fill(bytes.toString()));
  expect(asked().filter((r) => r.startsWith("POST"))).toHaveLength(4);
  expect(client.run.events.filter((e) => e.code === "http/retry")).toHaveLength(3);
});

test("an upload whose answer was lost isn't repeated when the blob is there", async () => {
  let stored = false;
  const { store, asked } = await serve(async (request, response) => {
    if (request.method === "HEAD") {
      return void response.writeHead(stored ? 200 : 404, stored ? { "content-length": blob.size } : {}).end();
    }
    if (request.method === "POST") return void response.writeHead(202, { location: `${uploads}1` }).end();
    await request.toArray();
    stored = true;
    request.socket.destroy();
  });
  expect(await store.writeBlob(blob, source())).toEqual({ kind: "uploaded" });
  expect(asked().filter((r) => r.startsWith("PUT"))).toHaveLength(1);
});

test("bytes that aren't the digest's, or a refusal, end an upload without another try", async () => {
  const { store, asked } = await serve(async (request, response) => {
    if (request.method === "HEAD") return void response.writeHead(404).end();
    if (request.method === "POST") return void response.writeHead(202, { location: `${uploads}1` }).end();
    await request.toArray().catch(() => []);
    sendError(response, 400, "SIZE_INVALID", "too large for this project");
  });
  const wrong = store.writeBlob(blob, source(Buffer.from("other bytes, as many")));
  await expect(wrong).rejects.toMatchObject({ code: "oci/digest-mismatch" });
  const refused = store.writeBlob(blob, source());
  await expect(refused).rejects.toMatchObject({ code: "registry/refused" });
  await expect(refused).rejects.toThrow(
    /upload the blob .* answered 400 SIZE_INVALID: too large for this project/,
  );
  expect(asked().filter((r) => r.startsWith("POST"))).toHaveLength(2);
});

test("a mount is 201; a 202 is cancelled and means to upload", async () => {
  const { store, server, asked } = await serve((request, response) => {
    if (request.method === "DELETE") return void response.writeHead(204).end();
    const mounts = request.url?.includes("from=has") === true;
    response.writeHead(mounts ? 201 : 202, { location: mounts ? "/x" : `${uploads}7` }).end();
  });
  const options = { insecure: false, access: "pull" } as const;
  const has = openRegistry(client.run, { host: server.host, name: "has" }, options);
  const lacks = openRegistry(client.run, { host: server.host, name: "lacks" }, options);
  const elsewhere = openRegistry(client.run, { host: "other.example", name: "has" }, options);
  expect(await store.mountBlob?.(blob, elsewhere)).toBe(false);
  expect(await store.mountBlob?.(blob, lacks)).toBe(false);
  expect(await store.mountBlob?.(blob, has)).toBe(true);
  expect(await store.statBlob(blob.digest)).toEqual({ kind: "present", size: blob.size });
  const mount = `mount=${encodeURIComponent(blob.digest)}`;
  expect(asked()).toEqual([
    `POST ${uploads}?${mount}&from=lacks`,
    `DELETE ${uploads}7`,
    `POST ${uploads}?${mount}&from=has`,
  ]);
});

test("a blob behind a redirect is verified, and the credentials stay here", async () => {
  let authorization: string | undefined = "nothing came";
  const storage = await serveOther((request, response) => {
    if (request.url?.startsWith("/token")) return sendJson(response, { token: "t" });
    authorization = request.headers.authorization;
    response.end(bytes);
  });
  const { store } = await serve((request, response) => {
    if (request.headers.authorization === undefined) {
      return void response
        .writeHead(401, { "www-authenticate": `Bearer realm="${storage.url}/token"` })
        .end();
    }
    response.writeHead(307, { location: `${storage.url}/signed?sig=1` }).end();
  });
  expect(await buffer(await store.readBlob(blob))).toEqual(bytes);
  expect(authorization).toBeUndefined();
});

test("a download that breaks off is taken up where it ended", async () => {
  const ranges: (string | undefined)[] = [];
  const { store } = await serve((request, response) => {
    const range = request.headers.range;
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": bytes.length - from,
      "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
    if (from >= 10) return void response.end(bytes.subarray(from));
    response.write(bytes.subarray(from, from + 5), () => setImmediate(() => request.socket.destroy()));
  });
  expect(await buffer(await store.readBlob(blob))).toEqual(bytes);
  expect(ranges).toEqual([undefined, "bytes=5-", "bytes=10-"]);
});

test("a server without ranges, other bytes, and too many of them make reading fail", async () => {
  const answers: Record<string, Handler> = {
    cut: (request, response) => {
      response.writeHead(200, { "content-length": bytes.length });
      response.write(bytes.subarray(0, 5), () => setImmediate(() => request.socket.destroy()));
    },
    other: (_, response) => void response.end("x".repeat(bytes.length)),
    more: (_, response) => void response.end(`${bytes}and more`),
    html: (_, response) =>
      void response.writeHead(404, { "content-type": "text/html" }).end("<title>Oops</title>"),
  };
  const codes: Record<string, string> = {
    cut: "http/reset",
    other: "oci/digest-mismatch",
    more: "oci/digest-mismatch",
    html: "registry/not-a-registry",
  };
  for (const [name, handler] of Object.entries(answers)) {
    const { store } = await serve(handler);
    const read = store.readBlob(blob).then(buffer);
    await expect(read, name).rejects.toMatchObject({ code: codes[name] });
  }
});

test("a Location at another host is used without our authorization", async () => {
  const seen: (string | undefined)[] = [];
  const elsewhere = await serveOther(async (request, response) => {
    seen.push(request.headers.authorization);
    await request.toArray();
    response.writeHead(201).end();
  });
  const tokens = await serveOther((_, response) => void response.end('{"token":"t"}'));
  const { store } = await serve((request, response) => {
    if (request.headers.authorization !== "Bearer t") {
      return void response.writeHead(401, { "www-authenticate": `Bearer realm="${tokens.url}/"` }).end();
    }
    if (request.method === "HEAD") return void response.writeHead(404).end();
    response.writeHead(202, { location: `${elsewhere.url}/upload?x=1` }).end();
  });
  expect(await store.writeBlob(blob, source())).toEqual({ kind: "uploaded" });
  expect(seen).toEqual([undefined]);
  expect(elsewhere.requests).toEqual([`PUT /upload?x=1&digest=${encodeURIComponent(blob.digest)}`]);
});
