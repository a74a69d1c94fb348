import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { werf } from "../support/cli.js";
import {
  answering,
  type Fault,
  type Faults,
  type FaultyRegistry,
  type FaultyRequest,
  flipped,
  isBlob,
  isManifest,
  registryErrors,
  startFaultyRegistry,
  when,
  withBody,
} from "../support/faulty-registry.js";
import { shopFiles, type TestProject, testProject } from "../support/project.js";
import { expectRefusal, type Refusal } from "../support/refusal.js";
import { type EmbeddedTestRegistry, startEmbedded } from "../support/registries.js";
import { registryTags } from "../support/tags.js";

// What a registry may do wrong, on each side of the work: nothing half-published, no password told.

const user = "ann";
const password = "correct-horse-battery";
const basic = Buffer.from(`${user}:${password}`).toString("base64");

let registry: EmbeddedTestRegistry;
let faulty: FaultyRegistry;
let project: TestProject;
/** A bundle with an image, whole, behind the faulty registry. */
const source = "calm/shop";
let repositories = 0;

beforeAll(async () => {
  registry = await startEmbedded();
  faulty = await startFaultyRegistry(registry.host);
  project = testProject(shopFiles);
  project.commit("first");
  project.push("main");
  // Answers of a registry come with the credentials that it was sent: these must not be shown.
  mkdirSync(join(project.home, ".docker"));
  writeFileSync(
    join(project.home, ".docker/config.json"),
    JSON.stringify({ auths: { [faulty.host]: { auth: basic } } }),
  );
  const argv = ["bundle", "publish", "--repo", `${faulty.host}/${source}`, "--tag", "1.0.0"];
  const published = await werf(argv, { cwd: project.directory, home: project.home });
  expect(published, published.stderr).toMatchObject({ exitCode: 0 });
});
afterAll(async () => {
  await faulty.stop();
  await registry.stop();
  project.dispose();
});

let target: string;
beforeEach(() => {
  target = `bad/registry-${++repositories}`;
});
afterEach(() => faulty.fail(() => undefined));

interface Work {
  readonly name: string;
  readonly argv: () => string[];
}

const build: Work = { name: "build", argv: () => ["build", "--repo", `${faulty.host}/${target}`] };
const publish: Work = {
  name: "bundle publish",
  argv: () => ["bundle", "publish", "--tag", "1.0.0", "--repo", `${faulty.host}/${target}`],
};
const copyFrom: Work = {
  name: "bundle copy from it",
  argv: () => [
    "bundle",
    "copy",
    "--from",
    `${faulty.host}/${source}:1.0.0`,
    "--to",
    `${registry.host}/${target}:1.0.0`,
  ],
};
const copyTo: Work = {
  name: "bundle copy to it",
  argv: () => [
    "bundle",
    "copy",
    "--from",
    `${registry.host}/${source}:1.0.0`,
    "--to",
    `${faulty.host}/${target}:1.0.0`,
  ],
};
const archive = (): string => join(project.base, `${target.replace("/", "-")}.tar`);
const copyToArchive: Work = {
  name: "bundle copy to an archive",
  argv: () => ["bundle", "copy", "--from", `${faulty.host}/${source}:1.0.0`, "--to", `archive:${archive()}`],
};
const cleanup: Work = {
  name: "cleanup",
  argv: () => [
    "cleanup",
    "--without-kube",
    "--keep-stages-built-within-last-n-hours",
    "0",
    "--repo",
    `${faulty.host}/${source}`,
  ],
};
const purge: Work = { name: "purge", argv: () => ["purge", "--repo", `${faulty.host}/${source}`] };
const all = [build, publish, copyFrom, copyTo, copyToArchive, cleanup, purge];

/** Refused; nothing is at the destination, and what was in the registry is still there. */
async function refused(work: Work, faults: Faults, refusal: Refusal): Promise<void> {
  const before = await registryTags(`${registry.host}/${source}`);
  faulty.fail(faults);
  const { stderr } = await expectRefusal(
    work.argv(),
    { cwd: project.directory, home: project.home },
    refusal,
  );
  faulty.fail(() => undefined);
  expect(stderr).not.toContain(password);
  expect(stderr).not.toContain(basic);
  expect(await registryTags(`${registry.host}/${target}`)).toEqual([]);
  expect(existsSync(archive())).toBe(false);
  expect(await registryTags(`${registry.host}/${source}`)).toEqual(before);
}

const always =
  (status: number, body = "", headers: Record<string, string> = {}): Faults =>
  () =>
    answering(status, body, headers);
const html = { "content-type": "text/html; charset=utf-8" };

/** Answers in the first way to anybody, in the second to whoever sends credentials, and tells them these. */
const echoing =
  (stranger: number, known: number, challenge: string): Faults =>
  ({ headers: { authorization } }) => {
    const sent = String(authorization);
    const plain = Buffer.from(sent.replace("Basic ", ""), "base64").toString();
    const status = authorization === undefined ? stranger : known;
    const body = registryErrors("DENIED", `you sent ${sent}, which is ${plain}`);
    return answering(status, body, { "www-authenticate": challenge });
  };

