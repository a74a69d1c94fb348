/** The whole local gate in parallel: format and lint, types, typed lint, layers, dead code, package, unit tests. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => `node_modules/.bin/${name}`;
/** Two lanes, as long as each other, for two cores. */
const lanes = [
  [
    ["format", bin("biome"), "check", "--error-on-warnings", "."],
    ["types", bin("tsc"), "--noEmit"],
    ["lint", bin("eslint"), "--max-warnings=0", "src", "test", "scripts", "bench"],
  ],
  [
    ["layers", "npm", "run", "--silent", "layers"],
    ["dead", bin("knip")],
    ["unit", bin("vitest"), "run", "--project", "unit", "--silent=passed-only", "--reporter=agent"],
    ["package", "npm", "run", "--silent", "package"],
  ],
];

function run([name, command, ...args]) {
  return new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(command, args, { cwd: root, env: { ...process.env, FORCE_COLOR: "0" } });
    let output = "";
    child.stdout.on("data", (d) => (output += d));
    child.stderr.on("data", (d) => (output += d));
    child.on("close", (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(1);
      console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
      if (code !== 0) console.log(output);
      resolve(code === 0);
    });
  });
}

const only = new Set(process.argv.slice(2));
const results = await Promise.all(
  lanes.map(async (lane) => {
    const passed = [];
    for (const job of lane) if (only.size === 0 || only.has(job[0])) passed.push(await run(job));
    return passed;
  }),
);
process.exitCode = results.flat().every(Boolean) ? 0 : 1;
