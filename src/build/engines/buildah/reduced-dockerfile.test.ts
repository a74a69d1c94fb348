import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../../dockerfile/parser.js";
import { planTarget } from "../../dockerfile/plan.js";
import { reducedDockerfile } from "./reduced-dockerfile.js";

const platform = { os: "linux", architecture: "amd64" };
const text = [
  "# syntax=docker/dockerfile:1",
  "ARG V=1.2",
  "FROM --platform=linux/arm64 \\",
  "  # a comment",
  "  registry.example/base:$V AS One",
  "# another",
  "RUN a \\",
  "  b",
  "FROM unneeded AS two",
  "RUN never",
  "FROM scratch",
  "COPY --from=one /x /x",
  "COPY --from=0 /y /y",
  "FROM later AS three",
  "RUN later",
  "",
].join("\n");

function reduced(target?: string): string[] {
  const bytes = new TextEncoder().encode(text);
  const plan = planTarget(parseDockerfile(bytes, "Dockerfile"), {
    args: {},
    platform,
    buildPlatform: platform,
    target: target ?? "2",
  });
  const ids = plan.stages.flatMap(({ base }, i) => (base.kind === "image" ? [[i, "ab12"] as const] : []));
  return reducedDockerfile({ path: "Dockerfile", bytes }, plan, new Map(ids)).split("\n");
}

describe("the Dockerfile for buildah", () => {
  it("names bases by ID, empties unneeded stages, ends with the target, keeps line numbers", () => {
    expect(reduced()).toEqual([
      "# syntax=docker/dockerfile:1",
      "ARG V=1.2",
      "FROM --platform=linux/arm64 ab12 AS one",
      "",
      "",
      "",
      "RUN a \\",
      "  b",
      "FROM scratch AS two",
      "",
      "FROM scratch",
      "COPY --from=one /x /x",
      "COPY --from=0 /y /y",
      "",
      "",
      "",
    ]);
  });

  it("has only scratch before a target that needs nothing", () => {
    const lines = reduced("three").filter((line) => line.startsWith("FROM"));
    expect(lines).toEqual([
      "FROM scratch AS one",
      "FROM scratch AS two",
      "FROM scratch",
      "FROM ab12 AS three",
    ]);
  });
});
