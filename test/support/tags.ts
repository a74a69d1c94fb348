import { createHash } from "node:crypto";

/** The tags of a repository, sorted, asked without the product. */
export async function registryTags(repository: string): Promise<string[]> {
  const slash = repository.indexOf("/");
  const response = await fetch(
    `http://${repository.slice(0, slash)}/v2/${repository.slice(slash + 1)}/tags/list`,
  );
  if (response.status === 404) return [];
  if (response.status !== 200)
    throw new Error(`${repository}: the listing was answered with ${response.status}`);
  const { tags } = (await response.json()) as { tags: string[] | null };
  return (tags ?? []).sort();
}

export interface TagCounts {
  readonly stages: number;
  readonly meta: number;
  readonly managed: readonly string[];
  readonly others: readonly string[];
}

/** What a listing holds, by the forms of the record specification; written without the product's codecs. */
export function readTags(tags: readonly string[]): TagCounts {
  const isStage = (tag: string): boolean => /^[0-9a-f]{56}(-\d{13})?$/.test(tag);
  const managed = tags.filter((tag) => tag.startsWith("managed-image-"));
  return {
    stages: tags.filter(isStage).length,
    meta: tags.filter((tag) => tag.startsWith("meta-")).length,
    managed: managed.map((tag) => tag.slice("managed-image-".length)).sort(),
    others: tags.filter(
      (tag) => !isStage(tag) && !tag.startsWith("meta-") && !tag.startsWith("managed-image-"),
    ),
  };
}

const ociManifest = "application/vnd.oci.image.manifest.v1+json";
const ociIndex = "application/vnd.oci.image.index.v1+json";

function apiOf(repository: string): string {
  return `http://${repository.replace("/", "/v2/")}`;
}

/** Gives a manifest a second tag, without the product. */
export async function copyTag(repository: string, from: string, to: string): Promise<void> {
  const read = await fetch(`${apiOf(repository)}/manifests/${from}`, {
    headers: { accept: `${ociManifest}, ${ociIndex}` },
  });
  await putManifest(repository, to, read.headers.get("content-type") ?? "", await read.arrayBuffer());
}

/** What a tag resolves to; `undefined` when it isn't there. */
export async function digestOfTag(repository: string, tag: string): Promise<string | undefined> {
  const response = await fetch(`${apiOf(repository)}/manifests/${tag}`, {
    method: "HEAD",
    headers: { accept: `${ociManifest}, ${ociIndex}` },
  });
  return response.status === 200 ? (response.headers.get("docker-content-digest") ?? "") : undefined;
}

/** Pushes an artifact that is nothing but its config, without the product. */
export async function pushArtifact(
  repository: string,
  tag: string,
  configType: string,
  config: object,
): Promise<void> {
  const bytes = JSON.stringify(config);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const session = await fetch(`${apiOf(repository)}/blobs/uploads/`, { method: "POST" });
  const target = new URL(session.headers.get("location") ?? "", session.url);
  target.searchParams.set("digest", digest);
  const uploaded = await fetch(target, { method: "PUT", body: bytes });
  if (uploaded.status !== 201) throw new Error(`the config was answered with ${uploaded.status}`);
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: configType, digest, size: bytes.length },
    layers: [],
  };
  await putManifest(repository, tag, ociManifest, JSON.stringify(manifest));
}

async function putManifest(
  repository: string,
  tag: string,
  type: string,
  body: ArrayBuffer | string,
): Promise<void> {
  const written = await fetch(`${apiOf(repository)}/manifests/${tag}`, {
    method: "PUT",
    headers: { "content-type": type },
    body,
  });
  if (written.status !== 201) throw new Error(`${tag} was answered with ${written.status}`);
}
