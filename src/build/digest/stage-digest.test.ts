import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryContext } from "../../../test/support/memory-context.js";
import { parsePlatform } from "../../oci/platform.js";
import type { BuildContext } from "../context/context.js";
import { parseDockerfile } from "../dockerfile/parser.js";
import { type PlanOptions, planTarget } from "../dockerfile/plan.js";
import { canonicalJson, type JsonValue } from "./canonical-json.js";
import { indexDigest } from "./index-digest.js";
import { stageDigest } from "./stage-digest.js";

const platform = parsePlatform("linux/amd64");
const files = {
  "app/main.js": "main",
  "app/run.sh": { content: "#!/bin/sh", mode: "100755" as const },
  "docs/readme.md": "read me",
  "package.json": "{}",
};
const context = memoryContext(files);

interface Given extends Partial<PlanOptions> {
  readonly context?: BuildContext;
  readonly cacheVersion?: string;
}
async function digest(dockerfile: string, given: Given = {}): Promise<string> {
  const parsed = parseDockerfile(new TextEncoder().encode(dockerfile), "Dockerfile");
  const plan = planTarget(parsed, { args: {}, platform, buildPlatform: platform, ...given });
  const cacheVersion = given.cacheVersion === undefined ? {} : { cacheVersion: given.cacheVersion };
  return stageDigest({ plan, platform: "linux/amd64", context: given.context ?? context, ...cacheVersion });
}
const changed = (path: string, content: string): BuildContext => memoryContext({ ...files, [path]: content });

const app = 'FROM node:20 AS app\nWORKDIR /srv\nCOPY app/ .\nCOPY package.json ./\nCMD ["node", "main.js"]\n';

it("is 56 digits, the same for the same facts", async () => {
  expect(await digest(app)).toMatch(/^[0-9a-f]{56}$/);
  expect(await digest(app)).toBe(await digest(app));
  // Held fixed: a change of it makes everybody rebuild everything.
  expect(await digest(app)).toBe("d132e51d27f3e63dc0734ea305f070b862c354a697eb3744e2d1a428");
});

it.each([
  [
    "comments and blank lines",
    `# syntax=docker/dockerfile:1\n\n${app.replace("COPY", "# note\n\nCOPY")}`,
    {},
  ],
  ["continuation lines and case", app.replace("COPY app/", "copy \\\n  app/"), {}],
  ["a stage that isn't needed", `FROM other\nRUN false\n${app}`, {}],
  ["the name of a stage", app.replace("AS app", "AS web"), {}],
  ["a build arg without an ARG", app, { args: { V: "1" } }],
  ["a file that no COPY takes", app, { context: changed("docs/readme.md", "other") }],
  ["a variable instead of its value", `${app.replace("FROM", "ARG V=20\nFROM").replace(":20", ":$V")}`, {}],
  ["a target that is the last stage anyway", app, { target: "app" }],
] satisfies [string, string, Given][])("doesn't count %s", async (_what, dockerfile, given) => {
  expect(await digest(dockerfile, given)).toBe(await digest(app));
});

it.each([
  ["the base image's reference", app.replace("node:20", "node:22"), {}],
  ["an instruction", `${app}USER app\n`, {}],
  [
    "the order of instructions",
    app.replace("COPY app/ .\nCOPY package.json ./", "COPY package.json ./\nCOPY app/ ."),
    {},
  ],
  ["the content of a copied file", app, { context: changed("app/main.js", "other") }],
  ["the mode of a copied file", app, { context: memoryContext({ ...files, "app/run.sh": "#!/bin/sh" }) }],
  ["a file more", app, { context: changed("app/new.js", "") }],
  ["the cache version", app, { cacheVersion: "2" }],
  ["a flag of COPY", app.replace("COPY app/", "COPY --chown=1 app/"), {}],
] satisfies [string, string, Given][])("counts %s", async (_what, dockerfile, given) => {
  expect(await digest(dockerfile, given)).not.toBe(await digest(app));
});

it("counts the name of a copied file", async () => {
  const { "app/main.js": content, ...others } = files;
  expect(await digest(app, { context: memoryContext({ ...others, "app/index.js": content }) })).not.toBe(
    await digest(app),
  );
});

