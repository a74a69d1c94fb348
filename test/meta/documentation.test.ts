import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { renderCliReference } from "../../scripts/docs/cli-reference.js";
import { renderErrorCodes } from "../../scripts/docs/error-codes.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const stale = "it follows from the source: npm run docs";

it("has a reference of the command line that says what the command does", async () => {
  expect(readFileSync(`${root}/docs/reference/cli.md`, "utf8"), stale).toBe(await renderCliReference());
});

it("has a list of the error codes that the source makes", () => {
  const rendered = renderErrorCodes(root);
  expect(readFileSync(`${root}/docs/errors.md`, "utf8"), stale).toBe(rendered);
  for (const code of ["cleanup/too-many", "http/tls", "registry/unauthorized", "build/uncommitted"]) {
    expect(rendered).toContain(`| \`${code}\` |`);
  }
});
