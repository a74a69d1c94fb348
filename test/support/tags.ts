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

/** Gives a manifest a second tag, without the product. */
export async function copyTag(repository: string, from: string, to: string): Promise<void> {
  const manifests = `http://${repository.replace("/", "/v2/")}/manifests`;
  const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
  const read = await fetch(`${manifests}/${from}`, { headers: { accept } });
  const type = read.headers.get("content-type") ?? "";
  const written = await fetch(`${manifests}/${to}`, {
    method: "PUT",
    headers: { "content-type": type },
    body: await read.arrayBuffer(),
  });
  if (written.status !== 201) throw new Error(`${to} was answered with ${written.status}`);
}
