import { mkdir, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sendError, sendJson, serveHttp, type TestServer } from "../../../test/support/http-server.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import type { Clock } from "../../core/run-context.js";
import { digestOf } from "../../oci/digest.js";
import { openRegistry, type Registry } from "../client/registry.js";
import { Authority } from "./authority.js";
import type { Credential } from "./credential.js";
import { scopesOf } from "./scope.js";

let now = new Date("2026-01-01T00:00:00Z");
const clock: Clock = { now: () => now, sleep: async () => undefined };
let run: TestRun;
const servers: TestServer[] = [];
beforeEach(async () => {
  now = new Date("2026-01-01T00:00:00Z");
  run = await testRun({ clock });
});
afterEach(async () => {
  await run.dispose();
  for (const server of servers.splice(0)) server.close();
});

interface TokenServer {
  readonly host: string;
  /** `METHOD scopes authorization` of each token request. */
  readonly issued: string[];
  readonly registry: TestServer;
}

interface Rules {
  /** `undefined`: no. */
  issue?(scopes: string[], request: IncomingMessage, form: URLSearchParams): { expires_in?: number } | number;
  /** Whether a token is good for a request. */
  accepts?(token: string): boolean;
  scope?: string;
  realm?: string;
}

/** A registry with token authentication; tokens are `t1`, `t2`, ... */
async function registryWithTokens(rules: Rules = {}): Promise<TokenServer> {
  const issued: string[] = [];
  const tokens = await serveHttp(async (request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const scopes = request.method === "GET" ? url.searchParams.getAll("scope") : [form.get("scope") ?? ""];
    issued.push(`${request.method} ${scopes.join(" ")} ${decode(request.headers.authorization)}`.trim());
    const answer = rules.issue?.(scopes, request, form) ?? { expires_in: 300 };
    if (typeof answer === "number") return sendError(response, answer, "DENIED", "no token for you");
    sendJson(response, { token: `t${issued.length}`, ...answer });
  });
  const registry = await serveHttp((request, response) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (token !== undefined && (rules.accepts?.(token) ?? true)) return answerAsRegistry(request, response);
    const realm = rules.realm ?? `${tokens.url}/token`;
    const scope = rules.scope === undefined ? "" : `,scope="${rules.scope}"`;
    response.setHeader("www-authenticate", `Bearer realm="${realm}",service="the, service"${scope}`);
    sendError(response, 401, "UNAUTHORIZED");
  });
  servers.push(tokens, registry);
  return { host: registry.host, issued, registry };
}

const decode = (authorization = ""): string =>
  authorization.startsWith("Basic ")
    ? Buffer.from(authorization.slice(6), "base64").toString()
    : authorization;

function answerAsRegistry(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === "DELETE") return void response.writeHead(202).end();
  if (request.url?.includes("/tags/list")) return sendJson(response, { tags: ["a"] });
  response.writeHead(404).end();
}

function open(host: string, access: "pull" | "push" = "pull", name = "app"): Registry {
  return openRegistry(run, { host, name }, { insecure: false, access });
}

async function logIn(host: string, entry: object): Promise<void> {
  await mkdir(join(run.home, ".docker"), { recursive: true });
  await writeFile(join(run.home, ".docker", "config.json"), JSON.stringify({ auths: { [host]: entry } }));
}

const blob = digestOf("x");

test("the challenge is met once, and later requests carry the token at once", async () => {
  const { host, issued, registry } = await registryWithTokens();
  await logIn(host, { username: "me", password: "secret" });
  const store = open(host);
  for (let i = 0; i < 3; i++) expect(await store.statManifest(`v${i}`)).toEqual({ kind: "missing" });
  expect(issued).toEqual(["GET repository:app:pull me:secret"]);
  const heads = registry.requests.filter((r) => r.startsWith("HEAD"));
  expect(heads).toEqual(["/v0", "/v0", "/v1", "/v2"].map((path) => `HEAD /v2/app/manifests${path}`));
  expect(run.secrets.redact("secret")).toBe("***");
});

test("many requests at once ask for one token, also when it has expired", async () => {
  const { host, issued } = await registryWithTokens({ issue: () => ({ expires_in: 100 }) });
  const store = open(host, "push");
  const all = (): Promise<unknown> =>
    Promise.all(Array.from({ length: 20 }, (_, i) => store.statManifest(`v${i}`)));
  await all();
  expect(issued).toEqual(["GET repository:app:pull,push"]);
  now = new Date(now.getTime() + 89_000);
  await all();
  expect(issued).toHaveLength(1);
  now = new Date(now.getTime() + 2000);
  await all();
  expect(issued).toHaveLength(2);
});

test("a token that is refused in the middle of a run is replaced", async () => {
  let good = "t1";
  const { host, issued } = await registryWithTokens({ accepts: (token) => token === good });
  const store = open(host);
  await store.statManifest("a");
  good = "t2";
  const all = await Promise.all(Array.from({ length: 10 }, () => store.statManifest("b")));
  expect(all).toEqual(Array(10).fill({ kind: "missing" }));
  expect(issued).toHaveLength(2);
});

