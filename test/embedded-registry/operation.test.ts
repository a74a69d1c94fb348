import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { Agent, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hash } from "bcryptjs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { RegistryOptions } from "../../src/embedded-registry/server/server.js";
import { randomBlob } from "../contract/content.js";
import { createTestAuthority } from "../support/certificates.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";

async function start(options: Partial<RegistryOptions> = {}): Promise<EmbeddedTestRegistry> {
  const registry = await startEmbedded(options);
  onTestFinished(() => registry.stop());
  return registry;
}

async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "werf-ts-operation-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function basic(user: string, password: string): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, init);
  await response.arrayBuffer();
  return response.status;
}

describe("--htpasswd", () => {
  async function users(text: string): Promise<string> {
    const file = join(await temporary(), "users");
    await writeFile(file, text);
    return file;
  }

  test("lets in who is in the file, with each of bcrypt's prefixes, and challenges everybody else", async () => {
    const anna = await hash("right", 4);
    const bert = (await hash("grün:und", 4)).replace("$2b$", "$2y$");
    const htpasswd = await users(`# people\nanna:${anna}\n\nbert:${bert}\r\n`);
    const registry = await start({ htpasswd });
    const url = `http://${registry.host}/v2/`;
    for (let i = 0; i < 2; i++) {
      expect(await statusOf(url, { headers: basic("anna", "right") })).toBe(200);
      expect(await statusOf(url, { headers: basic("bert", "grün:und") })).toBe(200);
    }
    const refused: Record<string, string>[] = [
      {},
      basic("anna", "wrong"),
      basic("anna", ""),
      basic("bert", "right"),
      basic("nobody", "right"),
      { authorization: "Basic %%%" },
      { authorization: `Basic ${Buffer.from("anna").toString("base64")}` },
      { authorization: "Bearer right" },
    ];
    for (const headers of refused) {
      const answer = await fetch(url, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe('Basic realm="werf registry", charset="UTF-8"');
      expect(await answer.json()).toMatchObject({ errors: [{ code: "UNAUTHORIZED" }] });
    }
  });

  test("covers every path but /healthz, and every method", async () => {
    const registry = await start({ htpasswd: await users(`anna:${await hash("right", 4)}\n`) });
    const base = `http://${registry.host}`;
    expect(await statusOf(`${base}/healthz`)).toBe(200);
    for (const path of [
      "/",
      "/metrics",
      "/healthz/",
      "/healthz/../v2/",
      "/v2/_catalog",
      "/v2/app/tags/list",
    ]) {
      expect(await statusOf(base + path), path).toBe(401);
    }
    for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
      expect(await statusOf(`${base}/v2/app/blobs/uploads/`, { method }), method).toBe(401);
    }
    expect(await statusOf(`${base}/metrics`, { headers: basic("anna", "right") })).toBe(200);
  });

  test("is read again when it changes; a broken one leaves the users as they were", async () => {
    const htpasswd = await users(`anna:${await hash("old", 4)}\n`);
    const registry = await start({ htpasswd });
    const url = `http://${registry.host}/v2/`;
    expect(await statusOf(url, { headers: basic("anna", "old") })).toBe(200);
    await writeFile(`${htpasswd}.new`, `anna:${await hash("new", 4)}\n`);
    await rename(`${htpasswd}.new`, htpasswd);
    expect(await statusOf(url, { headers: basic("anna", "old") })).toBe(401);
    expect(await statusOf(url, { headers: basic("anna", "new") })).toBe(200);
    await writeFile(htpasswd, "bert:secret-in-clear\n");
    expect(await statusOf(url, { headers: basic("anna", "new") })).toBe(200);
    expect(registry.events).toContainEqual(
      expect.objectContaining({ id: "embedded-registry/htpasswd-stale", code: "warning" }),
    );
    expect(JSON.stringify(registry.events)).not.toContain("secret-in-clear");
    await writeFile(htpasswd, "");
    expect(await statusOf(url, { headers: basic("anna", "new") })).toBe(401);
  });

  test.each([
    "anna:plain",
    "anna",
    ":$2b$04$x",
    "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    `a:$2b$31$${"a".repeat(53)}`,
  ])("doesn't start with the line %j", async (line) => {
    const htpasswd = await users(`# users\n${line}\n`);
    await expect(start({ htpasswd })).rejects.toMatchObject({
      code: "embedded-registry/htpasswd-invalid",
      message: expect.stringContaining(`${htpasswd}:2 is not USER:HASH`),
    });
  });

  test("doesn't start without its file", async () => {
    const htpasswd = join(await temporary(), "none");
    await expect(start({ htpasswd })).rejects.toMatchObject({ code: "embedded-registry/htpasswd-invalid" });
  });
});

describe("TLS", () => {
  test("serves by HTTPS alone", async () => {
    const authority = await createTestAuthority();
    const registry = await start({ tls: await authority.issue("127.0.0.1") });
    expect(registry.server.url).toBe(`https://${registry.host}`);
    const outgoing = httpsRequest(`${registry.server.url}/v2/`, { ca: authority.certificate, agent: false });
    const [response] = await once(outgoing.end(), "response");
    response.resume();
    expect(response.statusCode).toBe(200);
    await expect(fetch(`http://${registry.host}/v2/`)).rejects.toThrow();
  });

  test("a certificate and a key that don't belong together are refused", async () => {
    const authority = await createTestAuthority();
    const { cert } = await authority.issue("127.0.0.1");
    const { key } = await authority.issue("127.0.0.1");
    for (const tls of [
      { cert, key },
      { cert: "no PEM", key },
    ]) {
      await expect(start({ tls })).rejects.toMatchObject({ code: "embedded-registry/tls-invalid" });
    }
  });
});

