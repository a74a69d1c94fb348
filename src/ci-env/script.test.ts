import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderScript } from "./script.js";
import { cmdexe } from "./syntax/cmdexe.js";
import { envFile } from "./syntax/env-file.js";
import { posix } from "./syntax/posix.js";
import { powershell } from "./syntax/powershell.js";
import type { Syntax } from "./syntax/syntax.js";
import { force, soft } from "./variable.js";

const sections = [
  { title: "REPO", variables: [soft("A", "one"), soft("B", "two"), force("C", "")] },
  { title: "CLEANUP", variables: [{ ...soft("D", "token"), secret: true as const }] },
];

function render(syntax: Syntax, verbose = false, env: Record<string, string> = { B: "mine" }): string {
  return renderScript(sections, { syntax, env, verbose });
}

describe("a script", () => {
  it("has sections, skips what is set, and comments out what is empty", () => {
    expect(render(posix)).toBe(
      '# REPO\nexport A="one"\n# skip export B="mine" (current)\n# export C=""\n\n# CLEANUP\nexport D="token"\n',
    );
    expect(render(powershell)).toContain('# REPO\n$Env:A = "one"\n# skip $Env:B = "mine" (current)\n');
    expect(render(envFile)).toBe("# REPO\nA=one\n# skip B=mine (current)\n# C=\n\n# CLEANUP\nD=token\n");
    expect(render(cmdexe)).toContain(':: REPO\r\n@set "A=one"\r\n:: skip @set "B=mine" (current)\r\n');
  });

  it("takes an empty variable for none, and forces what is to be forced", () => {
    expect(render(posix, false, { B: "" })).toContain('export B="two"');
    const forced = [{ title: "X", variables: [force("A", "new")] }];
    expect(renderScript(forced, { syntax: posix, env: { A: "old" }, verbose: false })).toContain("new");
  });

  it("shows with --log-verbose what it sets, but no secret, and nothing in a file that isn't run", () => {
    expect(render(posix, true)).toContain('export A="one"\necho \'export A="one"\'\n');
    expect(render(posix, true)).toContain('export D="token"\necho \'export D="***"\'\n');
    expect(render(cmdexe, true)).toContain('@echo @set "A=one"');
    expect(render(envFile, true)).toBe(render(envFile));
  });

  it("never puts a value into a comment that could end it", () => {
    expect(render(posix, false, { B: "x\nrm -rf /" })).toContain('# skip export B="..." (current)\n');
    expect(render(posix, false, { D: "a-secret" })).toContain('# skip export D="***" (current)\n');
  });

  it("switches cmd.exe to UTF-8 only where it matters", () => {
    const withValue = (value: string): string =>
      renderScript([{ title: "X", variables: [force("A", value)] }], {
        syntax: cmdexe,
        env: {},
        verbose: false,
      });
    expect(withValue("plain")).not.toContain("chcp");
    expect(withValue("größe")).toMatch(/^@chcp 65001 >nul\r\n:: X\r\n@set "A=größe"\r\n$/);
  });
});

/** What cmd.exe makes of the lines of a batch file: percent signs, then quotes and carets, then `set`. */
function readBatch(text: string): { name: string; value: string } {
  const source = text.replaceAll("\r", "").replaceAll("%%", "%");
  let quoted = false;
  let line = "";
  for (let i = 0; i < source.length; i++) {
    const c = source[i] ?? "";
    if (c === '"') quoted = !quoted;
    if (c === "\n") throw new Error(`the command ends within the value: ${JSON.stringify(text)}`);
    if (!quoted && /[&|<>()]/.test(c)) throw new Error(`${c} is not escaped: ${JSON.stringify(text)}`);
    if (quoted || c !== "^") {
      line += c;
      continue;
    }
    // A caret at the end of a line drops it and escapes what comes next.
    if (source[i + 1] === "\n") i++;
    line += source[++i] ?? "";
  }
  const match = /^@set "([^=]+)=(.*)"$/s.exec(line);
  return { name: match?.[1] ?? "", value: match?.[2] ?? "" };
}

/** What PowerShell makes of a string in double quotes. */
function readPowershell(text: string): string {
  const body = /^\$Env:A = "(.*)"$/.exec(text)?.[1] ?? "";
  const plain = body.replace(/`.|\$\(\[char\]\d+\)/g, "");
  if (/["$`]/.test(plain)) throw new Error(`unescaped in ${text}`);
  return body.replace(/`(.)|\$\(\[char\](\d+)\)/g, (_, escaped: string | undefined, code: string) =>
    escaped === undefined ? String.fromCharCode(Number(code)) : escaped,
  );
}

const anyValue = fc
  .oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(..."\"'`$%^&|<>()! \\\n\ta=;“”‘ü"), maxLength: 30 }),
  )
  .filter((value) => !value.includes("\0"));

describe("quoting", () => {
  it("lets cmd.exe read every value but carriage returns, as one command", () => {
    const value = anyValue.filter((text) => !text.includes("\r"));
    fc.assert(
      fc.property(value, (text) => {
        expect(readBatch(cmdexe.assign("A", text))).toEqual({ name: "A", value: text });
      }),
      { numRuns: 500 },
    );
    expect(() => cmdexe.assign("A", "a\r\nb")).toThrow("A: a batch file can't hold");
  });

  it("lets PowerShell read every value, from one line of ASCII", () => {
    fc.assert(
      fc.property(anyValue, (text) => {
        const line = powershell.assign("A", text);
        expect(line).toMatch(/^[ -~]+$/);
        expect(readPowershell(line)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it("leaves values of an env file as they are, and refuses what has lines", () => {
    expect(envFile.assign("A", `a "b" 'c' $d #e %f`)).toBe(`A=a "b" 'c' $d #e %f`);
    expect(() => envFile.assign("A", "a\nb")).toThrow("A: an env file can't hold a value with line breaks");
  });
});
