import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sendError, sendJson, serveHttp, type TestServer } from "../../../test/support/http-server.js";
import { type TestRun, testRun } from "../../../test/support/run-context.js";
import { type VerifiedLogin, verifyCredential } from "./verify-login.js";

let run: TestRun;
const servers: TestServer[] = [];
beforeEach(async () => {
  run = await testRun();
});
afterEach(async () => {
  await run.dispose();
  for (const server of servers.splice(0)) server.close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<TestServer> {
  const server = await serveHttp(handler);
  servers.push(server);
  return server;
}

const pair = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;

/** A registry that wants what `wanted` says, and a challenge for who doesn't bring it. */
function registry(challenge: string, wanted: string): Promise<TestServer> {
  return serve((request, response) => {
    if (request.headers.authorization === wanted) return sendJson(response, {});
    response.setHeader("www-authenticate", challenge);
    sendError(response, 401, "UNAUTHORIZED", "authentication required");
  });
}

const verify = (host: string, password = "secret", insecure = false): Promise<VerifiedLogin> =>
  verifyCredential(run, { host, username: "me", password }, { insecure });

test("Basic: the right password is taken, the wrong one refused in the registry's words", async () => {
  const { host } = await registry('Basic realm="x"', pair("me:secret"));
  expect(await verify(host)).toEqual({
    login: { host, username: "me", password: "secret" },
    checked: true,
  });
  await expect(verify(host, "wrong")).rejects.toMatchObject({
    code: "registry/login-refused",
    message: expect.stringContaining(`${host} refuses the login of me: status 401`),
  });
  expect(run.secrets.redact(`secret ${pair("me:secret")}`)).toBe("*** Basic ***");
});

async function tokens(answer: object): Promise<TestServer> {
  return serve((request, response) => {
    if (request.headers.authorization === pair("me:secret")) return sendJson(response, answer);
    sendError(response, 401, "UNAUTHORIZED", "incorrect username or password");
  });
}

test("Bearer: the token server judges, and what it gives is tried at the registry", async () => {
  const server = await tokens({ token: "t1" });
  const { host } = await registry(`Bearer realm="${server.url}/token",service="s"`, "Bearer t1");
  expect(await verify(host)).toMatchObject({ checked: true, login: { password: "secret" } });
  expect(server.requests).toEqual(["GET /token?service=s&offline_token=true&client_id=werf-ts&account=me"]);
  const failed = verify(host, "wrong-password");
  await expect(failed).rejects.toThrow(/status 401 .*incorrect username or password/);
  await expect(failed).rejects.not.toThrow(/wrong-password/);
});

test("a refresh token is what is to be kept", async () => {
  const server = await tokens({ access_token: "t1", refresh_token: "refresh" });
  const { host } = await registry(`Bearer realm="${server.url}/token"`, "Bearer t1");
  expect((await verify(host)).login.identityToken).toBe("refresh");
  expect(run.secrets.redact("refresh")).toBe("***");
});

test("a token that the registry doesn't take is no login", async () => {
  const server = await tokens({ token: "of-somebody-else" });
  const { host } = await registry(`Bearer realm="${server.url}/token"`, "Bearer t1");
  await expect(verify(host)).rejects.toMatchObject({ code: "registry/login-refused" });
});

test("who lets everybody in has checked nothing", async () => {
  const { host } = await serve((_, response) => sendJson(response, {}));
  expect(await verify(host)).toMatchObject({ checked: false });
});

test("what isn't a registry, or sends elsewhere, hears no password", async () => {
  const seen: (string | undefined)[] = [];
  const other = await serve((request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(401, { "www-authenticate": "Basic realm=x" }).end();
  });
  const site = await serve((_, response) => void response.writeHead(404).end("<html>"));
  const moved = await serve(
    (_, response) => void response.writeHead(302, { location: `${other.url}/v2/` }).end(),
  );
  await expect(verify(site.host)).rejects.toMatchObject({ code: expect.stringContaining("registry/") });
  await expect(verify(moved.host)).rejects.toMatchObject({ code: "registry/answer-invalid" });
  expect(seen.filter((header) => header !== undefined)).toEqual([]);
});
