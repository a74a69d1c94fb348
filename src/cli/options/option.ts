export type OptionGroup =
  | "Repository"
  | "Project"
  | "Build"
  | "Bundle"
  | "Cleanup"
  | "CI"
  | "Server"
  | "Login"
  | "Registry access"
  | "Output"
  | "Directories";

interface OptionBase {
  /** Without dashes: `insecure-registry`. */
  readonly flag: string;
  readonly short?: string;
  readonly group: OptionGroup;
  readonly description: string;
  /**
   * Read in this order, the first that is set and not empty. For a list, a name that ends in `_` is a prefix: all
   * variables that begin so are added to what the flags say; other names are a default of one item.
   */
  readonly env: readonly string[];
}

export interface TextOption extends OptionBase {
  readonly kind: "text";
  readonly placeholder: string;
  readonly default?: string;
}
export interface BooleanOption extends OptionBase {
  readonly kind: "boolean";
  /** Absent: the command decides. */
  readonly default?: boolean;
}
export interface IntegerOption extends OptionBase {
  readonly kind: "integer";
  readonly placeholder: string;
  readonly default?: number;
}
export interface ListOption extends OptionBase {
  readonly kind: "list";
  readonly placeholder: string;
}

export type OptionSpec = TextOption | BooleanOption | IntegerOption | ListOption;

/** The value that a command gets for an option. */
export type OptionValue<S extends OptionSpec> = S extends BooleanOption
  ? S extends { readonly default: boolean }
    ? boolean
    : boolean | undefined
  : S extends ListOption
    ? readonly string[]
    : S extends IntegerOption
      ? S extends { readonly default: number }
        ? number
        : number | undefined
      : S extends { readonly default: string }
        ? string
        : string | undefined;
