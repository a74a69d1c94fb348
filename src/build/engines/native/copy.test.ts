import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { baseImage, type TarSpec, tarOf, unpack } from "../../../../test/support/base-image.js";
import { MemoryStore } from "../../../../test/support/memory-store.js";
import { listing, type NativeBuild, nativeBuild } from "../../../../test/support/native-build.js";
import { type TestRun, testRun } from "../../../../test/support/run-context.js";
import { mediaTypes } from "../../../oci/media-types.js";

let run: TestRun;
let store: MemoryStore;
let build: NativeBuild;
beforeEach(async () => {
  run = await testRun();
  store = new MemoryStore("registry.example/base");
  build = nativeBuild(run);
});
afterEach(() => run.dispose());

describe("COPY from the context", () => {
  const files = {
    "app/main.js": "main",
    "app/bin/run": { content: "#!", mode: "100755" as const },
    "app/link": { content: "main.js", mode: "120000" as const },
    "package.json": "{}",
    "package-lock.json": "[]",
    "docs/readme.md": "read",
  };

  it.each<[string, string, string[]]>([
    [
      "the content of a directory",
      "COPY app /srv",
      [
        "srv/ 755 0:0",
        "srv/bin/ 755 0:0",
        "srv/bin/run 755 0:0 #!",
        "srv/link 777 0:0 -> main.js",
        "srv/main.js 644 0:0 main",
      ],
    ],
    ["a file under a new name", "COPY package.json /a/b.json", ["a/ 755 0:0", "a/b.json 644 0:0 {}"]],
    ["a file into a directory", "COPY package.json /a/", ["a/ 755 0:0", "a/package.json 644 0:0 {}"]],
    ["a pattern", "COPY package*.json ./", ["package-lock.json 644 0:0 []", "package.json 644 0:0 {}"]],
    ["a link, followed when it is the source", "COPY app/link /x", ["x 644 0:0 main"]],
    [
      "files and directories together",
      "COPY docs package.json /d/",
      ["d/ 755 0:0", "d/package.json 644 0:0 {}", "d/readme.md 644 0:0 read"],
    ],
    ["with an owner by number", "COPY --chown=7:8 docs /d", ["d/ 755 7:8", "d/readme.md 644 7:8 read"]],
    [
      "with one number for both",
      "COPY --chown=7 package.json /p/q/",
      ["p/ 755 7:7", "p/q/ 755 7:7", "p/q/package.json 644 7:7 {}"],
    ],
    ["with a mode", "COPY --chmod=0600 app/bin /b", ["b/ 600 0:0", "b/run 600 0:0 #!"]],
    [
      "JSON form with variables",
      'COPY ["$D/readme.md", "/$D x/"]',
      ["docs x/ 755 0:0", "docs x/readme.md 644 0:0 read"],
    ],
    [
      "heredocs",
      "COPY <<one <<'two' /h/\n$D\none\n$D\ntwo",
      ["h/ 755 0:0", "h/one 644 0:0 docs\n", "h/two 644 0:0 $D\n"],
    ],
    ["a heredoc under a name", "COPY --chmod=755 <<EOF /run.sh\nx\nEOF", ["run.sh 755 0:0 x\n"]],
    ["the whole context", "COPY docs .", ["readme.md 644 0:0 read"]],
  ])("copies %s", async (_what, line, expected) => {
    const image = await build(["FROM scratch", "ENV D=docs", line], { files });
    expect(await listing(image)).toEqual(expected);
  });

  it("goes below WORKDIR, and makes one layer each", async () => {
    const image = await build(["FROM scratch", "WORKDIR /w", "COPY docs .", "COPY package.json p"], {
      files,
    });
    expect(image.layers).toHaveLength(3);
    expect(await listing(image, 1)).toEqual(["w/readme.md 644 0:0 read"]);
    expect(await listing(image, 2)).toEqual(["w/p 644 0:0 {}"]);
    expect(image.config.rootfs.diff_ids).toEqual(image.layers.map((l) => l.diffId));
  });

  it("makes the same layer on every machine", async () => {
    const one = await build(["FROM scratch", "COPY app /app"], { files });
    const other = await build(["FROM scratch", "COPY app /app"], { files });
    expect(other.layers[0]?.diffId).toBe(one.layers[0]?.diffId);
    expect([...(await unpack(one.layers[0]!)).values()].every(({ header }) => header.mtime === 0)).toBe(true);
    expect(one.layers[0]?.descriptor.mediaType).toBe(mediaTypes.ociLayerGzip);
  });

  it("makes Docker's layers on top of Docker's", async () => {
    const base = await baseImage(store, [[{ name: "x" }]], {}, mediaTypes.dockerLayerGzip);
    const image = await build(["FROM base", "COPY docs /d"], { files, bases: { base } });
    expect(image.layers[1]?.descriptor.mediaType).toBe(mediaTypes.dockerLayerGzip);
  });

  it.each([
    ["COPY dosc /d", "build/copy-source-missing"],
    ["COPY ../x /d", "build/copy-outside-context"],
    ["COPY package.json package-lock.json /d", "build/copy-destination"],
    ["COPY --chown=nobody docs /d", "build/account-unknown"],
    ["COPY --chmod=$M docs /d", "build/native-cannot"],
  ])("refuses %s", async (line, code) => {
    const base = await baseImage(store, [], { config: { Env: ["M=u+x"] } });
    await expect(build(["FROM base", line], { files, bases: { base } })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/^Dockerfile:2: /) as string,
    });
  });
});

