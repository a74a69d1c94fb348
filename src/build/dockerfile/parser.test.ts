// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of Dockerfiles
import { DockerfileParser } from "dockerfile-ast";
import { describe, expect, it } from "vitest";
import { isWerfError } from "../../core/errors.js";
import type { ParsedInstruction } from "./instruction.js";
import { type Dockerfile, parseDockerfile, parseTrigger } from "./parser.js";

const parse = (text: string): Dockerfile => parseDockerfile(new TextEncoder().encode(text), "Dockerfile");
/** The facts of the only instruction after `FROM x`. */
function facts(text: string): Record<string, unknown> {
  const [instruction, ...others] = parse(`FROM x\n${text}`).stages[0]?.instructions ?? [];
  expect(others).toEqual([]);
  const { position: _position, text: _text, ...rest } = instruction as ParsedInstruction;
  return rest;
}
const copy = { heredocs: [], parents: false, exclude: [], options: [] };

it("reads directives, stages, lines and continuations", () => {
  const file = parse(
    [
      "# syntax=docker/dockerfile:1",
      "# escape=\\",
      "# a comment",
      "ARG BASE=alpine",
      "",
      "  FROM --platform=$BUILDPLATFORM ${BASE} AS Build",
      "RUN one \\",
      "  # a comment inside",
      "",
      "  two \\  ",
      "three",
      "from scratch",
      "copy --from=build /a /b",
    ].join("\r\n"),
  );
  expect(file).toMatchObject({ syntax: "docker/dockerfile:1", escapeCharacter: "\\" });
  expect(file.globalArgs).toMatchObject([
    { position: { line: 4 }, args: [{ name: "BASE", value: "alpine" }] },
  ]);
  expect(file.stages).toMatchObject([
    {
      name: "build",
      base: "${BASE}",
      platform: "$BUILDPLATFORM",
      position: { file: "Dockerfile", line: 6 },
      instructions: [{ kind: "run", command: "one   two three", position: { line: 7 } }],
    },
    { base: "scratch", instructions: [{ kind: "copy", from: "build", position: { line: 13 } }] },
  ]);
});

it("takes a backtick as escape character", () => {
  const [stage] = parse("# escape=`\nFROM x\nRUN a `\n b\\\nCOPY c:\\d e\n").stages;
  expect(stage?.instructions).toMatchObject([
    { kind: "run", command: "a  b\\" },
    { kind: "copy", sources: ["c:\\d"] },
  ]);
});

it("reads directives only at the top", () => {
  expect(parse("# a comment\n# escape=`\nFROM x").escapeCharacter).toBe("\\");
  expect(parse("\n# escape=`\nFROM x").escapeCharacter).toBe("\\");
});

