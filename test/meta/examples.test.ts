import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderTemplate } from "../../src/template/render.js";

const chart = fileURLToPath(new URL("../../examples/shop/.helm", import.meta.url));
const templates = readdirSync(join(chart, "templates"));

// Formatters take templates for YAML and break them.
describe.each(templates)("the example's template %s", (name) => {
  it("renders to YAML that names the published image", async () => {
    const text = readFileSync(join(chart, "templates", name), "utf8");
    const values = parse(readFileSync(join(chart, "values.yaml"), "utf8")) as object;
    const image = "registry.example.org/shop:tag";
    const data = { Values: { ...values, werf: { image: { backend: image } } } };
    const deployment: unknown = parse(await renderTemplate({ name, text }, { data }));
    expect(deployment).toMatchObject({
      kind: "Deployment",
      spec: { replicas: 2, template: { spec: { containers: [{ name: "backend", image }] } } },
    });
  });
});
