import pLimit from "p-limit";

/**
 * The results of all, in order. The first failure calls `onFailure` (to start nothing more) and is thrown when
 * all have ended, so that nothing goes on behind the caller's back.
 */
export async function settleAll<T>(promises: readonly Promise<T>[], onFailure: () => void): Promise<T[]> {
  let failure: { readonly error: unknown } | undefined;
  const results = await Promise.allSettled(
    promises.map((promise) =>
      promise.catch((error: unknown) => {
        if (failure === undefined) {
          failure = { error };
          onFailure();
        }
        throw error;
      }),
    ),
  );
  if (failure !== undefined) throw failure.error;
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

/** Does `work` for every item, at most `atOnce` at a time, with the results in order; fails like `settleAll`. */
export async function mapConcurrently<T, R>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const limit = pLimit({ concurrency: atOnce, rejectOnClear: true });
  return settleAll(
    [...items].map((item) => limit(() => work(item))),
    () => limit.clearQueue(),
  );
}
