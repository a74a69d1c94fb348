import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The licences of every package that esbuild put into the bundles, as one text. */
export function notices(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) packages.add(match[1]);
  }
  const parts = [...packages].sort().map((directory) => {
    const { name, version, license } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    const file = readdirSync(directory).find((f) => /^licen[cs]e/i.test(f));
    const text =
      file && existsSync(join(directory, file))
        ? readFileSync(join(directory, file), "utf8").trim()
        : `Licence: ${license}`;
    return `${name} ${version}\n\n${text}\n`;
  });
  return `werf-ts contains the following packages.\n\n${parts.join(`\n${"-".repeat(80)}\n\n`)}`;
}
