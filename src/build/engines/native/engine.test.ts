import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { baseImage } from "../../../../test/support/base-image.js";
import { MemoryStore } from "../../../../test/support/memory-store.js";
import {
  listing,
  type NativeBuild,
  nativeBuild,
  planOf,
  runtimeOf,
} from "../../../../test/support/native-build.js";
import { type TestRun, testRun } from "../../../../test/support/run-context.js";
import type { ImageConfig, RuntimeConfig } from "../../../oci/image-config.js";
import { nativeEngine } from "./engine.js";

const scratchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

let run: TestRun;
let store: MemoryStore;
let build: NativeBuild;
beforeEach(async () => {
  run = await testRun();
  store = new MemoryStore("registry.example/base");
  build = nativeBuild(run);
});
afterEach(() => run.dispose());

describe("the configuration", () => {
  it("is that of the instructions", async () => {
    const image = await build(
      [
        "FROM scratch",
        "ARG V=1",
        "MAINTAINER Jo",
        "ENV A=$V B='x y'",
        "ENV A=2",
        "LABEL l=$A other=1",
        "USER 10:20",
        "EXPOSE 80 81/UDP 90-91",
        "VOLUME /data [not-json",
        'SHELL ["/bin/bash", "-c"]',
        "ENTRYPOINT run $A",
        'CMD ["--x"]',
        "STOPSIGNAL SIGQUIT",
        "HEALTHCHECK --interval=5s --retries=2 CMD ok",
        "ONBUILD RUN x",
      ],
      { labels: { werf: "project", l: "kept" } },
    );
    const expected: RuntimeConfig = {
      Env: [scratchPath, "A=2", "B=x y"],
      WorkingDir: "/",
      Labels: { l: "kept", other: "1", werf: "project" },
      User: "10:20",
      ExposedPorts: { "80/tcp": {}, "81/udp": {}, "90/tcp": {}, "91/tcp": {} },
      Volumes: { "/data": {}, "[not-json": {} },
      Shell: ["/bin/bash", "-c"],
      Entrypoint: ["/bin/bash", "-c", "run $A"],
      Cmd: ["--x"],
      StopSignal: "SIGQUIT",
      Healthcheck: { Test: ["CMD-SHELL", "ok"], Interval: 5e9, Retries: 2 },
      OnBuild: ["RUN x"],
    };
    expect(runtimeOf(image)).toEqual(expected);
    expect(image.config).toMatchObject({ os: "linux", architecture: "amd64", author: "Jo" });
    expect(image.config.created).toBeUndefined();
    expect(image.config.history).toHaveLength(14);
    expect(image.config.history?.[0]).toEqual({ created_by: "ARG V=1", empty_layer: true });
    expect(image.layers).toEqual([]);
  });

  it("keeps what the base image has", async () => {
    const config: Partial<ImageConfig> = {
      created: "2020-01-01T00:00:00Z",
      author: "Base",
      config: { Env: ["PATH=/bin", "X=1"], Cmd: ["sh"], Labels: { a: "1" }, WorkingDir: "/srv" },
      history: [{ created_by: "base" }],
      ...({ "os.version": "1", container_config: { Cmd: ["old"] } } as object),
    };
    const base = await baseImage(store, [[{ name: "srv/" }]], config);
    const image = await build(["FROM base", "ENV PATH=$PATH:/x X=$X$X", "WORKDIR sub/.."], {
      bases: { base },
    });
    expect(runtimeOf(image)).toEqual({
      Env: ["PATH=/bin:/x", "X=11"],
      Cmd: ["sh"],
      Labels: { a: "1" },
      WorkingDir: "/srv",
    });
    expect(image.config).toMatchObject({ author: "Base", "os.version": "1" });
    expect(image.config).not.toHaveProperty("container_config");
    expect(image.config).not.toHaveProperty("created");
    expect(image.config.history?.map((h) => h.created_by)).toEqual([
      "base",
      "ENV PATH=$PATH:/x X=$X$X",
      "WORKDIR sub/..",
    ]);
    expect(image.config.rootfs.diff_ids).toEqual(base.config.rootfs.diff_ids);
    expect(image.layers).toMatchObject([{ descriptor: base.layers[0], content: { kind: "stored", store } }]);
  });

  it("drops the base image's CMD with a new ENTRYPOINT, not the stage's own", async () => {
    const base = await baseImage(store, [], { config: { Cmd: ["old"], Entrypoint: ["e"] } });
    const bases = { base };
    expect(runtimeOf(await build(["FROM base", 'ENTRYPOINT ["x"]'], { bases })).Cmd).toBeUndefined();
    const own = await build(["FROM base", "CMD own", 'ENTRYPOINT ["x"]'], { bases });
    expect(runtimeOf(own)).toMatchObject({ Cmd: ["/bin/sh", "-c", "own"], Entrypoint: ["x"] });
  });

  it.each([
    ["EXPOSE http", "EXPOSE http is not a port"],
    ["EXPOSE 70000", "not a port"],
    ["EXPOSE 90-80", "not a port"],
    ["STOPSIGNAL SIGNOTHING", "STOPSIGNAL SIGNOTHING is not a signal"],
    ["STOPSIGNAL 65", "not a signal"],
    ['VOLUME [""]', "empty path"],
  ])("refuses %s", async (line, message) => {
    await expect(build(["FROM scratch", line])).rejects.toMatchObject({
      code: "build/instruction-invalid",
      message: expect.stringContaining(`Dockerfile:2: `) as string,
    });
    await expect(build(["FROM scratch", line])).rejects.toThrow(message);
  });
});

