import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { WerfError } from "../core/errors.js";
import type { WerfEvent } from "../core/events.js";
import type { HttpClient } from "../core/http.js";
import { createRedactor } from "../core/redactor.js";
import type { Clock } from "../core/run-context.js";
import { createHttpClient, type HttpClientOptions } from "./client.js";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<{ url: string; host: string }> {
  const server: Server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  opened.push({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, host };
}

function client(overrides: Partial<HttpClientOptions> = {}): {
  http: HttpClient;
  sleeps: number[];
  events: WerfEvent[];
} {
  const sleeps: number[] = [];
  const events: WerfEvent[] = [];
  const clock: Clock = {
    now: () => new Date("2026-01-01T00:00:00Z"),
    sleep: async (ms) => void sleeps.push(ms),
  };
  const http = createHttpClient({
    env: {},
    signal: new AbortController().signal,
    secrets: createRedactor(),
    clock,
    emit: (event) => void events.push(event),
    ...overrides,
  });
  opened.push(http);
  return { http, sleeps, events };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof WerfError) return error.code;
    throw error;
  }
  return "no error";
}

test("a 503 is asked again after Retry-After, and the retry is told", async () => {
  let asked = 0;
  const { url, host } = await serve((_, response) => {
    asked++;
    if (asked === 1) response.writeHead(503, { "retry-after": "7" }).end("busy");
    else if (asked === 2) {
      response.writeHead(429, { "retry-after": "Thu, 01 Jan 2026 00:00:20 GMT" }).end();
    } else response.end("done");
  });
  const { http, sleeps, events } = client();
  const response = await http.request({ method: "GET", url });
  expect(await response.text()).toBe("done");
  expect(sleeps).toEqual([7000, 20_000]);
  expect(events).toMatchObject([
    { code: "http/retry", host, attempt: 1, delayMs: 7000, because: "status 503" },
    { code: "http/retry", attempt: 2, because: "status 429" },
  ]);
});

test("five attempts, then the last answer; a Retry-After beyond reason isn't waited for", async () => {
  let asked = 0;
  const { url } = await serve((request, response) => {
    asked++;
    if (request.url === "/long") response.writeHead(429, { "retry-after": "86400" });
    else response.writeHead(500);
    response.end();
  });
  const { http, sleeps } = client();
  expect((await http.request({ method: "GET", url })).status).toBe(500);
  expect(asked).toBe(5);
  expect(sleeps).toHaveLength(4);
  for (const [i, ms] of sleeps.entries()) {
    expect(ms).toBeGreaterThanOrEqual(250 * 2 ** i);
    expect(ms).toBeLessThanOrEqual(500 * 2 ** i);
  }
  expect((await http.request({ method: "GET", url: `${url}/long` })).status).toBe(429);
  expect(asked).toBe(6);
});

test("POST isn't repeated unless the caller says that it may be", async () => {
  let asked = 0;
  const { url } = await serve((_, response) => {
    asked++;
    response.writeHead(503).end();
  });
  const { http } = client();
  await http.request({ method: "POST", url });
  expect(asked).toBe(1);
  await http.request({ method: "POST", url, retry: true });
  expect(asked).toBe(6);
});

test("a body is opened anew for each attempt and sent whole", async () => {
  const bodies: string[] = [];
  const { url } = await serve(async (request, response) => {
    bodies.push(Buffer.concat(await request.toArray()).toString());
    response.writeHead(bodies.length === 1 ? 502 : 201).end();
  });
  const { http } = client();
  const body = { length: 6, open: () => Readable.from([Buffer.from("abc"), Buffer.from("def")]) };
  expect((await http.request({ method: "PUT", url, body })).status).toBe(201);
  expect(bodies).toEqual(["abcdef", "abcdef"]);
});

test("a broken connection is tried again; a source's own error is thrown as it is", async () => {
  let asked = 0;
  const { url } = await serve((request, response) => {
    asked++;
    if (asked === 1) request.socket.resetAndDestroy();
    else response.end("ok");
  });
  const { http, sleeps } = client();
  expect(await (await http.request({ method: "GET", url })).text()).toBe("ok");
  expect(sleeps).toHaveLength(1);
  const failing = new Readable({
    read() {
      this.destroy(new WerfError("oci/digest-mismatch", "wrong"));
    },
  });
  expect(await codeOf(http.request({ method: "PUT", url, body: { open: () => failing } }))).toBe(
    "oci/digest-mismatch",
  );
});

test("refused, silent and non-TLS servers each have their code", async () => {
  const free = await serve((_, response) => void response.end());
  const { http } = client();
  const silent = createTcpServer((socket) => void socket.on("error", () => undefined).resume()).listen(
    0,
    "127.0.0.1",
  );
  await once(silent, "listening");
  const port = (silent.address() as AddressInfo).port;
  const request = { method: "GET", url: `http://127.0.0.1:${port}`, timeoutMs: 50, retry: false } as const;
  expect(await codeOf(http.request(request))).toBe("http/timeout");
  await http.close();
  silent.close();
  await once(silent, "close");
  expect(await codeOf(http.request(request))).toBe("http/refused");
  expect(await codeOf(http.request({ method: "GET", url: `https://${free.host}` }))).toBe(
    "http/tls-protocol",
  );
});

test("a truncated body fails, and so does one that stops coming", async () => {
  const { url } = await serve((request, response) => {
    response.writeHead(200, { "content-length": "10" });
    response.write("12345");
    if (request.url === "/cut") setImmediate(() => request.socket.destroy());
  });
  const { http } = client({ idleTimeoutMs: 100 });
  const cut = await http.request({ method: "GET", url: `${url}/cut` });
  expect(await codeOf(cut.bytes())).toBe("http/reset");
  const stopped = await http.request({ method: "GET", url: `${url}/stop` });
  expect(await codeOf(stopped.bytes())).toBe("http/timeout");
});