describe("COPY onto a base image", () => {
  const lower: readonly TarSpec[] = [
    { name: "usr/" },
    { name: "usr/bin/", mode: 0o700, uid: 3 },
    { name: "bin", type: "symlink", linkname: "usr/bin" },
    { name: "abs", type: "symlink", linkname: "/usr/../bin" },
    { name: "out", type: "symlink", linkname: "../../../../usr" },
    { name: "loop", type: "symlink", linkname: "loop" },
    { name: "file", content: "lower" },
    { name: "gone/" },
    { name: "etc/passwd", content: "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n" },
    { name: "etc/group", content: "root:x:0:\nwww:x:33:app\n" },
  ];
  const upper: readonly TarSpec[] = [{ name: ".wh.gone" }, { name: "tmp/", mode: 0o1777 }];
  const files = { f: "f", "d/usr/x": "x", "d/bin/y": "y" };

  it.each<[string, string[]]>([
    ["COPY f /usr/bin", ["usr/bin/f 644 0:0 f"]],
    ["COPY f /bin/", ["usr/bin/f 644 0:0 f"]],
    ["COPY f /abs/", ["usr/bin/f 644 0:0 f"]],
    ["COPY f /out/new/f", ["usr/new/ 755 0:0", "usr/new/f 644 0:0 f"]],
    ["COPY f /tmp/a/", ["tmp/a/ 755 0:0", "tmp/a/f 644 0:0 f"]],
    ["COPY f /gone/", ["gone/ 755 0:0", "gone/f 644 0:0 f"]],
    ["COPY f /file", ["file 644 0:0 f"]],
    ["COPY --chown=app f /usr/", ["usr/f 644 1000:1001 f"]],
    ["COPY --chown=app:www f /usr/", ["usr/f 644 1000:33 f"]],
    ["COPY --chown=:www f /usr/", ["usr/f 644 0:33 f"]],
    ["COPY --chown=12:www f /usr/", ["usr/f 644 12:33 f"]],
    ["COPY d/usr /usr", ["usr/x 644 0:0 x"]],
  ])("%s", async (line, expected) => {
    const base = await baseImage(store, [lower, upper]);
    expect(await listing(await build(["FROM base", line], { files, bases: { base } }))).toEqual(expected);
  });

  it.each([
    ["COPY f /file/x", "build/copy-blocked"],
    ["COPY f /loop/x", "build/copy-blocked"],
    ["COPY d /", "build/copy-blocked"],
    ["COPY d/usr /file", "build/copy-blocked"],
    ["COPY f /usr/../usr/bin/../../tmp/..//usr/bin", undefined],
  ])("%s: %s", async (line, code) => {
    const base = await baseImage(store, [lower, upper]);
    const building = build(["FROM base", line], { files, bases: { base } });
    if (code === undefined) await expect(building).resolves.toBeDefined();
    else await expect(building).rejects.toMatchObject({ code });
  });

  it("refuses a file in place of a directory", async () => {
    const base = await baseImage(store, [lower]);
    await expect(
      build(["FROM base", "COPY d2 /"], { files: { "d2/usr": "no directory" }, bases: { base } }),
    ).rejects.toMatchObject({ code: "build/copy-onto-directory" });
  });

  it("reads a base layer once a machine, and not at all when nothing asks for it", async () => {
    const base = await baseImage(store, [lower]);
    const reads = (): number => store.calls.filter((call) => call.startsWith("readBlob")).length;
    await build(["FROM base", "ENV A=1", 'CMD ["x"]'], { bases: { base } });
    expect(reads()).toBe(0);
    await build(["FROM base", "COPY f /bin/", "WORKDIR /x"], { files, bases: { base } });
    expect(reads()).toBe(1);
    await build(["FROM base", "COPY f /bin/"], { files, bases: { base } });
    expect(reads()).toBe(1);
  });
});

