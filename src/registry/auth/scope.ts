/** What a token is asked for, by repository name: distribution-spec tokens, `repository:NAME:ACTION,...`. */
export type Scopes = ReadonlyMap<string, ReadonlySet<Action>>;
export type Action = "pull" | "push" | "delete";

const actionOrder: readonly Action[] = ["pull", "push", "delete"];

export function scopesOf(name: string, actions: readonly Action[]): Scopes {
  return new Map([[name, new Set(actions)]]);
}

export function mergeScopes(...all: readonly Scopes[]): Scopes {
  const merged = new Map<string, Set<Action>>();
  for (const [name, actions] of all.flatMap((scopes) => [...scopes])) {
    const known = merged.get(name) ?? new Set();
    for (const action of actions) known.add(action);
    merged.set(name, known);
  }
  return merged;
}

export function asksDelete(scopes: Scopes): boolean {
  return [...scopes.values()].some((actions) => actions.has("delete"));
}

/** Quay answers 400 to a scope with `delete`, and lets `push` delete. */
export function withoutDelete(scopes: Scopes): Scopes {
  return new Map(
    [...scopes].map(([name, actions]) => [name, new Set([...actions].filter((a) => a !== "delete"))]),
  );
}

/** In a fixed order, so that equal scopes have equal texts. */
export function formatScopes(scopes: Scopes): string[] {
  return [...scopes].map(
    ([name, actions]) => `repository:${name}:${actionOrder.filter((a) => actions.has(a)).join(",")}`,
  );
}

/** The `scope` of a challenge; parts about anything but repositories are left out. */
export function parseScopes(text: string | undefined): Scopes {
  const parts = (text ?? "").split(" ").map((part) => /^repository:(.+):([a-z,*]+)$/.exec(part));
  return mergeScopes(
    ...parts.map((match): Scopes => {
      const actions = (match?.[2] ?? "").split(",");
      return match?.[1] === undefined
        ? new Map()
        : scopesOf(
            match[1],
            actionOrder.filter((a) => actions.includes(a) || actions.includes("*")),
          );
    }),
  );
}