const isTagged = (request: FaultyRequest): boolean =>
  isManifest(request) && !request.path.includes("sha256:");
/** The registry says that a manifest is another one. */
const anotherDigest: Fault = {
  kind: "alter",
  change: (answer) => ({
    ...answer,
    headers: { ...answer.headers, "docker-content-digest": `sha256:${"0".repeat(64)}` },
  }),
};

describe.each(all)("$name with a registry that", (work) => {
  const host = (): string => faulty.host;

  it("is down", async () => {
    const gone = await startFaultyRegistry(registry.host);
    await gone.stop();
    const argv = work.argv().map((word) => word.replace(faulty.host, gone.host));
    await refused({ ...work, argv: () => argv }, () => undefined, { says: [gone.host, "can't be reached"] });
  });

  it("answers with a page", async () => {
    const page = "<!doctype html><title>Sign in</title><p>Welcome";
    await refused(work, always(200, page, html), { says: [host(), "HTML page", "Sign in"] });
    await refused(work, always(404, page, html), { says: [host(), "HTML page", "Sign in"] });
  });

  it("refuses the user, with or without saying how to log in", async () => {
    const says = [host(), "401", "docker login"];
    await refused(work, always(401, registryErrors("UNAUTHORIZED", "no")), { says });
    await refused(work, echoing(401, 401, 'Basic realm="registry"'), { says });
    const realm = `Bearer realm="http://${host()}/token",service="s"`;
    await refused(work, echoing(401, 401, realm), { says });
  });

  it("denies", async () => {
    await refused(work, echoing(401, 403, 'Basic realm="registry"'), { says: [host(), "403", "permission"] });
  });

  it("has had enough", async () => {
    const body = registryErrors("TOOMANYREQUESTS", "slow down");
    await refused(work, always(429, body, { "retry-after": "1" }), {
      says: [host(), "429", "slow down"],
    });
  });

  it("fails", async () => {
    await refused(work, always(500, "Internal Server Error"), { says: [host(), "500", "log"] });
  });

  it("cuts every connection", async () => {
    await refused(work, () => ({ kind: "cut", after: "nothing" }), { says: [host(), "broke"] });
  });

  it("answers something else", async () => {
    await refused(work, always(200, '{"no": "manifest"}'), { says: [host()] });
    await refused(work, always(418, "teapot"), {
      says: [host(), "418", "teapot"],
    });
  });
});

// The HTTP client notices silence by the second: not for each command.
describe.each([build, copyFrom])("$name with a registry that", (work) => {
  it("says nothing", async () => {
    const says = [faulty.host, "no answer"];
    await refused(work, () => ({ kind: "stall", after: "nothing" }), { says });
  });
});

describe("bundle copy from a registry whose", () => {
  it.each<[string, Faults, string]>([
    ["blobs stop in the middle", when(isBlob, { kind: "stall", after: 10 }), "sha256:"],
    ["manifests stop in the middle", when(isManifest, { kind: "stall", after: 10 }), "manifests"],
  ])("%s", async (_what, faults, where) => {
    await refused(copyFrom, faults, { says: [faulty.host, where, "stopped coming"] });
  });
});

const half = withBody((body) => body.subarray(0, body.length >> 1));
const twice = withBody((body) => Buffer.concat([body, body]));
const none = withBody(() => Buffer.alloc(0));
const blobMissing = answering(404, registryErrors("BLOB_UNKNOWN", "no"));
const isPinned = (request: FaultyRequest): boolean => isManifest(request) && !isTagged(request);

describe.each([copyFrom, copyToArchive])("$name with", (work) => {
  it.each<[string, Faults, Refusal["says"]]>([
    ["a wrong digest in a header", when(isTagged, anotherDigest), ["sha256:00000", "came as sha256:"]],
    ["other bytes of a manifest", when(isPinned, withBody(flipped)), ["sha256:", "came as sha256:"]],
    ["other bytes of a blob", when(isBlob, withBody(flipped)), ["sha256:", "came as"]],
    ["a truncated blob", when(isBlob, half), ["sha256:", "bytes instead of"]],
    ["a blob that is too long", when(isBlob, twice), ["sha256:", "more than"]],
    ["an empty blob", when(isBlob, none), ["sha256:", "0 bytes instead of"]],
    ["a blob that is cut off", when(isBlob, { kind: "cut", after: 10 }), ["sha256:", "broke"]],
    ["a manifest that is cut off", when(isManifest, { kind: "cut", after: 10 }), ["manifests", "broke"]],
    ["blobs that are missing", when(isBlob, blobMissing), ["sha256:", "doesn't have"]],
  ])("%s", async (_what, faults, says) => {
    await refused(work, faults, { says: [faulty.host, ...says] });
  });
});
