import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { type OpenRegistry, openRegistry } from "../../src/embedded-registry/server/server.js";
import { createTestAuthority } from "../support/certificates.js";
import { type CliResult, werf } from "../support/cli.js";
import { serveHttp, type TestServer } from "../support/http-server.js";
import { type TestProject, testProject } from "../support/project.js";
import { registryTags } from "../support/tags.js";

let project: TestProject;
let registry: OpenRegistry;
let secure: TestServer;
let otherSecure: TestServer;
let plain: TestServer;
let caFile: string;
let repositories = 0;

/** The image of the project, on a base that lies at `host`. */
function onBase(host: string): void {
  project.write("Dockerfile", `FROM ${host}/bases/base\nENV A=1\n`);
  project.commit(`on ${host}`);
}

function build(
  repository: string,
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<CliResult> {
  return werf(["build", "--repo", repository, ...argv], { cwd: project.directory, home: project.home, env });
}

const repositoryAt = (host: string): string => `${host}/access/${++repositories}`;

beforeAll(async () => {
  project = testProject({
    "werf.yaml": "project: app\nconfigVersion: 1\n---\nimage: app\ndockerfile: Dockerfile\n",
  });
  registry = await openRegistry({
    root: join(project.base, "registry"),
    clock: systemClock,
    emit: () => undefined,
    durable: false,
  });
  const answer = (request: IncomingMessage, response: ServerResponse): Promise<void> =>
    registry.handle(request, response);
  const authority = await createTestAuthority();
  const credentials = await authority.issue("127.0.0.1", "registry.test", "bases.test");
  [secure, otherSecure, plain] = await Promise.all([
    serveHttp(answer, credentials),
    serveHttp(answer, credentials),
    serveHttp(answer),
  ]);
  caFile = join(project.base, "authority.pem");
  writeFileSync(caFile, authority.certificate);
  project.write("Dockerfile", "FROM scratch\nENV BASE=1\n");
  project.commit("base");
  const base = `${plain.host}/bases/base`;
  expect(await build(base, ["--add-custom-tag", "latest"])).toMatchObject({ exitCode: 0 });
});
afterAll(async () => {
  for (const server of [secure, otherSecure, plain]) server.close();
  await registry.close();
  project.dispose();
});

describe("a certificate that isn't trusted", () => {
  it("is refused, and accepted from the registry that --repo names", async () => {
    onBase(secure.host);
    const repository = repositoryAt(secure.host);
    const refused = await build(repository, []);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/certificate/);
    expect(await build(repository, ["--skip-tls-verify-registry"])).toMatchObject({ exitCode: 0 });
    expect(await registryTags(repository.replace(secure.host, plain.host))).toContain("managed-image-app");
  });

  it("is still refused from a registry that only the Dockerfile names", async () => {
    onBase(otherSecure.host);
    const { exitCode, stderr } = await build(repositoryAt(secure.host), ["--skip-tls-verify-registry"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(otherSecure.host);
    expect(stderr).toMatch(/certificate/);
  });

  it("is trusted everywhere with its authority", async () => {
    onBase(otherSecure.host);
    const repository = repositoryAt(secure.host);
    expect(await build(repository, ["--registry-ca-file", caFile])).toMatchObject({ exitCode: 0 });
  });
});

/** A proxy behind which every host is the test's registry, by plain HTTP. */
describe("behind a proxy", () => {
  let proxy: { readonly url: string; readonly asked: string[]; close(): void };
  beforeAll(async () => {
    const asked: string[] = [];
    const forward = await serveHttp((request, response) => {
      const { host, pathname, search } = new URL(request.url ?? "", "http://none");
      asked.push(`${request.method} ${host}`);
      request.url = `${pathname}${search}`;
      return registry.handle(request, response);
    });
    // Tunnels lead to the same server, so that TLS isn't spoken there.
    const front = createTcpServer((socket) => {
      socket.once("data", (head) => {
        const [, target] = /^CONNECT (\S+)/.exec(head.toString("latin1")) ?? [];
        const back = connect(target === secureTarget ? secure.port : forward.port, "127.0.0.1");
        for (const end of [socket, back]) end.on("error", () => socket.destroy() && back.destroy());
        if (target === undefined) back.write(head);
        else {
          asked.push(`CONNECT ${target}`);
          socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        }
        socket.pipe(back).pipe(socket);
      });
    });
    front.listen(0, "127.0.0.1");
    await once(front, "listening");
    proxy = {
      url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
      asked,
      close() {
        front.close();
        forward.close();
      },
    };
  });
  afterAll(() => proxy.close());
  afterEach(() => {
    proxy.asked.length = 0;
  });
  const secureTarget = "registry.test:443";
  const env = (): Record<string, string> => ({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });

  it("TLS is spoken through a tunnel", async () => {
    onBase("registry.test");
    const argv = ["--registry-ca-file", caFile];
    expect(await build(repositoryAt("registry.test"), argv, env())).toMatchObject({
      exitCode: 0,
      stderr: expect.not.stringContaining("Error"),
    });
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT ${secureTarget}`]));
  });

  it("--insecure-registry allows plain HTTP to what --repo names, not to what the Dockerfile names", async () => {
    onBase("plain.test");
    const repository = repositoryAt("plain.test");
    expect((await build(repository, [], env())).exitCode).toBe(1);
    expect(proxy.asked.filter((request) => !request.startsWith("CONNECT"))).toEqual([]);
    expect(await build(repository, ["--insecure-registry"], env())).toMatchObject({ exitCode: 0 });
    onBase("bases.test");
    proxy.asked.length = 0;
    const { exitCode, stderr } = await build(repositoryAt("plain.test"), ["--insecure-registry"], env());
    expect(exitCode).toBe(1);
    expect(stderr).toContain("bases.test");
    expect(proxy.asked).toContain("GET plain.test");
    expect(proxy.asked).not.toContain("GET bases.test");
  });
});
