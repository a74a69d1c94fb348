import type { WerfConfig } from "../config/model.js";
import type { RunContext } from "../core/run-context.js";
import type { Commit, GitRepository } from "../git/repository.js";
import type { RawManifest } from "../oci/manifest.js";
import type { Platform } from "../oci/platform.js";
import type { Store } from "../oci/store.js";
import type { Snapshot } from "../records/snapshot.js";
import type { BaseResolver } from "./bases.js";
import type { BuilderChoice } from "./engines/index.js";
import type { RecordKeeper } from "./publish/record-keeper.js";
import type { Stage } from "./stage.js";

/** What all images of one build share. Facts are gathered before the first image is looked at. */
export interface BuildSession {
  readonly run: RunContext;
  readonly config: WerfConfig;
  readonly git: GitRepository;
  readonly commit: Commit;
  /** Project directory relative to the work tree, "" at its top. */
  readonly projectPath: string;
  readonly store: Store;
  /** How images refer to the store: `host/name`. */
  readonly repository: string;
  /** The tags as they were listed when the build began. */
  readonly snapshot: Snapshot;
  readonly records: RecordKeeper;
  /** Stages of this build by their content digest, as soon as one is begun. */
  readonly stages: Map<string, Promise<Stage>>;
  /** Indexes of this build by their tag. */
  readonly indexes: Map<string, Promise<RawManifest>>;
  /** Paths that differ from the commit, relative to the work tree. */
  readonly uncommitted: readonly string[];
  /** When images say that they were made; absent: at the time of publishing. */
  readonly sourceDate?: Date;
  /** Nothing is built or written; what isn't published is an error. */
  readonly onlyPublished?: boolean;
  readonly resolveBase: BaseResolver;
  readonly builder: BuilderChoice;
  readonly platformFlags: readonly string[];
  readonly hostPlatform: Platform;
}