it.each<[string, Record<string, unknown>]>([
  [
    "ARG A B=1 C='x y'",
    { kind: "arg", args: [{ name: "A" }, { name: "B", value: "1" }, { name: "C", value: "'x y'" }] },
  ],
  [
    'ENV A=1 B="x y" C=a\\ b',
    {
      kind: "env",
      pairs: [
        { key: "A", value: "1" },
        { key: "B", value: '"x y"' },
        { key: "C", value: "a\\ b" },
      ],
    },
  ],
  ["ENV OLD some  words = here", { kind: "env", pairs: [{ key: "OLD", value: "some  words = here" }] }],
  ['LABEL a.b="c=d"', { kind: "label", pairs: [{ key: "a.b", value: '"c=d"' }] }],
  ['CMD ["a", "b c"]', { kind: "cmd", form: "exec", argv: ["a", "b c"] }],
  ["CMD ['a']", { kind: "cmd", form: "shell", command: "['a']" }],
  ["CMD echo $HOME", { kind: "cmd", form: "shell", command: "echo $HOME" }],
  ["CMD []", { kind: "cmd", form: "exec", argv: [] }],
  ['ENTRYPOINT ["/x"]', { kind: "entrypoint", form: "exec", argv: ["/x"] }],
  ['SHELL ["/bin/bash", "-c"]', { kind: "shell", argv: ["/bin/bash", "-c"] }],
  ["EXPOSE 80 443/tcp", { kind: "expose", ports: ["80", "443/tcp"] }],
  ["VOLUME /a /b", { kind: "volume", paths: ["/a", "/b"] }],
  ['VOLUME ["/a b"]', { kind: "volume", paths: ["/a b"] }],
  ["USER app:app", { kind: "user", user: "app:app" }],
  ["WORKDIR /a b", { kind: "workdir", path: "/a b" }],
  ["STOPSIGNAL SIGQUIT", { kind: "stopsignal", signal: "SIGQUIT" }],
  ["MAINTAINER Jo <jo@example.com>", { kind: "maintainer", author: "Jo <jo@example.com>" }],
  ["ONBUILD COPY . /app", { kind: "onbuild", trigger: "COPY . /app" }],
  ["ONBUILD RUN --mount=type=ssh x", { kind: "onbuild", trigger: "RUN --mount=type=ssh x" }],
  ["HEALTHCHECK NONE", { kind: "healthcheck", test: ["NONE"] }],
  [
    "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0s --start-interval=1s --retries=4 CMD curl -f x",
    {
      kind: "healthcheck",
      test: ["CMD-SHELL", "curl -f x"],
      intervalNs: 90e9,
      timeoutNs: 5e8,
      startPeriodNs: 0,
      startIntervalNs: 1e9,
      retries: 4,
    },
  ],
  ['HEALTHCHECK cmd ["a"]', { kind: "healthcheck", test: ["CMD", "a"] }],
  ["COPY a b /c/", { kind: "copy", ...copy, sources: ["a", "b"], destination: "/c/" }],
  ['COPY ["a b", "/c d"]', { kind: "copy", ...copy, sources: ["a b"], destination: "/c d" }],
  [
    "COPY --link --chown=1:2 --chmod=755 --parents --exclude=*.md --exclude=x a /b",
    {
      kind: "copy",
      ...copy,
      sources: ["a"],
      destination: "/b",
      chown: "1:2",
      chmod: "755",
      parents: true,
      exclude: ["*.md", "x"],
    },
  ],
  [
    "ADD --checksum=sha256:00 --keep-git-dir=true https://x/y /z",
    {
      kind: "add",
      ...copy,
      sources: ["https://x/y"],
      destination: "/z",
      options: [
        { key: "checksum", value: "sha256:00" },
        { key: "keep-git-dir", value: "true" },
      ],
    },
  ],
  [
    'RUN --mount=from=build,source=/a,target=/b --mount=type=cache,target="/c d" --network=none make all',
    {
      kind: "run",
      form: "shell",
      command: "make all",
      heredocs: [],
      mounts: [
        {
          type: "bind",
          from: "build",
          options: [
            { key: "source", value: "/a" },
            { key: "target", value: "/b" },
          ],
        },
        { type: "cache", options: [{ key: "target", value: "/c d" }] },
      ],
      options: [{ key: "network", value: "none" }],
    },
  ],
  ['RUN ["a", "b"]', { kind: "run", form: "exec", argv: ["a", "b"], heredocs: [], mounts: [], options: [] }],
])("reads %s", (text, expected) => {
  expect(facts(text)).toEqual(expected);
});

describe("heredocs", () => {
  it("reads several, quoted, and with tabs taken off", () => {
    expect(
      facts("COPY <<one.txt <<'two' <<-three plain /d/\n1 $x\none.txt\n\\$y\ntwo\n\t\t3\n\tthree"),
    ).toEqual({
      kind: "copy",
      ...copy,
      sources: ["plain"],
      heredocs: [
        { name: "one.txt", content: "1 $x\n", expand: true },
        { name: "two", content: "\\$y\n", expand: false },
        { name: "three", content: "3\n", expand: true },
      ],
      destination: "/d/",
    });
  });

  it("keeps what looks like comments and continuations in a body", () => {
    expect(facts("RUN <<EOF\n# no comment\na \\\n\nEOF")).toMatchObject({
      heredocs: [{ content: "# no comment\na \\\n\n" }],
    });
  });

  it.each([
    "RUN echo $((1<<2))",
    "RUN cat <<<word",
    'RUN ["cat", "<<EOF"]',
    "CMD cat <<EOF",
    "RUN echo it's <<EOF",
  ])("sees none in %s", (text) => {
    expect(facts(text)["heredocs"] ?? []).toEqual([]);
  });

  it("keeps them with an ONBUILD trigger", () => {
    const { trigger } = facts("ONBUILD COPY <<EOF /x\nbody\nEOF") as { trigger: string };
    expect(parseTrigger(trigger, { file: "base", line: 7 })).toMatchObject({
      kind: "copy",
      position: { file: "base", line: 7 },
      heredocs: [{ name: "EOF", content: "body\n" }],
    });
  });
});