describe("build args", () => {
  it("count when an ARG of a stage, or of a FROM, asks for them", async () => {
    const file = "ARG BASE=x\nFROM $BASE\nARG V\nRUN make";
    const all = await Promise.all([
      digest(file),
      digest(file, { args: { V: "1" } }),
      digest(file, { args: { V: "" } }),
      digest(file, { args: { BASE: "y" } }),
    ]);
    expect(new Set(all).size).toBe(4);
  });
});

it("doesn't depend on the machine that builds, where only helping stages run on it", async () => {
  const arm = parsePlatform("linux/arm64");
  const tool =
    "FROM --platform=$BUILDPLATFORM golang AS build\nRUN make\nFROM scratch\nCOPY --from=build /x /\n";
  expect(await digest(tool, { buildPlatform: arm })).toBe(await digest(tool));
  const itself = "FROM --platform=$BUILDPLATFORM nginx\nUSER x";
  expect(await digest(itself, { buildPlatform: arm })).not.toBe(await digest(itself));
});

describe("what is known only at the build", () => {
  it.each([
    ["a source of COPY", "FROM x\nCOPY $SRC /\n", true],
    ["a destination of COPY", "FROM x\nCOPY app $HOME/\n", false],
    ["RUN --mount=type=bind of the context", "FROM x\nRUN --mount=target=/s make\n", true],
    ["RUN --mount=type=bind of a part", "FROM x\nRUN --mount=type=bind,source=app,target=/s make\n", false],
    ["RUN --mount=type=bind of a stage", "FROM y AS s\nFROM x\nRUN --mount=from=s,target=/s make\n", false],
  ])("counts the whole context for %s: %#", async (_what, dockerfile, whole) => {
    const before = await digest(dockerfile);
    expect((await digest(dockerfile, { context: changed("docs/readme.md", "other") })) !== before).toBe(
      whole,
    );
  });

  it("tells an escaped variable from an open one", async () => {
    expect(await digest("FROM x\nENV A=\\$V$V")).not.toBe(await digest("FROM x\nENV A=$V\\$V"));
  });
});

it("counts bodies of heredocs and addresses of ADD", async () => {
  const all = await Promise.all(
    [
      "FROM x\nRUN <<EOF\na\nEOF",
      "FROM x\nRUN <<EOF\nb\nEOF",
      "FROM x\nCOPY <<f /\na\nf",
      "FROM x\nCOPY <<f /\nb\nf",
      "FROM x\nADD https://example.com/a /",
      "FROM x\nADD https://example.com/b /",
    ].map((file) => digest(file)),
  );
  expect(new Set(all).size).toBe(6);
});

it("says which source isn't there", async () => {
  await expect(digest("FROM x\nCOPY nothing /")).rejects.toMatchObject({ code: "build/copy-source-missing" });
});

it("takes an index's digest from the stages' tags in order", () => {
  const expected = createHash("sha3-224").update("a-1:::b-2").digest("hex");
  expect(indexDigest(["a-1", "b-2"])).toBe(expected);
  expect(indexDigest(["b-2", "a-1"])).not.toBe(expected);
});

describe("canonical JSON", () => {
  const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;

  it("says the same as JSON", () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(JSON.parse(canonicalJson(v))).toEqual(JSON.parse(JSON.stringify(v)));
      }),
    );
  });

  it("doesn't depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), value), (record) => {
        expect(canonicalJson(Object.fromEntries(Object.entries(record).reverse()))).toBe(
          canonicalJson(record),
        );
      }),
    );
  });
});

it("is not fooled by values that contain separators", async () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ",", ":", " ", "|", "[", "]") });
  const label = (pair: readonly [string, string]): string =>
    `FROM scratch\nLABEL ${pair.map((v, i) => `k${i}='${v}'`).join(" ")}`;
  await fc.assert(
    fc.asyncProperty(fc.tuple(text, text), fc.tuple(text, text), async (one, other) => {
      const same = one[0] === other[0] && one[1] === other[1];
      expect((await digest(label(one))) === (await digest(label(other)))).toBe(same);
    }),
    { numRuns: 200 },
  );
});