describe("COPY --from", () => {
  it("copies from a stage, whose layers don't become part of the image", async () => {
    const image = await build(
      [
        "FROM scratch AS a",
        "WORKDIR /w",
        "COPY --chown=9:9 f l ./",
        "FROM scratch",
        "COPY --from=a /w/ /x",
        "COPY --from=0 w/s /y",
      ],
      { files: { f: "f", "l/s": { content: "f", mode: "120000" } } },
    );
    expect(image.layers).toHaveLength(2);
    expect(await listing(image, 0)).toEqual(["x/ 755 0:0", "x/f 644 9:9 f", "x/s 777 9:9 -> f"]);
  });

  it("copies from an image: whiteouts, opaque directories, hard links and followed links", async () => {
    const tools = await baseImage(store, [
      [
        { name: "./" },
        { name: "./opt/", mode: 0o750, uid: 1, gid: 2 },
        { name: "./opt/tool", content: "v1", mode: 0o755, uid: 1, gid: 2 },
        { name: "./opt/gone", content: "gone" },
        { name: "./old/" },
        { name: "./old/a", content: "a" },
      ],
      [
        { name: "opt/.wh.gone" },
        { name: "old/.wh..wh..opq" },
        { name: "old/b", content: "b" },
        { name: "opt/tool", content: "v2", mode: 0o755, uid: 1, gid: 2 },
        { name: "opt/hard", type: "hardlink", linkname: "opt/tool" },
        { name: "current", type: "symlink", linkname: "/opt" },
      ],
    ]);
    const image = await build(
      [
        "FROM scratch",
        "COPY --from=tools:1 /opt /o",
        "COPY --from=tools:1 /old /old",
        "COPY --from=tools:1 --chown=0:0 /current/t* /bin/",
      ],
      { bases: { "tools:1": tools } },
    );
    expect(await listing(image, 0)).toEqual(["o/ 750 0:0", "o/hard 755 1:2 v2", "o/tool 755 1:2 v2"]);
    expect(await listing(image, 1)).toEqual(["old/ 755 0:0", "old/b 644 0:0 b"]);
    expect(await listing(image, 2)).toEqual(["bin/ 755 0:0", "bin/tool 755 0:0 v2"]);
  });

  it("says what isn't there, and what is near", async () => {
    const lost: TarSpec = { name: "lost", type: "symlink", linkname: "/none" };
    const tools = await baseImage(store, [[{ name: "opt/tool" }, lost]]);
    const bases = { tools };
    await expect(build(["FROM scratch", "COPY --from=tools /opt/tol /x"], { bases })).rejects.toMatchObject({
      code: "build/copy-source-missing",
      message: 'Dockerfile:2: "/opt/tol" is not in the image tools; did you mean "tool"?',
    });
    await expect(build(["FROM scratch", "COPY --from=tools /opt/x* /x"], { bases })).rejects.toThrow(
      "/opt/x*",
    );
  });

  it("doesn't copy devices", async () => {
    const tools = await baseImage(store, [[{ name: "dev/null", type: "character-device" }]]);
    await expect(
      build(["FROM scratch", "COPY --from=tools /dev /dev"], { bases: { tools } }),
    ).rejects.toMatchObject({
      code: "build/native-special-file",
    });
  });

  it("fails when a layer isn't what its digest says", async () => {
    const tools = await baseImage(store, [[{ name: "opt/tool", content: "good" }]]);
    store.blobs.set(tools.layers[0]!.digest, gzipSync(await tarOf([{ name: "opt/tool", content: "evil" }])));
    await expect(
      build(["FROM scratch", "COPY --from=tools /opt /o"], { bases: { tools } }),
    ).rejects.toMatchObject({
      code: "oci/digest-mismatch",
    });
  });
});