describe("uploads", () => {
  test("beyond the limit are told to come again, and their room is given back", async () => {
    const registry = await start({ maxUploads: 2 });
    const uploads = `http://${registry.host}/v2/app/blobs/uploads/`;
    const first = await fetch(uploads, { method: "POST" });
    expect(await statusOf(uploads, { method: "POST" })).toBe(202);
    const blob = randomBlob();
    const body = blob.bytes as Uint8Array<ArrayBuffer>;
    for (const url of [uploads, `${uploads}?digest=${blob.digest}`]) {
      const refused = await fetch(url, { method: "POST", body });
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toBe("5");
      expect(await refused.json()).toMatchObject({ errors: [{ code: "TOOMANYREQUESTS" }] });
    }
    const location = new URL(first.headers.get("location") ?? "", uploads);
    expect(await statusOf(`${location}?digest=${blob.digest}`, { method: "PUT", body })).toBe(201);
    expect(await statusOf(`${uploads}?digest=${blob.digest}`, { method: "POST", body })).toBe(201);
  });

  test("that are abandoned go without any further request", async () => {
    const registry = await start({ uploadExpiryMs: 20 });
    await statusOf(`http://${registry.host}/v2/app/blobs/uploads/`, { method: "POST" });
    const staging = join(registry.server.root.directory, "staging");
    await vi.waitFor(async () => expect(await readdir(staging)).toEqual([]), { timeout: 5000 });
  });
});

describe("/healthz and /metrics", () => {
  test("tell what was answered, and no names", async () => {
    const registry = await start();
    const base = `http://${registry.host}`;
    const blob = randomBlob(50_000);
    const body = blob.bytes as Uint8Array<ArrayBuffer>;
    await statusOf(`${base}/v2/secret/name/blobs/uploads/?digest=${blob.digest}`, { method: "POST", body });
    await statusOf(`${base}/v2/secret/name/blobs/uploads/`, { method: "POST" });
    for (let i = 0; i < 3; i++) await statusOf(`${base}/v2/secret/name/blobs/${blob.digest}`);
    await statusOf(`${base}/v2/secret/name/manifests/none`);
    await statusOf(`${base}/elsewhere`, { method: "OPTIONS" });
    // A connection's last answer is counted when it has gone, which may be after the client has it.
    const lines = await vi.waitFor(async () => {
      const answer = await fetch(`${base}/metrics`);
      expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      const text = await answer.text();
      expect(text).toContain('requests_total{method="other",route="unknown",status="404"} 1');
      expect(text).not.toContain("secret");
      return text.split("\n");
    });
    const value = (name: string): number =>
      Number(lines.find((line) => line.startsWith(`werf_registry_${name} `))?.split(" ")[1]);
    expect(value('requests_total{method="POST",route="uploads",status="201"}')).toBe(1);
    expect(value('requests_total{method="GET",route="blob",status="200"}')).toBe(3);
    expect(value('requests_total{method="GET",route="manifest",status="404"}')).toBe(1);
    expect(value('request_duration_seconds_count{method="GET",route="blob"}')).toBe(3);
    expect(value('request_duration_seconds_bucket{method="GET",route="blob",le="+Inf"}')).toBe(3);
    expect(value("uploads_in_flight")).toBe(1);
    expect(value("requests_in_flight")).toBeGreaterThanOrEqual(1);
    expect(value("received_bytes_total")).toBeGreaterThan(50_000);
    expect(value("received_bytes_total")).toBeLessThan(60_000);
    expect(value("sent_bytes_total")).toBeGreaterThan(150_000);
    for (const line of lines.filter((l) => l !== "" && !l.startsWith("#"))) {
      expect(line).toMatch(/^werf_registry_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+$/);
    }
  });

  test("take no writes", async () => {
    const registry = await start();
    for (const path of ["/healthz", "/metrics"]) {
      expect(await statusOf(`http://${registry.host}${path}`, { method: "POST" })).toBe(405);
    }
    expect(await (await fetch(`http://${registry.host}/healthz`)).text()).toBe("ok\n");
  });
});

test("closing doesn't wait for a connection that is kept alive after its last answer", async () => {
  const registry = await start();
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const blob = randomBlob(1000);
  const upload = httpRequest(`http://${registry.host}/v2/app/blobs/uploads/?digest=${blob.digest}`, {
    agent,
    method: "POST",
    headers: { "content-length": blob.size, expect: "100-continue" },
  });
  upload.flushHeaders();
  await once(upload, "continue");
  const started = performance.now();
  const closed = registry.server.close();
  upload.end(blob.bytes);
  const [response] = await once(upload, "response");
  response.resume();
  expect(response.statusCode).toBe(201);
  await closed;
  // Otherwise it takes the ten seconds after which connections are cut off.
  expect(performance.now() - started).toBeLessThan(8000);
});

test("a read-only root is not even tidied up", async () => {
  const root = await temporary();
  const writable = await startEmbedded({ root });
  await writable.server.close();
  const left = join(root, "staging");
  await mkdir(left, { recursive: true });
  await writeFile(join(left, "old"), "x");
  await utimes(join(left, "old"), 1000, 1000);
  await start({ root, readOnly: true });
  expect(await readdir(left)).toEqual(["old"]);
});
