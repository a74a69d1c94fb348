/** What werf.yaml says, checked and with defaults filled in. Names of fields are those of the file. */
export interface WerfConfig {
  readonly project: string;
  readonly configVersion: 1;
  readonly build: {
    readonly cacheVersion?: string;
    readonly platform: readonly string[];
    readonly staged: boolean;
  };
  readonly cleanup: CleanupConfig;
  readonly deploy: DeployConfig;
  readonly gitWorktree: {
    readonly forceShallowClone: boolean;
    readonly allowUnshallow: boolean;
    readonly allowFetchOriginBranchesAndTags: boolean;
  };
  /** In the order of the file; names are unique. */
  readonly images: readonly ImageSpec[];
}

export interface DeployConfig {
  /** Relative to the project directory. */
  readonly helmChartDir: string;
  readonly appVersion?: string;
  readonly helmRelease: string;
  readonly namespace: string;
  readonly helmReleaseSlug: boolean;
  readonly namespaceSlug: boolean;
}

export interface CleanupConfig {
  readonly disable: boolean;
  readonly disableKubernetesBasedPolicy: boolean;
  readonly disableGitHistoryBasedPolicy: boolean;
  readonly disableBuiltWithinLastNHoursPolicy: boolean;
  readonly keepImagesBuiltWithinLastNHours: number;
  /** Empty: the built-in three. */
  readonly keepPolicies: readonly KeepPolicy[];
}

export interface KeepPolicy {
  readonly references: {
    readonly kind: "tag" | "branch";
    /** Anchored on both sides as a whole. */
    readonly pattern: RegExp;
    /** As written, for messages. */
    readonly source: string;
    readonly limit?: KeepLimit;
  };
  readonly imagesPerReference?: KeepLimit;
}

/** What isn't written is absent: the default depends on where the limit stands. `inMs` is in milliseconds. */
export interface KeepLimit {
  readonly last?: number;
  readonly inMs?: number;
  readonly operator: "And" | "Or";
}

export type ImageSpec = DockerfileImage | StapelImage;

interface ImageBase {
  readonly name: string;
  readonly final: boolean;
  readonly platform: readonly string[];
  readonly cacheVersion?: string;
  readonly dependencies: readonly ImageDependency[];
  /** 1-based line of its document in the rendered file, for messages. */
  readonly line: number;
}

export interface DockerfileImage extends ImageBase {
  readonly kind: "dockerfile";
  /** Relative to `context`. */
  readonly dockerfile: string;
  /** Relative to the project directory; "" is the project directory. */
  readonly context: string;
  readonly target?: string;
  readonly args: Readonly<Record<string, string>>;
  /** Keys that are understood but that no engine carries out yet, with their line; `build` refuses them by name. */
  readonly unsupported: readonly { readonly key: string; readonly line: number }[];
}

export type ImportType = "ImageName" | "ImageRepo" | "ImageTag" | "ImageDigest" | "ImageID";

export interface ImageDependency {
  readonly from: string;
  readonly imports: readonly { readonly type: ImportType; readonly targetBuildArg: string }[];
}

/** Accepted by every command but `build`. Its dependencies are what must be built before; they import nothing. */
export interface StapelImage extends ImageBase {
  readonly kind: "stapel";
}