describe("ADD", () => {
  it("unpacks tar archives and copies everything else", async () => {
    const tar = await tarOf([
      { name: "dir/", mode: 0o700, uid: 4, gid: 5 },
      { name: "dir/f", content: "1", mode: 0o755, uid: 4, gid: 5 },
      { name: "dir/l", type: "symlink", linkname: "f", mode: 0o777, uid: 4, gid: 5 },
      { name: "hard", type: "hardlink", linkname: "dir/f" },
    ]);
    const files = { "a.tgz": gzipSync(tar), "b.tar": tar, "c.gz": gzipSync("no archive"), "d.txt": "text" };
    const entries = ["dir/ 700 4:5", "dir/f 755 4:5 1", "dir/l 777 4:5 -> f", "hard 755 4:5 1"];
    const under = (path: string): string[] => [
      `${path}/ 755 0:0`,
      ...entries.map((entry) => `${path}/${entry}`),
    ];
    const image = await build(
      ["FROM scratch", "ADD a.tgz /a/", "ADD b.tar /b", "ADD c.gz d.txt /c/", "ADD --unpack=false b.tar /d/"],
      { files },
    );
    expect(await listing(image, 0)).toEqual(under("a"));
    expect(await listing(image, 1)).toEqual(under("b"));
    expect([...(await unpack(image.layers[2]!)).keys()]).toEqual(["c/", "c/c.gz", "c/d.txt"]);
    expect([...(await unpack(image.layers[3]!)).keys()]).toEqual(["d/", "d/b.tar"]);
  });

  it("gives a new directory what the archive says of its root", async () => {
    const tar = await tarOf([
      { name: "./", mode: 0o700, uid: 4, gid: 5 },
      { name: "./f", content: "1" },
    ]);
    const image = await build(["FROM scratch", "ADD a.tar /new/dir/", "ADD a.tar /new/"], {
      files: { "a.tar": tar },
    });
    expect(await listing(image, 0)).toEqual(["new/ 755 0:0", "new/dir/ 700 4:5", "new/dir/f 644 0:0 1"]);
    expect(await listing(image, 1)).toEqual(["new/f 644 0:0 1"]);
  });

  it.each<[string, Uint8Array | Promise<Uint8Array>, string]>([
    ["leads outside", tarOf([{ name: "ok" }, { name: "../etc/passwd" }]), "archive/path-outside"],
    ["has a device", tarOf([{ name: "null", type: "character-device" }]), "build/native-special-file"],
    [
      "goes through a link of its own",
      tarOf([{ name: "l", type: "symlink", linkname: "/etc" }, { name: "l/passwd" }]),
      "build/copy-blocked",
    ],
    ["is bzip2", Buffer.from("BZh91AY&SY"), "build/add-compression"],
    ["is xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0]), "build/add-compression"],
    [
      "is cut off",
      tarOf([{ name: "a", content: "x".repeat(2000) }]).then((tar) => tar.subarray(0, 1024)),
      "archive/truncated",
    ],
  ])("refuses an archive that %s", async (_what, bytes, code) => {
    await expect(build(["FROM scratch", "ADD a /"], { files: { a: await bytes } })).rejects.toMatchObject({
      code,
    });
  });
});
