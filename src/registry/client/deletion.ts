import { randomBytes } from "node:crypto";
import type { DeleteResult, RefusalReason } from "../../oci/deletion.js";
import { type Refusal, readRefusal, refusalError, saysRepositoryUnknown } from "./answer.js";
import type { Endpoint } from "./endpoint.js";

const hints: Record<RefusalReason, string> = {
  immutable: "the registry's rules make this tag immutable",
  locked: "unlock it in the registry first",
  "in-use": "something that is kept still refers to it",
  "last-version": "delete the whole repository instead",
  permission: "the user that is logged in may not delete here",
  unsupported:
    "deletion is switched off or not there: Docker's registry needs REGISTRY_STORAGE_DELETE_ENABLED=true, and a pull-through cache deletes nothing",
};

/**
 * DELETE `/v2/NAME/manifests/REFERENCE`: by digest the manifest, by tag (where the registry has that) the tag
 * alone. @throws WerfError `registry/*` for what doesn't concern this one object
 */
export async function deleteReference(endpoint: Endpoint, reference: string): Promise<DeleteResult> {
  const response = await endpoint.request({ method: "DELETE", path: `manifests/${reference}` });
  if (response.status === 200 || response.status === 202 || response.status === 204) {
    await response.discard();
    return { kind: "deleted" };
  }
  const refusal = await readRefusal(response);
  if ((refusal.status === 404 && !refusal.isHtml) || saysRepositoryUnknown(refusal))
    return { kind: "absent" };
  const reason = refusalReason(refusal);
  if (reason === undefined)
    throw refusalError(refusal, `delete ${reference} of ${endpoint.address}`, endpoint.host);
  const answer = `${refusal.status} ${refusal.said}`.trim();
  return { kind: "refused", reason, answer, hint: hints[reason] };
}

/** Registries share neither statuses nor codes for a refusal, so the words count too. */
function refusalReason(refusal: Refusal): RefusalReason | undefined {
  const { status, code, said } = refusal;
  if (refusal.isHtml || ![400, 403, 405, 409, 412, 423].includes(status)) return undefined;
  if (code === "UNSUPPORTED") return "unsupported";
  if (/immutab/i.test(said)) return "immutable";
  if (status === 423 || /\block(?:ed)?\b/i.test(said)) return "locked";
  if (/in use|referenced|referred|is tagged|still tagged|part of|parent/i.test(said)) return "in-use";
  if (status === 403) return "permission";
  // zot: 405 DENIED for a child of an index, 409 for a manifest with several tags.
  if (status === 409 || status === 412 || (status === 405 && code === "DENIED")) return "in-use";
  if (status === 405 || code === "DIGEST_INVALID") return "unsupported";
  return undefined;
}

/**
 * Whether a tag can be deleted by its name, found out with one that doesn't exist: distribution 2.8 answers
 * 400 before it looks.
 */
export async function probeTagDeletion(endpoint: Endpoint): Promise<"native" | "isolate"> {
  const tag = `werf-probe-${randomBytes(12).toString("hex")}`;
  const response = await endpoint.request({ method: "DELETE", path: `manifests/${tag}` });
  if (response.status === 200 || response.status === 202 || response.status === 204) {
    await response.discard();
    return "native";
  }
  const refusal = await readRefusal(response);
  if (!refusal.isHtml) {
    if (refusal.status === 404 || saysRepositoryUnknown(refusal)) return "native";
    if (refusal.status === 400 || refusal.status === 405) return "isolate";
  }
  throw refusalError(refusal, `find out how ${endpoint.address} deletes tags`, endpoint.host);
}
