import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { type OpenRegistry, openRegistry } from "../../src/embedded-registry/server/server.js";
import { werf } from "../support/cli.js";
import { sendError, sendJson, serveHttp, type TestServer } from "../support/http-server.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";

// A bundle goes from a registry with user and password, whose blobs lie on another host, to one with tokens and
// another user. Nobody hears a credential that isn't his.

interface Seen {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

interface Door {
  readonly server: TestServer;
  seen: Seen[];
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const basic = (user: string): string => `Basic ${Buffer.from(`${user}:of-${user}`).toString("base64")}`;
const token = "a-token-of-the-destination";

let base: string;
let project: TestProject;
let registries: OpenRegistry[];
let storage: Door;
let source: Door;
let destination: Door;

async function door(answer: Answer): Promise<Door> {
  const server = await serveHttp((request, response) => {
    const { method = "", url = "", headers } = request;
    made.seen.push({ method, path: url, authorization: headers.authorization });
    answer(request, response);
  });
  const made: Door = { server, seen: [] };
  return made;
}

/** Lets in whoever has this authorization, and tells others what is wanted. */
function guarded(wanted: string, challenge: () => string, answer: Answer): Answer {
  return (request, response) => {
    if (request.headers.authorization === wanted) return answer(request, response);
    request.resume();
    response.setHeader("www-authenticate", challenge());
    sendError(response, 401, "UNAUTHORIZED");
  };
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "werf-ts-access-"));
  project = testProject(shopFiles);
  project.commit("first");
  project.push("main");
  registries = await Promise.all(
    ["source", "destination"].map((name) =>
      openRegistry({
        root: join(base, name),
        clock: systemClock,
        emit: () => undefined,
        durable: false,
      }),
    ),
  );
  const [from, to] = registries as [OpenRegistry, OpenRegistry];
  storage = await door((request, response) => void from.handle(request, response));
  source = await door(
    guarded(
      basic("ann"),
      () => 'Basic realm="source"',
      (request, response) => {
        if (request.method === "GET" && request.url?.includes("/blobs/sha256:")) {
          response.writeHead(307, { location: `http://${storage.server.host}${request.url}` }).end();
        } else void from.handle(request, response);
      },
    ),
  );
  const pull = guarded(
    `Bearer ${token}`,
    () => `Bearer realm="http://${destination.server.host}/token",service="destination"`,
    (request, response) => void to.handle(request, response),
  );
  destination = await door((request, response) => {
    if (!request.url?.startsWith("/token")) return pull(request, response);
    if (request.headers.authorization === basic("bob")) sendJson(response, { token, expires_in: 300 });
    else sendError(response, 401, "UNAUTHORIZED");
  });
  mkdirSync(join(project.home, ".docker"));
  const auth = (user: string): { auth: string } => ({ auth: basic(user).slice("Basic ".length) });
  const auths = { [source.server.host]: auth("ann"), [destination.server.host]: auth("bob") };
  writeFileSync(join(project.home, ".docker", "config.json"), JSON.stringify({ auths }));
  await ok("bundle", "publish", "--repo", `${source.server.host}/shop`, "--tag", "1.0.0");
});
beforeEach(() => {
  for (const each of [storage, source, destination]) each.seen = [];
});
afterAll(async () => {
  for (const { server } of [storage, source, destination]) server.close();
  await Promise.all(registries.map((registry) => registry.close()));
  project.dispose();
  rmSync(base, { recursive: true, force: true });
});

async function ok(...argv: string[]): Promise<void> {
  const result = await werf(argv, { cwd: project.directory, home: project.home });
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
}
const copy = (to: string): string[] => [
  "bundle",
  "copy",
  "--from",
  `${source.server.host}/shop:1.0.0`,
  "--to",
  to,
];
const heard = ({ seen }: Door): Set<string | undefined> => new Set(seen.map((each) => each.authorization));

test("each registry hears its own credentials, and where blobs lie hears none", async () => {
  await ok(...copy(`${destination.server.host}/first/shop:1.0.0`));
  expect(storage.seen.length).toBeGreaterThan(2);
  expect(heard(storage)).toEqual(new Set([undefined]));
  expect(heard(source)).toEqual(new Set([undefined, basic("ann")]));
  expect(heard(destination)).toEqual(new Set([undefined, basic("bob"), `Bearer ${token}`]));
  for (const { path, authorization } of destination.seen) {
    if (authorization === basic("bob")) expect(path).toMatch(/^\/token\?/);
  }
});

test("a second copy sends nothing, and asks for each image and the bundle once", async () => {
  const argv = copy(`${destination.server.host}/second/shop:1.0.0`);
  await ok(...argv);
  for (const each of [storage, source, destination]) each.seen = [];
  await ok(...argv);
  const asked = destination.seen.filter(({ path }) => path.startsWith("/v2/second/"));
  const authorized = asked.filter(({ authorization }) => authorization !== undefined);
  expect(new Set(asked.map(({ method }) => method))).toEqual(new Set(["HEAD"]));
  expect(authorized.map(({ path }) => path.slice(path.lastIndexOf("/") + 1))).toEqual([
    expect.stringMatching(/^[0-9a-f]{56}-\d{13}$/),
    "1.0.0",
  ]);
  // The chart, which says what images there are.
  expect(storage.seen).toHaveLength(1);
});

test("an archive leaves nothing beside it", async () => {
  const directory = join(base, "archives");
  mkdirSync(directory);
  await ok(...copy(`archive:${join(directory, "shop.tar")}`));
  expect(readdirSync(directory)).toEqual(["shop.tar"]);
});