describe("WORKDIR", () => {
  it("makes the directory, owned by the USER, and relative to the one before", async () => {
    const image = await build(["FROM scratch", "USER 5:6", "WORKDIR /a/b", "WORKDIR c"]);
    expect(runtimeOf(image).WorkingDir).toBe("/a/b/c");
    expect(await listing(image, 0)).toEqual(["a/ 755 5:6", "a/b/ 755 5:6"]);
    expect(await listing(image, 1)).toEqual(["a/b/c/ 755 5:6"]);
    expect(image.config.history?.map((h) => h.empty_layer === true)).toEqual([true, false, false]);
  });

  it("makes nothing when the directory is there", async () => {
    const base = await baseImage(store, [
      [{ name: "var/" }, { name: "run", type: "symlink", linkname: "var" }],
    ]);
    const image = await build(["FROM base", "WORKDIR /run", "WORKDIR /"], { bases: { base } });
    expect(image.layers).toHaveLength(1);
    expect(runtimeOf(image).WorkingDir).toBe("/");
  });
});

describe("stages", () => {
  it("builds on a stage with its layers, variables and commands, and its ONBUILD", async () => {
    const image = await build(
      [
        "FROM scratch AS a",
        "ARG V=1",
        "ENV E=e",
        "CMD c",
        "COPY f /f",
        "ONBUILD COPY f /from-$E-$V",
        "FROM a",
        "COPY f /$V",
      ],
      { files: { f: "f" } },
    );
    expect(image.layers).toHaveLength(3);
    expect(await listing(image, 1)).toEqual(["from-e-1 644 0:0 f"]);
    expect(await listing(image, 2)).toEqual(["1 644 0:0 f"]);
    expect(runtimeOf(image)).toMatchObject({ Cmd: ["/bin/sh", "-c", "c"] });
    expect(runtimeOf(image).OnBuild).toBeUndefined();
  });

  it("carries out the ONBUILD of a base image, or says what it can't", async () => {
    const base = await baseImage(store, [], { config: { OnBuild: ["COPY f /app/", "ENV A=1"] } });
    const running = await baseImage(store, [], { config: { OnBuild: ["RUN make"] } });
    const given = { files: { f: "f" }, bases: { base, running } };
    const image = await build(["FROM base", "ENV B=$A"], given);
    expect(await listing(image)).toEqual(["app/ 755 0:0", "app/f 644 0:0 f"]);
    expect(runtimeOf(image)).toEqual({ Env: ["A=1", "B=1"], Labels: {} });
    await expect(build(["FROM running"], given)).rejects.toMatchObject({
      code: "build/native-cannot",
      message: "ONBUILD of running, for Dockerfile:1: RUN make: the native builder runs no commands",
    });
  });

  it("asks for a base image in the platform of FROM", async () => {
    const arm = await baseImage(store, [], { architecture: "arm64" });
    const image = await build(["FROM --platform=linux/arm64 base"], { bases: { "base linux/arm64": arm } });
    expect(image.config.architecture).toBe("arm64");
  });
});

it.each([
  ["RUN make", "runs no commands"],
  ["ADD https://example.com/a /", "fetches nothing"],
  ["ADD git@example.com:a/b.git /", "fetches nothing"],
  ["ADD a.tar.xz /", "gzip and zstd"],
  ["ADD --checksum=sha256:1 a /", "--checksum"],
  ["COPY --parents a /", "--parents"],
  ["COPY --exclude=b a /", "--exclude"],
  ["COPY --chmod=u+x a /", "octal"],
])("doesn't accept %s", (line, reason) => {
  expect(nativeEngine.accepts(planOf(["FROM other AS unused", "RUN false", "FROM x", line]))).toEqual({
    kind: "cannot",
    instruction: line,
    file: "Dockerfile",
    line: 4,
    reason: expect.stringContaining(reason) as string,
  });
});

it("accepts what it can build", async () => {
  expect(
    nativeEngine.accepts(planOf(["FROM x AS unused", "RUN false", "FROM y", "COPY --chmod=$M --link a /"])),
  ).toEqual({
    kind: "accepts",
  });
  expect(await nativeEngine.available(run)).toEqual({ kind: "available" });
});
