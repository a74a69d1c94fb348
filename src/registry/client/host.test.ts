import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createTestAuthority } from "../../../test/support/certificates.js";
import { sendJson, serveHttp, type TestServer } from "../../../test/support/http-server.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { createHttpClient } from "../../http/client.js";
import { registryHost } from "./host.js";
import { openRegistry } from "./registry.js";

let run: TestRun;
let secure: TestServer;
const plain: TestServer[] = [];
beforeAll(async () => {
  const certificate = await (await createTestAuthority()).issue("127.0.0.1");
  secure = await serveHttp((_, response) => sendJson(response, { tags: [] }), certificate);
});
afterAll(() => secure.close());
beforeEach(async () => {
  run = await testRun();
});
afterEach(async () => {
  await run.dispose();
  for (const server of plain.splice(0)) server.close();
});

const options = { insecure: false, access: "pull" } as const;

test("a loopback host without TLS is spoken to in plain HTTP, and not asked about it", async () => {
  const server = await serveHttp((_, response) => sendJson(response, { tags: [] }));
  plain.push(server);
  const stores = ["a", "b", "c"].map((name) => openRegistry(run, { host: server.host, name }, options));
  await Promise.all(stores.map((store) => store.statRepository()));
  expect(server.requests.every((request) => request.includes("/tags/list"))).toBe(true);
  expect(server.requests).toHaveLength(stores.length);
});

test("a certificate that isn't trusted is no reason to speak plain HTTP", async () => {
  const before = secure.requests.length;
  const store = openRegistry(run, { host: secure.host, name: "app" }, { ...options, insecure: true });
  await expect(store.statRepository()).rejects.toMatchObject({ code: "http/tls" });
  expect(secure.requests).toHaveLength(before);
});

test("a host that speaks TLS is spoken to in TLS, also where plain HTTP is allowed", async () => {
  const http = createHttpClient({ ...run, skipTlsVerifyHosts: new Set([secure.host]) });
  const store = openRegistry(
    { ...run, http },
    { host: secure.host, name: "app" },
    { ...options, insecure: true },
  );
  expect(await store.statRepository()).toBe("present");
  await http.close();
});

test("other hosts are spoken to in TLS without asking; Docker Hub's API has a host of its own", async () => {
  const origin = (host: string): Promise<string> => registryHost(run, { host, insecure: false }).origin();
  expect(await origin("registry.example:5000")).toBe("https://registry.example:5000");
  expect(await origin("docker.io")).toBe("https://registry-1.docker.io");
});
