// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of Dockerfiles
import { describe, expect, it } from "vitest";
import { parsePlatform } from "../../oci/platform.js";
import { parseDockerfile } from "./parser.js";
import { type PlanOptions, planTarget } from "./plan.js";
import { expandStage, scopeOfEnvironment } from "./scope.js";
import type { PlannedStage, TargetPlan } from "./target-plan.js";

const amd64 = parsePlatform("linux/amd64");
function plan(text: string | readonly string[], options: Partial<PlanOptions> = {}): TargetPlan {
  const source = typeof text === "string" ? text : text.join("\n");
  const parsed = parseDockerfile(new TextEncoder().encode(source), "Dockerfile");
  return planTarget(parsed, { args: {}, platform: amd64, buildPlatform: amd64, ...options });
}
const last = (p: TargetPlan): PlannedStage => p.stages.at(-1) as PlannedStage;
const values = (p: TargetPlan): unknown[] =>
  last(p).instructions.flatMap((i) => (i.kind === "env" ? i.pairs.map((x) => x.value) : []));

describe("stages", () => {
  const file = [
    "FROM one AS a",
    "COPY x /x",
    "FROM two AS unused",
    "RUN false",
    "FROM a AS b",
    "COPY --from=tools:1 /t /t",
    "FROM scratch",
    "COPY --from=0 /x /x",
    "COPY --from=B /t /t",
    "RUN --mount=from=a,target=/m x",
  ];

  it("takes the closure of the last stage, in order, with its own numbers", () => {
    const { stages } = plan(file);
    expect(stages.map((s) => [s.name, s.base])).toEqual([
      ["a", { kind: "image", reference: "one" }],
      ["b", { kind: "stage", stage: 0 }],
      [undefined, { kind: "scratch" }],
    ]);
    expect(stages[1]?.instructions).toMatchObject([{ from: { kind: "image", reference: "tools:1" } }]);
    expect(stages[2]?.instructions).toMatchObject([
      { from: { kind: "stage", stage: 0 } },
      { from: { kind: "stage", stage: 1 } },
      { mounts: [{ from: { kind: "stage", stage: 0 } }] },
    ]);
  });

  it.each([
    ["a", 1],
    ["A", 1],
    ["unused", 1],
    ["2", 2],
    ["b", 2],
  ])("plans the target %s", (target, count) => {
    const planned = plan(file, { target });
    expect(planned.stages).toHaveLength(count);
    expect(planned.target).toBe(target);
  });

  it("names the stages when the target is unknown", () => {
    expect(() => plan(file, { target: "unusd" })).toThrow(
      expect.objectContaining({
        code: "build/dockerfile-target",
        message: 'Dockerfile has no stage "unusd"; did you mean "unused"?',
        hint: "its stages are a, unused, b",
      }),
    );
    expect(() => plan(file, { target: "4" })).toThrow('no stage "4"');
  });

  it("takes a name for an image when the stage of that name comes later, or is itself", () => {
    expect(plan("FROM node AS node\nFROM node").stages.map((s) => s.base)).toEqual([
      { kind: "image", reference: "node" },
      { kind: "stage", stage: 0 },
    ]);
    expect(plan("FROM node\nFROM x AS node", { target: "0" }).stages[0]?.base).toMatchObject({
      reference: "node",
    });
  });

  it("copies from a later stage, and refuses a circle", () => {
    expect(
      plan("FROM a AS x\nCOPY --from=y /1 /\nFROM b AS y\n", { target: "x" }).stages.map((s) => s.name),
    ).toEqual(["y", "x"]);
    expect(() => plan("FROM a AS x\nCOPY --from=y /1 /\nFROM b AS y\nCOPY --from=x /1 /")).toThrow(
      "stages need each other in a circle: y -> x -> y",
    );
    expect(() => plan("FROM a AS x\nCOPY --from=x /1 /")).toThrow("x -> x");
  });

  it("refuses a stage number that isn't there, and variables in --from", () => {
    expect(() => plan("FROM a\nCOPY --from=3 /1 /")).toThrow("Dockerfile:2: --from=3: there is no stage 3");
    expect(() => plan("FROM a\nCOPY --from=$X /1 /")).toThrow(
      "Dockerfile:2: --from=$X: variables are not expanded",
    );
  });

  it("runs the ONBUILD of a stage in the stages FROM it, and only there", () => {
    const { stages } = plan([
      "FROM scratch AS base",
      "ENV V=1",
      "ONBUILD COPY --from=tool $V /x",
      "FROM t AS tool",
      "FROM base AS child",
      "ENV W=2",
      "FROM child",
    ]);
    expect(stages.map((s) => s.name)).toEqual(["base", "tool", "child", undefined]);
    expect(stages[2]?.instructions).toMatchObject([
      { kind: "copy", sources: ["1"], from: { kind: "stage", stage: 1 }, position: { line: 3 } },
      { kind: "env" },
    ]);
    expect(stages[3]?.instructions).toEqual([]);
  });
});