test("a token that is never good ends in an error that says how to log in", async () => {
  const { host, registry } = await registryWithTokens({ accepts: () => false });
  await expect(open(host).statRepository()).rejects.toMatchObject({
    code: "registry/unauthorized",
    hint: expect.stringContaining(`docker login ${host}`),
  });
  expect(registry.requests.filter((r) => r.includes("tags/list")).length).toBeLessThanOrEqual(3);
});

test("repositories of one host share the login, not the token; `delete` is asked only to delete", async () => {
  const { host, issued } = await registryWithTokens();
  const [a, b] = [open(host, "push", "a"), open(host, "push", "b")];
  await a.statBlob(blob);
  await b.statBlob(blob);
  await b.deleteTag("v1");
  expect(issued).toEqual([
    "GET repository:a:pull,push",
    "GET repository:b:pull,push",
    "GET repository:b:pull,push,delete",
  ]);
});

test("a registry that knows no `delete` action is asked for push", async () => {
  const { host, issued } = await registryWithTokens({
    issue: (scopes) => (scopes.some((s) => s.includes("delete")) ? 400 : {}),
  });
  const store = open(host, "push");
  expect(await store.deleteTag("v1")).toEqual({ kind: "deleted" });
  now = new Date(now.getTime() + 3_600_000);
  expect(await store.deleteTag("v2")).toEqual({ kind: "deleted" });
  expect(issued).toEqual([
    "GET repository:app:pull,push,delete",
    "GET repository:app:pull,push",
    "GET repository:app:pull,push",
  ]);
});

test("a challenge that asks for more than we did gets it", async () => {
  const { host, issued } = await registryWithTokens({ scope: "repository:app:pull repository:base:pull" });
  await open(host).statManifest("v1");
  expect(issued).toEqual(["GET repository:app:pull repository:base:pull"]);
});

test("an identity token is exchanged by POST, a registry token sent as it is", async () => {
  let grant: URLSearchParams | undefined;
  const { host, issued } = await registryWithTokens({
    issue: (_, __, form) => {
      grant = form;
      return {};
    },
  });
  await logIn(host, { identitytoken: "refresh-me" });
  await open(host).statManifest("v1");
  expect(Object.fromEntries(grant ?? [])).toMatchObject({
    grant_type: "refresh_token",
    refresh_token: "refresh-me",
    service: "the, service",
    scope: "repository:app:pull",
  });
  expect(issued).toHaveLength(1);
  const other = await registryWithTokens({ accepts: (token) => token === "as-it-is" });
  const fresh = await testRun({ clock });
  try {
    run = { ...fresh, home: run.home, dispose: run.dispose };
    await logIn(other.host, { registrytoken: "as-it-is" });
    expect(await open(other.host).statManifest("v1")).toEqual({ kind: "missing" });
    expect(other.issued).toEqual([]);
  } finally {
    await fresh.dispose();
  }
});

test("a refusal of the token server is told in its words, without the password", async () => {
  const { host } = await registryWithTokens({ issue: () => 403 });
  await logIn(host, { username: "me", password: "secret" });
  const failed = open(host, "push").statBlob(blob);
  await expect(failed).rejects.toMatchObject({ code: "registry/denied" });
  await expect(failed).rejects.toThrow(
    /to the user me for repository:app:pull,push: status 403 .*no token for you/,
  );
});

test("Basic is enough where Basic is asked", async () => {
  const seen: string[] = [];
  const server = await serveHttp((request, response) => {
    seen.push(decode(request.headers.authorization));
    if (request.headers.authorization !== undefined) return answerAsRegistry(request, response);
    response.writeHead(401, { "www-authenticate": 'Basic realm="Registry"' }).end();
  });
  servers.push(server);
  await logIn(server.host, { auth: Buffer.from("me:secret").toString("base64") });
  await open(server.host).statManifest("a");
  await open(server.host).statManifest("b");
  expect(seen.filter((s) => s !== "")).toEqual(["me:secret", "me:secret"]);
});

test("without credentials a Basic challenge is an error, not a loop", async () => {
  const server = await serveHttp((_, response) => {
    response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
  });
  servers.push(server);
  await expect(open(server.host).statBlob(blob)).rejects.toMatchObject({ code: "registry/unauthorized" });
});

test.each([
  ["http://auth.example/token", "registry/realm-insecure"],
  ["auth.example/token", "registry/token-invalid"],
  ["file:///etc/passwd", "registry/token-invalid"],
])("no credential goes to the realm %s", async (realm, code) => {
  const server = await serveHttp((_, response) => {
    response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end();
  });
  servers.push(server);
  const credential: Credential = { kind: "basic", username: "me", password: "secret" };
  const authority = new Authority(run, {
    host: "registry.example",
    plainAllowed: false,
    credentialFor: async () => credential,
  });
  const repository = { host: "registry.example", name: "app" };
  const response = await run.http.request({ method: "GET", url: server.url });
  const learned = authority.learn(response, repository, scopesOf("app", ["pull"]), undefined);
  await expect(learned).rejects.toMatchObject({ code });
});

test("a token server that answers with a page is named", async () => {
  const login = await serveHttp((_, response) => void response.end("<html>Please log in</html>"));
  servers.push(login);
  const { host } = await registryWithTokens({ realm: `${login.url}/login?next=/` });
  await expect(open(host).statManifest("a")).rejects.toThrow(
    `${login.url}/login, asked for a token for ${host}, answered 200 without one`,
  );
});
