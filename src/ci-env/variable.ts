/** A variable that a CI job gets. */
export interface CiVariable {
  readonly name: string;
  /** "": the CI system doesn't tell; the line is a comment then. */
  readonly value: string;
  /** `soft` gives way to what the job's environment has already. */
  readonly mode: "force" | "soft";
  /** Its value is never shown, only set. */
  readonly secret?: true;
}

export interface CiSection {
  /** Upper-case. */
  readonly title: string;
  readonly variables: readonly CiVariable[];
}

export function force(name: string, value: string | undefined): CiVariable {
  return { name, value: value ?? "", mode: "force" };
}

export function soft(name: string, value: string | undefined): CiVariable {
  return { name, value: value ?? "", mode: "soft" };
}

/** An annotation for what is deployed: `KEY=VALUE`, or nothing where the value isn't known. */
export function annotation(suffix: string, key: string, value: string | undefined): CiVariable {
  return force(`WERF_ADD_ANNOTATION_${suffix}`, value ? `${key}=${value}` : "");
}
