/** Runs a TypeScript script: `node scripts/ts.mjs scripts/demo.ts [ARGS]`. */
import { mkdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const [script, ...rest] = process.argv.slice(2);
const directory = join(root, "node_modules/.cache/werf-ts");
mkdirSync(directory, { recursive: true });
const outfile = join(directory, `${basename(script, ".ts")}.mjs`);
await build({
  entryPoints: [resolve(root, script)],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
  define: { "import.meta.projectRoot": JSON.stringify(root) },
});
process.argv = [process.argv[0], resolve(root, script), ...rest];
await import(pathToFileURL(outfile).href);
