import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderCliReference } from "./docs/cli-reference.js";
import { renderErrorCodes } from "./docs/error-codes.js";

// The parts of the documentation that follow from the source: `npm run docs`; a test holds them to it.
const root = process.env["WERF_TS_ROOT"] ?? fileURLToPath(new URL("../../../", import.meta.url));
for (const [path, text] of [
  ["docs/reference/cli.md", await renderCliReference()],
  ["docs/errors.md", renderErrorCodes(root)],
] as const) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
