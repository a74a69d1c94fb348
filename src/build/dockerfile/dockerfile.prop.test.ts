import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isWerfError } from "../../core/errors.js";
import { parsePlatform } from "../../oci/platform.js";
import { instructionNames } from "./instruction-parsers.js";
import { parseDockerfile } from "./parser.js";
import { planTarget } from "./plan.js";
import { expandWord } from "./shell-word.js";

const platform = parsePlatform("linux/amd64");
const piece = fc.constantFrom(
  ...[
    "FROM x",
    " AS a",
    "\n",
    "\\\n",
    "# c\n",
    "$V",
    "${V:-",
    "}",
    "'",
    '"',
    "<<E",
    "\nE\n",
    "[",
    "]",
    ",",
    "--from=a",
    "=",
    " ",
    "/",
  ],
  ...instructionNames,
);

describe("any text", () => {
  it("is parsed and planned, or refused with file and line", () => {
    const text = fc
      .array(fc.oneof(piece, fc.string({ maxLength: 4 })))
      .map((parts) => `FROM x\n${parts.join("")}`);
    fc.assert(
      fc.property(text, (source) => {
        try {
          planTarget(parseDockerfile(Buffer.from(source), "D"), {
            args: {},
            platform,
            buildPlatform: platform,
          });
        } catch (error) {
          if (!isWerfError(error)) throw error;
          expect(error.message).toMatch(/^D:\d+: /);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("comes through its quoted and its escaped form unchanged", () => {
    const options = { escapeCharacter: "\\", lookup: () => "?" };
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(expandWord(text.replace(/[\\$'"]/g, "\\$&"), options).value).toBe(text);
        expect(expandWord(`"${text.replace(/[\\$"]/g, "\\$&")}"`, options).value).toBe(text);
        expect(expandWord(`'${text.replaceAll("'", "")}'`, options).value).toBe(text.replaceAll("'", ""));
      }),
    );
  });
});