it.each([
  ["FROM x\nRNU a", 'Dockerfile:2: "RNU" is not an instruction; did you mean "RUN"?'],
  ["FROM x\nCOPPY a b", 'did you mean "COPY"?'],
  ["", "Dockerfile:1: there is no FROM"],
  ["ARG A\nRUN x\nFROM y", "Dockerfile:2: RUN before the first FROM"],
  ["FROM", "FROM is written"],
  ["FROM a b", "FROM is written"],
  ["FROM a as b c", "FROM is written"],
  ["FROM a AS 1st", "can't name a stage"],
  ["FROM --plat=x a", "FROM has no flag --plat"],
  ["FROM x\nCOPY a", "Dockerfile:2: COPY needs a source and a destination"],
  ["FROM x\nCOPY --form=a b c", "COPY has no flag --form"],
  ["FROM x\nCOPY --from= b c", "--from needs a value"],
  ["FROM x\nCOPY --parents=maybe b c", "neither true nor false"],
  ["FROM x\nADD --from=a b c", "ADD has no flag --from"],
  ["FROM x\nCOPY a <<EOF\nEOF", "a heredoc can't be the destination"],
  ["FROM x\n\nRUN <<EOF\nabc", "Dockerfile:3: the heredoc <<EOF has no end"],
  ["FROM x\nENV A", "ENV A has no value"],
  ["FROM x\nENV A=1 B", '"B" in ENV is not of the form name=value'],
  ["FROM x\nENV =1", "a name is missing"],
  ["FROM x\nARG =1", "a name is missing"],
  ['FROM x\nCMD ["a", 1]', "takes only strings"],
  ["FROM x\nSHELL /bin/sh", "SHELL takes a JSON array"],
  ["FROM x\nUSER", "USER needs an argument"],
  ["FROM x\nRUN", "RUN needs an argument"],
  ["FROM x\nRUN --mnt=a b", "RUN has no flag --mnt"],
  ["FROM x\nRUN --mount=type=bnd b", '--mount has no type "bnd"'],
  ["FROM x\nCMD --a b", "CMD has no flag --a"],
  ["FROM x\nHEALTHCHECK --interval=1q CMD x", "--interval"],
  ["FROM x\nHEALTHCHECK --interval=1us CMD x", "less than 1ms"],
  ["FROM x\nHEALTHCHECK --retries=x CMD x", "is not a number"],
  ["FROM x\nHEALTHCHECK CMD", "needs a command"],
  ["FROM x\nHEALTHCHECK curl", "followed by NONE or by CMD"],
  ["FROM x\nHEALTHCHECK NONE x", "takes no arguments"],
  ["FROM x\nONBUILD ONBUILD RUN x", "ONBUILD can't trigger ONBUILD"],
  ["FROM x\nONBUILD FROM x", "ONBUILD can't trigger FROM"],
  ["FROM x\nONBUILD nothing", '"nothing" is none'],
  ["# escape=x\nFROM y", "Dockerfile:1: the escape character must be"],
  ["# escape=`\n# escape=`\nFROM y", 'Dockerfile:2: the parser directive "escape" may stand only once'],
])("refuses %j", (text, message) => {
  try {
    parse(text);
    expect.unreachable();
  } catch (error) {
    if (!isWerfError(error)) throw error;
    expect(error.code).toBe("build/dockerfile-syntax");
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/^Dockerfile:\d+: /);
  }
});

it("refuses bytes that are not UTF-8", () => {
  expect(() => parseDockerfile(Uint8Array.of(0x46, 0xff), "d")).toThrow("d:1: this is not UTF-8 text");
});

/** dockerfile-ast splits the same texts, independently. */
it.each([
  'FROM a\nRUN x && \\\n  y # no comment\n# comment\nENV a=b \\\n# inside\n c=d\nCMD ["z"]\n',
  "ARG V=1\nFROM a:$V AS b\nWORKDIR /x\n\n\nCOPY --from=b --chown=1:1 a b \\\n c/\n",
  'FROM a\nRUN <<EOF cat\nFROM x\nCOPY\nEOF\nUSER u\nCOPY <<A <<-"B" /d/\nRUN a\nA\n\tRUN b\n\tB\nLABEL l=1\n',
  "# syntax=x\n# escape=`\nFROM a\nRUN a ` \n  b\nRUN c:\\\nENV q=\"a b\" r='c d'\nEXPOSE 80 90\n",
  'FROM a\r\nRUN a \\\r\n  b\r\nVOLUME ["/a", "/b"]\r\nONBUILD RUN x \\\r\n y\r\nSTOPSIGNAL 9\r\n',
])("cuts instructions where dockerfile-ast does: %#", (text) => {
  const mine = parse(text);
  const oracle = DockerfileParser.parse(text)
    .getInstructions()
    .map((i) => [i.getRange().start.line + 1, i.getKeyword()]);
  const lines = [
    ...mine.globalArgs.map((i) => [i.position.line, "ARG"]),
    ...mine.stages.flatMap((stage) => [
      [stage.position.line, "FROM"],
      ...stage.instructions.map((i) => [i.position.line, i.kind.toUpperCase()]),
    ]),
  ];
  expect(lines).toEqual(oracle);
});
