import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestAuthority, type TestAuthority } from "../../test/support/certificates.js";
import { serveHttp, type TestServer } from "../../test/support/http-server.js";
import { systemClock } from "../core/clock.js";
import type { HttpClient } from "../core/http.js";
import { createRedactor } from "../core/redactor.js";
import { createHttpClient, type HttpClientOptions } from "./client.js";

let authority: TestAuthority;
let directory: string;
let caFile: string;
let server: TestServer;
const clients: HttpClient[] = [];

beforeAll(async () => {
  authority = await createTestAuthority();
  directory = await mkdtemp(join(tmpdir(), "werf-ts-tls-"));
  caFile = join(directory, "ca.pem");
  await writeFile(caFile, authority.certificate);
  server = await serveHttp(
    async (request, response) => {
      let size = 0;
      for await (const chunk of request) size += (chunk as Uint8Array).length;
      response.end(`${request.headers.host} ${size}`);
    },
    await authority.issue("127.0.0.1", "registry.test"),
  );
});
afterAll(async () => {
  for (const client of clients) await client.close();
  server.close();
  await rm(directory, { recursive: true, force: true });
});

function client(overrides: Partial<HttpClientOptions> = {}): HttpClient {
  const http = createHttpClient({
    env: {},
    signal: new AbortController().signal,
    secrets: createRedactor(),
    clock: systemClock,
    emit: () => undefined,
    ...overrides,
  });
  clients.push(http);
  return http;
}

async function get(http: HttpClient, url: string): Promise<string> {
  return (await http.request({ method: "GET", url })).text();
}

test("an unknown authority is not trusted, and the hint says what to do", async () => {
  await expect(get(client(), server.url)).rejects.toMatchObject({
    code: "http/tls",
    hint: expect.stringContaining("--skip-tls-verify-registry"),
  });
});

test.each(["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"])("the authority of %s is trusted", async (name) => {
  expect(await get(client({ env: { [name]: caFile } }), server.url)).toBe(`${server.host} 0`);
});

test("so is the one of an option; verification is skipped for the named host alone", async () => {
  expect(await get(client({ caFile }), server.url)).toBe(`${server.host} 0`);
  expect(await get(client({ skipTlsVerifyHosts: new Set([server.host]) }), server.url)).toBe(
    `${server.host} 0`,
  );
  const other = client({ skipTlsVerifyHosts: new Set(["127.0.0.1", "other.test"]) });
  await expect(get(other, server.url)).rejects.toMatchObject({ code: "http/tls" });
});

test("a trusted certificate for another name is refused", async () => {
  const wrong = await serveHttp((_, response) => void response.end(), await authority.issue("other.test"));
  await expect(get(client({ caFile }), wrong.url)).rejects.toMatchObject({ code: "http/tls" });
  wrong.close();
});

test("a CA file that isn't there, or is none, is named", async () => {
  const empty = join(directory, "empty.pem");
  await writeFile(empty, "nothing");
  for (const file of [join(directory, "missing.pem"), empty]) {
    await expect(get(client({ caFile: file }), server.url)).rejects.toMatchObject({
      code: "http/ca-unreadable",
      message: expect.stringContaining(file),
    });
  }
});

/** A forward proxy that leads every name to `port` on 127.0.0.1. */
async function startProxy(port: number): Promise<{ server: Server; host: string; seen: string[] }> {
  const seen: string[] = [];
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end("plain");
  });
  proxy.on("connect", (request, socket) => {
    const user = request.headers["proxy-authorization"] ?? "";
    seen.push(`CONNECT ${request.url} ${Buffer.from(user.slice("Basic ".length), "base64")}`);
    if (user === "") {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return { server: proxy, host: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, seen };
}

test("HTTPS goes through a CONNECT proxy with its password, bodies too; plain HTTP in absolute form", async () => {
  const proxy = await startProxy(server.port);
  const env = { HTTPS_PROXY: `http://user:p%40ss@${proxy.host}`, HTTP_PROXY: proxy.host };
  const http = client({ env, caFile });
  expect(await get(http, "https://registry.test/v2/")).toBe("registry.test 0");
  const bytes = Buffer.alloc(3_000_000, 7);
  const body = { length: bytes.length, open: () => Readable.from([bytes]) };
  const put = await http.request({ method: "PUT", url: "https://registry.test/blob", body });
  expect(await put.text()).toBe("registry.test 3000000");
  expect(await get(http, "http://registry.test/v2/")).toBe("plain");
  expect(new Set(proxy.seen)).toEqual(
    new Set(["CONNECT registry.test:443 user:p@ss", "GET http://registry.test/v2/"]),
  );
  await http.close();
  proxy.server.close();
});

test("a proxy that wants a password, or isn't there, is named as the proxy", async () => {
  const proxy = await startProxy(server.port);
  const env = { HTTPS_PROXY: `http://${proxy.host}` };
  await expect(get(client({ env, caFile }), "https://registry.test/")).rejects.toMatchObject({
    code: "http/proxy",
    hint: expect.stringContaining("HTTPS_PROXY"),
  });
  proxy.server.closeAllConnections();
  proxy.server.close();
  await once(proxy.server, "close");
  await expect(get(client({ env, caFile }), "https://registry.test/")).rejects.toMatchObject({
    code: "http/refused",
    message: expect.stringContaining(`through the proxy ${proxy.host}`),
  });
});
