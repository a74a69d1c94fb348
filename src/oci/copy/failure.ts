import { isWerfError, messageOf, WerfError } from "../../core/errors.js";
import type { Store } from "../store.js";

/** Says of whatever fails inside that it was the side that is read from. */
export function reading<T>(store: Store, action: () => Promise<T>): Promise<T> {
  return labelled(`reading from ${store.address}`, action);
}

/** Says of whatever fails inside that it was the side that is written to. */
export function writing<T>(store: Store, action: () => Promise<T>): Promise<T> {
  return labelled(`writing to ${store.address}`, action);
}

async function labelled<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw copyFailure(what, error);
  }
}

/** The same failure, code and hint kept, with the side of the copy in front; an abort stays what it is. */
export function copyFailure(what: string, cause: unknown): unknown {
  if (cause instanceof Error && cause.name === "AbortError") return cause;
  if (!isWerfError(cause)) return new WerfError("oci/copy-failed", `${what}: ${messageOf(cause)}`, { cause });
  return new WerfError(cause.code, `${what}: ${cause.message}`, {
    cause,
    exitCode: cause.exitCode,
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
  });
}
