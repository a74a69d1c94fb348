import { describe, expect, it } from "vitest";
import { digestOf } from "../../oci/digest.js";
import type { PublishedImage } from "../../records/published-image.js";
import { customTagsOf, parseCustomTags } from "./custom-tags.js";

const image = (name: string): PublishedImage => ({
  name,
  final: true,
  repository: "registry.example/app",
  tag: `${"a".repeat(56)}-1752501317353`,
  digest: digestOf(name),
  platforms: ["linux/amd64"],
  rebuilt: false,
});
const tags = (templates: readonly string[], ...names: string[]): readonly (readonly string[])[] =>
  customTagsOf(parseCustomTags(templates), names.map(image)).map((t) => t.tags);

describe("custom tags", () => {
  it("fill in what the image is", () => {
    expect(tags(["%image%-main", "v-%image_content_based_tag%"], "backend")).toEqual([
      ["backend-main", `v-${"a".repeat(56)}-1752501317353`],
    ]);
    expect(tags(["%image_safe_slug%"], "group/backend")).toEqual([["group-backend-50fa43df"]]);
  });

  it.each([
    ["two images with one tag", ["main"], ["a", "b"], "would both get it"],
    ["no valid tag", ["%image%"], ["group/backend"], "no valid tag"],
    ["a record of werf", ["managed-image-%image%"], ["a"], "werf's own records"],
    ["a stage", [`${"b".repeat(56)}-1752501317353`], ["a"], "werf's own records"],
    ["an unknown placeholder", ["%imag%"], ["a"], "%imag% is not known"],
  ])("refuse %s", (_what, templates, names, why) => {
    expect(() => tags(templates, ...names)).toThrow(why);
  });
});
