import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const layers = readdirSync(join(root, "src"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

interface LayerRule {
  readonly name: string;
  readonly from: { readonly path?: string };
  readonly to: { readonly pathNot?: string };
}

const rules = (
  createRequire(import.meta.url)(join(root, ".dependency-cruiser.cjs")) as { forbidden: readonly LayerRule[] }
).forbidden;

/** What stands in backticks and is the name of a file or folder, without those that only show a form. */
function namedPaths(text: string): string[] {
  const spans = [...text.matchAll(/`([^`\s]+)`/g)].map(([, span]) => span ?? "");
  return spans.filter(
    (span) => /^(\.\/)?[a-z][\w.-]*(\/[\w.-]+)*(\/|\.(ts|md|mjs|cjs|json))$/.test(span) && !/^x\./.test(span),
  );
}

function exists(path: string): boolean {
  return [path, join("src", path), join("src/build", path)].some((candidate) =>
    existsSync(join(root, candidate)),
  );
}

describe.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("%s", (document) => {
  it("names files and folders that exist", () => {
    const paths = namedPaths(read(document));
    expect(paths.length).toBeGreaterThan(5);
    // An `index.ts` stands for the one of the folder that the sentence is about.
    expect(paths.filter((path) => path !== "index.ts" && !exists(path))).toEqual([]);
  });
});

it("has links that lead somewhere, in every document", () => {
  const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"].concat(
    readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join("docs", name)),
  );
  const broken = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !existsSync(join(root, dirname(document), target)))
      .map((target) => `${document}: ${target}`),
  );
  expect(broken).toEqual([]);
});

describe("the layers", () => {
  const table = read("ARCHITECTURE.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()));

  it.each(layers)("has a row for %s in ARCHITECTURE.md", (layer) => {
    expect(table.filter(([, folder]) => folder?.includes(`\`${layer}\``))).toHaveLength(1);
  });

  it.each(layers)("has a rule for %s that keeps it from importing all others", (layer) => {
    const rule = rules.find(({ name }) => name === `layer-${layer}`);
    expect(rule?.from.path).toBe(`^src/${layer}/`);
    expect(rule?.to.pathNot).toBeDefined();
  });

  it.each(layers)("says of %s in ARCHITECTURE.md what its rule allows", (layer) => {
    const rule = rules.find(({ name }) => name === `layer-${layer}`);
    const allowed = /\(([^)]+)\)/.exec(rule?.to.pathNot ?? "")?.[1]?.split("|") ?? [];
    const row = table.find(([, folder]) => folder?.includes(`\`${layer}\``));
    const others = layers.filter((name) => name !== layer && name !== "cli").sort();
    const stated = /^everything/.test(row?.[3] ?? "") ? others : (row?.[3] ?? "").split(", ");
    const expected = allowed.filter((name) => name !== layer);
    expect(stated.filter((name) => name !== "nothing").sort()).toEqual(expected.sort());
  });
});
