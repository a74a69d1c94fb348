/**
 * Makes `dist`: the command as one code-split bundle without runtime dependencies (esbuild), and the library
 * with its types (tsc, its few dependencies bundled per entry point). `--bin` makes the command alone.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const binOnly = process.argv.includes("--bin");

const common = {
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  mainFields: ["module", "main"],
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  // CommonJS dependencies call `require` for Node's own modules. In every chunk: createRequire would cost each 1 ms.
  banner: { js: "const require = (id) => process.getBuiltinModule(id);" },
};

rmSync("dist/bin", { recursive: true, force: true });
const command = await build({
  ...common,
  entryPoints: { werf: "src/cli/main.ts" },
  outdir: "dist/bin",
  minify: true,
  keepNames: true,
  chunkNames: "chunks/[name]-[hash]",
});
chmodSync("dist/bin/werf.js", 0o755);

const inputs = new Set(Object.keys(command.metafile.inputs));
if (!binOnly) {
  rmSync("dist/lib", { recursive: true, force: true });
  execFileSync(
    process.execPath,
    ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json", "--emitDeclarationOnly"],
    {
      stdio: "inherit",
    },
  );
  const library = await build({
    ...common,
    entryPoints: {
      index: "src/index.ts",
      "oci/index": "src/oci/index.ts",
      "registry/index": "src/registry/index.ts",
    },
    outdir: "dist/lib",
    sourcemap: false,
    chunkNames: "chunks/[name]-[hash]",
  });
  for (const input of Object.keys(library.metafile.inputs)) inputs.add(input);
  const { notices } = await import("./notices.mjs");
  writeFileSync("THIRD-PARTY-NOTICES", notices(inputs));
}
