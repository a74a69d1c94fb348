import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Parser } from "tar";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openContext } from "../../src/build/context/open.js";
import { parseDockerfile } from "../../src/build/dockerfile/parser.js";
import { planTarget } from "../../src/build/dockerfile/plan.js";
import { buildahEngine } from "../../src/build/engines/buildah/engine.js";
import type { BaseImage, BuildRequest, BuiltImage } from "../../src/build/engines/engine.js";
import { writeLayer } from "../../src/build/layer/writer.js";
import { isWerfError } from "../../src/core/errors.js";
import type { RunContext } from "../../src/core/run-context.js";
import { openGitRepository } from "../../src/git/open.js";
import type { GitRepository } from "../../src/git/repository.js";
import { digestOf } from "../../src/oci/digest.js";
import type { ImageConfig } from "../../src/oci/image-config.js";
import { openLayoutDirectory } from "../../src/oci/layout/layout-directory.js";
import { mediaTypes } from "../../src/oci/media-types.js";
import { type TestWorkTree, testWorkTree } from "../support/git-work-tree.js";
import { type TestRun, testRun } from "../support/run-context.js";

const platform = { os: "linux", architecture: "amd64" };
const busybox = await readFile("/bin/busybox").catch(() => undefined);
const probe = await testRun();
const buildah = await buildahEngine.available(probe);
await probe.dispose();
const missing =
  buildah.kind === "missing" ? "buildah is not there" : busybox === undefined ? "no /bin/busybox" : undefined;

let run: TestRun;
let tree: TestWorkTree;
let repo: GitRepository;
let base: BaseImage;
let resolved: string[];

async function request(dockerfile: string, options: Partial<BuildRequest> = {}): Promise<BuildRequest> {
  await tree.commit({ Dockerfile: dockerfile });
  const { hash } = await repo.head();
  const context = await openContext(repo, {
    commit: hash,
    projectDir: "",
    context: "",
    dockerfile: "Dockerfile",
  });
  const bytes = new TextEncoder().encode(dockerfile);
  const parsed = parseDockerfile(bytes, "Dockerfile");
  return {
    image: "app",
    platform,
    context,
    plan: planTarget(parsed, { args: { WHO: "world" }, platform, buildPlatform: platform }),
    dockerfile: { path: "Dockerfile", bytes },
    labels: { werf: "project" },
    scratchDirectory: await run.tmp(),
    task: "t1",
    resolveBase: async (reference) => {
      resolved.push(reference);
      return base;
    },
    ...options,
  };
}

/** A base image as a registry would have it: one layer with busybox. */
async function makeBase(): Promise<BaseImage> {
  const directory = join(run.cwd, "base");
  const store = await openLayoutDirectory(run, directory, "write");
  const bytes = busybox ?? Buffer.alloc(0);
  const { Readable } = await import("node:stream");
  const root = { uid: 0, gid: 0 };
  const layer = await writeLayer(
    [
      { ...root, path: "bin", mode: 0o755, kind: "directory" },
      {
        ...root,
        path: "bin/busybox",
        mode: 0o755,
        kind: "file",
        size: bytes.length,
        open: async () => Readable.from([bytes]),
      },
      { ...root, path: "bin/sh", mode: 0o777, kind: "symlink", target: "busybox" },
    ],
    { directory: join(run.cwd, "layers"), mediaType: mediaTypes.ociLayerGzip, mtime: 0 },
  );
  if (layer.content.kind === "bytes") await store.writeBlob(layer.descriptor, layer.content.source);
  const config: ImageConfig = {
    architecture: "amd64",
    os: "linux",
    config: {
      Env: ["PATH=/bin", "FROM_BASE=yes"],
      OnBuild: ["RUN echo triggered > /onbuild"],
      Healthcheck: { Test: ["CMD", "/bin/true"], Interval: 5_000_000_000 },
    },
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
  };
  return { store, config, layers: [layer.descriptor] };
}

/** Text of every file of an image, later layers last, by path. */
async function filesOf(image: BuiltImage): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { content, descriptor, diffId } of image.layers) {
    if (content.kind !== "stored") throw new Error("buildah's layers lie in a store");
    const chunks: Buffer[] = [];
    for await (const chunk of await content.store.readBlob(descriptor)) chunks.push(chunk as Buffer);
    const bytes = gunzipSync(Buffer.concat(chunks));
    expect(digestOf(bytes)).toBe(diffId);
    const parser = new Parser({
      onReadEntry: (entry) => {
        const parts: Buffer[] = [];
        entry.on("data", (part: Buffer) => void parts.push(part));
        entry.on(
          "end",
          () => void files.set(entry.path, entry.linkpath || Buffer.concat(parts).toString("latin1")),
        );
      },
    });
    await new Promise<void>((resolve, reject) => {
      parser.on("end", resolve).on("error", reject);
      parser.end(bytes);
    });
  }
  return files;
}

