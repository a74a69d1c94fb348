import { WerfError } from "../../core/errors.js";
import type { RawManifest } from "../../oci/manifest.js";
import { isTag } from "../../oci/reference.js";
import type { Store } from "../../oci/store.js";
import { labels } from "../../records/labels.js";
import type { PublishedImage } from "../../records/published-image.js";
import { dockerTagSlug, slug } from "../../records/slug.js";
import type { Snapshot } from "../../records/snapshot.js";
import { classifyTag, customTagRecordTag } from "../../records/tags.js";
import type { RecordKeeper } from "./record-keeper.js";

/** The custom tags of one image, from templates with `%image%` and the like. */
export interface CustomTags {
  readonly image: string;
  readonly tags: readonly string[];
}

/** What a template may take of an image. */
type TaggedImage = Pick<PublishedImage, "name" | "tag">;

type TagTemplate = (image: TaggedImage) => string;

/** In place of a content-based tag that isn't known yet: as long as any, and of the same form. */
const anyStageTag = `${"0".repeat(56)}-${"0".repeat(13)}`;

/**
 * Checks the templates of `--add-custom-tag`.
 * @throws WerfError `build/custom-tag`
 */
export function parseCustomTags(templates: readonly string[]): readonly TagTemplate[] {
  return templates.map((template) => {
    const unknown = /%[^%]*%/g.exec(template.replace(/%image(?:_slug|_safe_slug|_content_based_tag)?%/g, ""));
    if (unknown !== null) throw invalid(template, `${unknown[0]} is not known`);
    return ({ name, tag }) =>
      template
        .replaceAll("%image%", name)
        .replaceAll("%image_slug%", slug(name))
        .replaceAll("%image_safe_slug%", dockerTagSlug(name))
        .replaceAll("%image_content_based_tag%", tag);
  });
}

/**
 * Finds, before anything is built, what `customTagsOf` would refuse.
 * @throws WerfError `build/custom-tag`
 */
export function checkCustomTags(
  templates: readonly TagTemplate[],
  images: readonly { readonly name: string }[],
): void {
  customTagsOf(
    templates,
    images.map(({ name }) => ({ name, tag: anyStageTag })),
  );
}

/**
 * The tags that each image gets.
 * @throws WerfError `build/custom-tag` when one is no tag, is one of werf's own, or belongs to two images
 */
export function customTagsOf(
  templates: readonly TagTemplate[],
  images: readonly TaggedImage[],
): readonly CustomTags[] {
  const owners = new Map<string, string>();
  return images.map((image) => {
    const tags = [...new Set(templates.map((template) => template(image)))];
    for (const tag of tags) {
      if (!isTag(tag)) throw invalid(tag, `it is no valid tag for the image ${image.name}`);
      if (classifyTag(tag).kind !== "foreign")
        throw invalid(tag, "it has the form of one of werf's own records");
      const owner = owners.get(tag);
      if (owner !== undefined) throw invalid(tag, `the images ${owner} and ${image.name} would both get it`);
      owners.set(tag, image.name);
    }
    return { image: image.name, tags };
  });
}

function invalid(tag: string, why: string): WerfError {
  return new WerfError("build/custom-tag", `--add-custom-tag: "${tag}": ${why}`, {
    hint: "there are %image%, %image_slug%, %image_safe_slug% and %image_content_based_tag%; with several images the tag must name the image",
    exitCode: 2,
  });
}

/**
 * Points custom tags to an image, the record before the tag: a tag without a record would be kept for ever,
 * a record without its tag is harmless.
 */
export async function writeCustomTags(
  target: { readonly store: Store; readonly records: RecordKeeper; readonly snapshot: Snapshot },
  image: PublishedImage,
  manifest: RawManifest,
  tags: readonly string[],
): Promise<void> {
  for (const tag of tags) {
    if (target.snapshot.tags.has(tag)) {
      const current = await target.store.statManifest(tag);
      if (current.kind === "present" && current.descriptor.digest === manifest.digest) continue;
    }
    await target.records.replace(customTagRecordTag(tag), {
      [labels.customTagStage]: image.tag,
      [labels.customTagName]: tag,
    });
    await target.store.writeManifest(manifest, tag);
  }
}