describe("arguments", () => {
  it("expands FROM with global ARGs, build args first", () => {
    const file = "ARG V=1\nARG NAME=app:$V\nFROM --platform=$BUILDPLATFORM ${NAME}-${TARGETARCH} AS x";
    const base = { kind: "image", platform: "linux/amd64", runsOnBuilder: true };
    expect(plan(file).stages[0]?.base).toEqual({ ...base, reference: "app:1-amd64" });
    expect(plan(file, { args: { V: "2" } }).stages[0]?.base).toEqual({ ...base, reference: "app:2-amd64" });
    const platform = parsePlatform("linux/arm/v7");
    expect(plan(file, { platform }).stages[0]?.base).toEqual({ ...base, reference: "app:1-arm" });
  });

  it("refuses a FROM whose variable is empty", () => {
    expect(() => plan("ARG V\nFROM $V")).toThrow("Dockerfile:2: FROM $V names no image");
    expect(() => plan("FROM --platform=$V x")).toThrow("--platform=$V is empty");
  });

  it("shows a global ARG to a stage only when it is declared again", () => {
    const file = (line: string): string => `ARG V=1\nFROM scratch\n${line}\nENV E=[$V]`;
    expect(values(plan(file("USER x")))).toEqual(["[]"]);
    expect(values(plan(file("ARG V")))).toEqual(["[1]"]);
    expect(values(plan(file("ARG V=2")))).toEqual(["[2]"]);
    expect(values(plan(file("ARG V=2"), { args: { V: "3" } }))).toEqual(["[3]"]);
    expect(values(plan(file("ARG V"), { args: { V: "" } }))).toEqual(["[]"]);
  });

  it("gives platform args to stages that declare them", () => {
    const platform = parsePlatform("linux/arm/v7");
    const file =
      "FROM scratch\nARG TARGETPLATFORM TARGETVARIANT\nARG BUILDOS\nENV E=$TARGETPLATFORM,$TARGETVARIANT,$BUILDOS,$TARGETOS";
    expect(values(plan(file, { platform }))).toEqual(["linux/arm/v7,v7,linux,"]);
  });

  it("lets the later of ARG and ENV count, and shows ARGs to stages FROM this one", () => {
    expect(values(plan("FROM scratch\nARG V=1\nENV V=2 \nENV E=$V"))).toEqual(["2", "2"]);
    expect(values(plan("FROM scratch AS a\nARG V=1\nFROM a\nENV E=$V"))).toEqual(["1"]);
  });

  it("sets all pairs of one ENV from what was before", () => {
    expect(values(plan("FROM scratch\nENV a=1\nENV a=2 b=$a\nENV c=$a$b"))).toEqual(["1", "2", "1", "21"]);
  });

  it("says which build args nothing asks for", () => {
    const file = "ARG G\nFROM scratch AS other\nARG O\nFROM scratch\nARG S";
    const args = { G: "", O: "", S: "", X: "", https_proxy: "", SOURCE_DATE_EPOCH: "0" };
    expect(plan(file, { args }).unusedArgs).toEqual(["O", "X"]);
  });
});

describe("the base image's environment", () => {
  const file = [
    "FROM base",
    "ARG KNOWN=k",
    "ENV PATH=/app:$PATH KEPT=$KNOWN",
    "COPY $KNOWN $SRC/ ${DST:-/d}/",
    "COPY a $HOME/",
    "WORKDIR $PATH",
  ];

  it("stays open until it is known", () => {
    const [, env, copy, second, workdir] = last(plan(file)).instructions;
    expect(env).toMatchObject({ pairs: [{ value: "/app:$PATH" }, { value: "k" }], unresolved: ["PATH"] });
    expect(copy).toMatchObject({
      sources: ["k", "$SRC/"],
      sourcesUnresolved: true,
      unresolved: ["DST", "SRC"],
    });
    expect(second).toMatchObject({ sources: ["a"], destination: "$HOME/", unresolved: ["HOME"] });
    expect(second).not.toHaveProperty("sourcesUnresolved");
    expect(workdir).toMatchObject({ path: "$PATH", unresolved: ["PATH"] });
  });

  it("completes the plan when it is known", () => {
    const planned = plan(file);
    const { instructions } = expandStage(
      last(planned).written,
      planned.arguments,
      scopeOfEnvironment(["PATH=/bin", "SRC=s", "HOME=/root"]),
    );
    expect(instructions.some((i) => i.unresolved !== undefined)).toBe(false);
    expect(instructions).toMatchObject([
      { kind: "arg", args: [{ name: "KNOWN", value: "k" }] },
      { pairs: [{ value: "/app:/bin" }, { value: "k" }] },
      { sources: ["k", "s/"], destination: "/d/" },
      { destination: "/root/" },
      { path: "/app:/bin" },
    ]);
  });

  it("is closed below scratch", () => {
    expect(last(plan("FROM scratch AS a\nFROM a\nCOPY x$Y /")).instructions).toMatchObject([
      { sources: ["x"] },
    ]);
  });
});

it("expands heredocs of COPY unless quoted, and nothing in RUN, CMD or ENTRYPOINT", () => {
  const planned = plan([
    "FROM scratch",
    "ARG V=1",
    "COPY <<a <<'b' /",
    "'$V' \\$V",
    "a",
    "$V",
    "b",
    "RUN echo $V",
    "CMD echo $V",
    "EXPOSE $V$V/tcp",
  ]);
  expect(last(planned).instructions).toMatchObject([
    {},
    { heredocs: [{ content: "'1' $V\n" }, { content: "$V\n" }] },
    { command: "echo $V" },
    { command: "echo $V" },
    { ports: ["11/tcp"] },
  ]);
});

it("says where an expansion fails", () => {
  expect(() => plan('FROM scratch\n\nENV A="${V:?give V}"')).toThrow("Dockerfile:3: V: give V");
});
