import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Before the suites that start the command as a process: the command as it is packed. */
export function setup(): void {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  execFileSync(process.execPath, ["scripts/build.mjs", "--bin"], { cwd: root, stdio: "inherit" });
}
