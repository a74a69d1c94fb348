import { isWerfError } from "../../core/errors.js";
import type { Digest } from "../../oci/digest.js";
import { type Manifest, parseManifest, type RawManifest } from "../../oci/manifest.js";
import type { Store } from "../../oci/store.js";
import { labels } from "../../records/labels.js";
import { readImageConfig } from "../../records/stage-reader.js";
import type { CustomTagFacts, RecordFacts } from "../facts.js";

export type RecordRead =
  | {
      readonly kind: "present";
      readonly digest: Digest;
      readonly facts: RecordFacts;
      /** Of the record of a custom tag. */
      readonly customTag?: CustomTagFacts;
    }
  | { readonly kind: "missing" };

/** Opens a record: its project, its time, and what a custom tag stands for. A damaged one says nothing. */
export async function readRecord(store: Store, tag: string): Promise<RecordRead> {
  const read = await store.readManifest(tag);
  if (read.kind === "missing") return read;
  const { digest } = read.manifest;
  const source = `${store.address}:${tag}`;
  const manifest = parseOrUndefined(read.manifest, source);
  if (manifest?.kind !== "image") return { kind: "present", digest, facts: {} };
  const config = await readImageConfig(store, source, manifest);
  if (config.kind === "broken") return { kind: "present", digest, facts: {} };
  const project = config.labels[labels.project];
  const facts: RecordFacts = {
    ...(project === undefined ? {} : { project }),
    ...(config.createdMs === undefined ? {} : { createdMs: config.createdMs }),
  };
  const stage = config.labels[labels.customTagStage];
  const customTag = config.labels[labels.customTagName];
  if (stage === undefined || customTag === undefined) return { kind: "present", digest, facts };
  return { kind: "present", digest, facts, customTag: { customTag, stage } };
}

function parseOrUndefined(raw: RawManifest, source: string): Manifest | undefined {
  try {
    return parseManifest(raw, source);
  } catch (error) {
    if (isWerfError(error)) return undefined;
    throw error;
  }
}