test("bytes() has a limit, announced or not", async () => {
  const { url } = await serve((request, response) => {
    if (request.url === "/announced") response.writeHead(200, { "content-length": "100" });
    response.end("x".repeat(100));
  });
  const { http } = client();
  for (const path of ["/announced", "/chunked"]) {
    const response = await http.request({ method: "GET", url: url + path });
    expect(await codeOf(response.bytes(99))).toBe("http/body-too-large");
  }
  const fits = await http.request({ method: "GET", url: `${url}/chunked` });
  expect(await fits.bytes(100)).toHaveLength(100);
});

test("an aborted run ends a request, a wait and a body", async () => {
  const { url } = await serve((request, response) => {
    if (request.url === "/body") response.writeHead(200).write("begin");
  });
  const controller = new AbortController();
  const { http } = client({ signal: controller.signal });
  const silent = http.request({ method: "GET", url });
  const response = await http.request({ method: "GET", url: `${url}/body` });
  const reason = new Error("stop");
  const all = Promise.allSettled([silent, response.text()]);
  controller.abort(reason);
  expect(await all).toMatchObject([
    { status: "rejected", reason },
    { status: "rejected", reason },
  ]);
  await expect(http.request({ method: "GET", url })).rejects.toBe(reason);
});

test("credentials follow a redirect within an origin and never leave it, also on the way back", async () => {
  const seen: { at: string; authorization: string | undefined; accept: string | undefined }[] = [];
  const note = (at: string, request: IncomingMessage): void => {
    const { authorization, accept } = request.headers;
    seen.push({ at: at + request.url, authorization, accept });
  };
  const other = await serve((request, response) => {
    note("other", request);
    response.writeHead(307, { location: `${home.url}/back` }).end();
  });
  const home = await serve((request, response) => {
    note("home", request);
    if (request.url === "/a") response.writeHead(302, { location: "/b" }).end();
    else if (request.url === "/b") response.writeHead(307, { location: `${other.url}/x?sig=1` }).end();
    else response.end("end");
  });
  const { http } = client();
  const headers = { authorization: "Bearer t", accept: "a/b", "private-token": "p" };
  const response = await http.request({ method: "GET", url: `${home.url}/a`, headers });
  expect(response.url).toBe(`${home.url}/back`);
  await response.discard();
  expect(seen).toEqual([
    { at: "home/a", authorization: "Bearer t", accept: "a/b" },
    { at: "home/b", authorization: "Bearer t", accept: "a/b" },
    { at: "other/x?sig=1", authorization: undefined, accept: "a/b" },
    { at: "home/back", authorization: undefined, accept: "a/b" },
  ]);
});

test("circles, long chains and hostile targets of redirects are refused", async () => {
  const { url } = await serve((request, response) => {
    const n = Number(request.url?.slice(2));
    const location =
      request.url === "/circle"
        ? "/circle"
        : request.url === "/metadata"
          ? "http://169.254.169.254/latest/"
          : request.url === "/file"
            ? "file:///etc/passwd"
            : `/n${n + 1}`;
    response.writeHead(302, { location }).end();
  });
  const { http } = client();
  const get = (path: string): Promise<string> => codeOf(http.request({ method: "GET", url: url + path }));
  expect(await get("/circle")).toBe("http/too-many-redirects");
  expect(await get("/n1")).toBe("http/too-many-redirects");
  expect(await get("/metadata")).toBe("http/redirect-refused");
  expect(await get("/file")).toBe("http/redirect-refused");
  const put = await http.request({ method: "PUT", url, body: "x" });
  expect(put.status).toBe(302);
});

test("an error shows neither the query nor a secret", async () => {
  const secrets = createRedactor();
  secrets.add("hunter2");
  const { url } = await serve((request) => request.socket.destroy());
  const { http } = client({ secrets });
  const failed = http.request({ method: "GET", url: `${url}/hunter2?sig=abc`, retry: false });
  await expect(failed).rejects.toThrow(`GET ${url}/***: the connection broke`);
  await expect(failed).rejects.not.toThrow(/sig/);
});

test("HEADs keep their connection, and nothing is asked to be compressed", async () => {
  const sockets = new Set<unknown>();
  const encodings = new Set<string>();
  const { url } = await serve((request, response) => {
    sockets.add(request.socket);
    encodings.add(String(request.headers["accept-encoding"]));
    response.writeHead(200, { "content-length": "5", "x-a": ["1", "2"] }).end();
  });
  const { http } = client();
  for (let i = 0; i < 5; i++) {
    const response = await http.request({ method: "HEAD", url });
    expect(response.headers["x-a"]).toBe("1, 2");
    await response.discard();
  }
  expect(sockets.size).toBeLessThanOrEqual(2);
  expect([...encodings]).toEqual(["identity"]);
});

test("copies within one host don't wait for each other's connections", async () => {
  const { url } = await serve(async (request, response) => {
    if (request.method === "GET") response.end(Buffer.alloc(300_000, 1));
    else {
      let size = 0;
      for await (const chunk of request) size += (chunk as Uint8Array).length;
      response.writeHead(201, { "x-size": String(size) }).end();
    }
  });
  const { http } = client();
  const copies = Array.from({ length: 40 }, async () => {
    const open = async (): Promise<Readable> => (await http.request({ method: "GET", url })).body;
    const response = await http.request({ method: "PUT", url, body: { length: 300_000, open } });
    await response.discard();
    return response.headers["x-size"];
  });
  expect(new Set(await Promise.all(copies))).toEqual(new Set(["300000"]));
});
