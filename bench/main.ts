import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchCleanup } from "./cleanup.js";
import { benchCopy } from "./copy.js";
import { benchStart } from "./start.js";

/** `npm run bench [NAME...]`: ratios to a peer in the same run. */
const benches: Readonly<Record<string, (directory: string) => Promise<string>>> = {
  start: benchStart,
  copy: benchCopy,
  cleanup: benchCleanup,
};

const wanted = process.argv.slice(2);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const directory = mkdtempSync(join(tmpdir(), "werf-ts-bench-"));
  try {
    console.log(`${name}: ${await bench(directory)}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