describe.skipIf(missing !== undefined && process.env["CI"] !== "true")(
  `buildah${missing ? `: ${missing}` : ""}`,
  () => {
    beforeAll(async () => {
      expect(missing).toBeUndefined();
      run = await testRun();
      tree = await testWorkTree();
      await tree.commit({
        "src/hello.sh": { executable: "#!/bin/sh\necho hello $1\n" },
        "src/link": { link: "hello.sh" },
        "src/hidden.log": "x",
        ".dockerignore": "**/*.log\n",
      });
      repo = await openGitRepository(run, tree.path);
      base = await makeBase();
      resolved = [];
    });
    afterAll(async () => {
      await repo?.close();
      await tree?.dispose();
      // As root, the storage driver leaves its directory mounted on itself.
      const overlay = join(run.werfHome, "buildah/default/storage/overlay");
      await run.exec("umount", ["--quiet", overlay]).catch(() => undefined);
      await run?.dispose();
    });

    it("executes RUN on the files of the commit, without any registry", async () => {
      resolved = [];
      const image = await buildahEngine.build(
        run,
        await request(
          [
            "ARG BASE=registry.invalid/team/base:1",
            "FROM $BASE AS build",
            "ARG WHO",
            "COPY src /src",
            "RUN /src/hello.sh $WHO > /greeting; echo TO-THE-SCREEN; busybox stat -c %a-%Y /src/hello.sh > /stat",
            "FROM registry.invalid/never AS unneeded",
            "RUN false",
            "FROM scratch",
            "COPY --from=build /greeting /stat /onbuild /out/",
            "COPY --from=registry.invalid/tools:2 /bin/busybox /tool",
            "COPY --from=build /src/ /src/",
            "ENV A=b",
            'HEALTHCHECK --interval=7s CMD ["/tool", "true"]',
            'CMD ["/tool"]',
          ].join("\n"),
        ),
      );
      const files = await filesOf(image);
      expect(files.get("out/greeting")).toBe("hello world\n");
      expect(files.get("out/onbuild")).toBe("triggered\n");
      expect(files.get("out/stat")).toMatch(/^755-\d+\n$/);
      expect(files.get("src/link")).toBe("hello.sh");
      expect(files.has("src/hidden.log")).toBe(false);
      expect(files.get("tool")?.length).toBe(busybox?.length);
      expect(resolved).toEqual(["registry.invalid/team/base:1", "registry.invalid/tools:2"]);
      expect(image.config).not.toHaveProperty("created");
      expect(image.config).toMatchObject({
        os: "linux",
        architecture: "amd64",
        config: {
          Cmd: ["/tool"],
          Healthcheck: { Test: ["CMD", "/tool", "true"], Interval: 7_000_000_000 },
          Labels: { werf: "project" },
        },
      });
      expect(image.config.config?.Env).toContain("A=b");
      expect(run.events).toContainEqual({
        code: "note",
        level: "info",
        task: "t1",
        message: "TO-THE-SCREEN",
      });
    });

    it("keeps the layers and the configuration of the base, and takes from the cache what it has built", async () => {
      const dockerfile =
        "FROM registry.invalid/base:1\nCOPY src /src\nRUN echo $FROM_BASE > /env; cat /proc/uptime > /unique\n";
      const first = await buildahEngine.build(run, await request(dockerfile));
      expect(first.layers[0]).toEqual({
        descriptor: base.layers[0],
        diffId: base.config.rootfs.diff_ids[0],
        content: { kind: "stored", store: base.store },
      });
      expect((await filesOf(first)).get("env")).toBe("yes\n");
      expect(first.config.config).toMatchObject({ Healthcheck: { Test: ["CMD", "/bin/true"] } });
      expect(first.config.config).not.toHaveProperty("OnBuild");
      const second = await buildahEngine.build(run, await request(dockerfile));
      expect(second.layers.map(({ diffId }) => diffId)).toEqual(first.layers.map(({ diffId }) => diffId));
    });

    it("builds several images at once in one storage", async () => {
      const requests: BuildRequest[] = [];
      for (const name of ["one", "two", "three"]) {
        requests.push(await request(`FROM registry.invalid/base:${name}\nRUN echo ${name} > /name\n`));
      }
      const images = await Promise.all(requests.map((each) => buildahEngine.build(run, each)));
      const names = await Promise.all(images.map(async (image) => (await filesOf(image)).get("name")));
      expect(names).toEqual(["one\n", "two\n", "three\n"]);
    });

    it("stops when the run is interrupted", async () => {
      const controller = new AbortController();
      const slow = await request("FROM registry.invalid/base:1\nRUN echo started; sleep 60\n");
      const interrupted: RunContext = {
        ...run,
        signal: controller.signal,
        exec: (file, args, options) => run.exec(file, args, { ...options, signal: controller.signal }),
        emit: (event) => {
          if (event.code === "note" && event.message === "started") controller.abort();
        },
      };
      const started = Date.now();
      await expect(buildahEngine.build(interrupted, slow)).rejects.toThrow("abort");
      expect(Date.now() - started).toBeLessThan(40_000);
    });

    it("fails with the instruction, its line and the end of the output", async () => {
      const wrong = await request(
        "FROM registry.invalid/base:1\n\nRUN echo before >&2 && \\\n  echo the-reason; exit 7\n",
      );
      const error = await buildahEngine.build(run, wrong).catch((e: unknown) => e);
      expect(isWerfError(error) && error.code).toBe("build/buildah-failed");
      const { message } = error as Error;
      expect(message).toContain("Dockerfile:3");
      expect(message).toContain("the-reason");
      expect(message).toContain("exit status 7");
    });

    it("falls back to a chroot where the runtime can't start a container, unless told what to use", async () => {
      const dockerfile = "FROM registry.invalid/base:1\nRUN echo fallback > /fallback\n";
      const env: Record<string, string | undefined> = { ...run.env, BUILDAH_RUNTIME: "/nonexistent/runtime" };
      const exec: RunContext["exec"] = (file, args, options) =>
        run.exec(file, args, { ...options, env: { ...env, ...options?.env } });
      const events: unknown[] = [];
      const broken: RunContext = { ...run, env, exec, emit: (event) => void events.push(event) };
      const image = await buildahEngine.build(broken, await request(dockerfile));
      expect((await filesOf(image)).get("fallback")).toBe("fallback\n");
      expect(events).toContainEqual(expect.objectContaining({ id: "build/buildah-chroot" }));
      env["BUILDAH_ISOLATION"] = "oci";
      await expect(
        buildahEngine.build(broken, await request(dockerfile.replace("RUN echo", "RUN  echo other;echo"))),
      ).rejects.toMatchObject({ code: "build/buildah-failed" });
    });

    it("forgets what no build has used for two weeks", async () => {
      const later = new Date(run.clock.now().getTime() + 15 * 24 * 3600 * 1000);
      const future: RunContext = { ...run, clock: { ...run.clock, now: () => later } };
      await buildahEngine.build(run, await request("FROM registry.invalid/base:1\nRUN echo old > /old\n"));
      await buildahEngine.build(future, await request("FROM scratch\nCOPY src /s\n"));
      const [driver = ""] = await readdir(join(run.werfHome, "buildah"));
      expect(await readdir(join(run.werfHome, "buildah", driver, "used"))).toHaveLength(1);
    });

    it("doesn't take the body of a heredoc for instructions", async () => {
      const { stdout } = await run.exec("buildah", ["--version"]);
      const minor = Number(/version 1\.(\d+)/.exec(Buffer.from(stdout).toString())?.[1]);
      const dockerfile = "FROM registry.invalid/base:1\nRUN <<EOF\necho one > /one\nEOF\n";
      const building = buildahEngine.build(run, await request(dockerfile));
      if (minor < 33) await expect(building).rejects.toMatchObject({ code: "build/buildah-too-old" });
      else expect((await filesOf(await building)).get("one")).toBe("one\n");
    });
  },
);

describe("without buildah", () => {
  it("says how to install it", async () => {
    const bare = await testRun({ env: { PATH: "/nowhere" } });
    await mkdir(bare.werfHome, { recursive: true });
    expect(await buildahEngine.available(bare)).toMatchObject({
      kind: "missing",
      hint: expect.stringContaining("apt install buildah") as string,
    });
    await bare.dispose();
  });
});
