import type { BodySource } from "../../core/http.js";
import type { RunContext } from "../../core/run-context.js";
import type { Descriptor } from "../../oci/descriptor.js";
import type { Digest } from "../../oci/digest.js";
import type { ImageConfig } from "../../oci/image-config.js";
import type { Platform } from "../../oci/platform.js";
import type { Store } from "../../oci/store.js";
import type { BuildContext } from "../context/context.js";
import type { TargetPlan } from "../dockerfile/target-plan.js";

/** A layer of a finished image: either it lies in a store already, or its bytes are at hand. */
export interface BuiltLayer {
  readonly descriptor: Descriptor;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  readonly content:
    | { readonly kind: "stored"; readonly store: Store }
    | { readonly kind: "bytes"; readonly source: BodySource };
}

/** What an engine hands over; digesting, tagging, publishing and recording are the same for every engine. */
export interface BuiltImage {
  /** Without `created`: it becomes the time of publishing. */
  readonly config: ImageConfig;
  readonly layers: readonly BuiltLayer[];
}

/** An image that a FROM or a `COPY --from` names, resolved to one platform. */
export interface BaseImage {
  readonly store: Store;
  readonly config: ImageConfig;
  readonly layers: readonly Descriptor[];
}

export interface BuildRequest {
  /** Name in werf.yaml, for messages. */
  readonly image: string;
  readonly platform: Platform;
  readonly plan: TargetPlan;
  /** The Dockerfile itself, for engines that execute it as a whole. */
  readonly dockerfile: { readonly path: string; readonly bytes: Uint8Array };
  readonly context: BuildContext;
  /** Added to the finished image's labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** Reads the manifest and config of an image; `reference` is an address as in FROM. */
  resolveBase(reference: string, platform: Platform): Promise<BaseImage>;
  /** Where layers may be put before they are published; removed when the run ends. */
  readonly scratchDirectory: string;
  /** The task that the build's output belongs to. */
  readonly task?: string;
}

/** Why an engine can't build a plan. */
export interface CannotBuild {
  readonly kind: "cannot";
  /** For example `RUN npm ci`. */
  readonly instruction: string;
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

export interface Engine {
  readonly id: "native" | "buildah" | "buildkit";
  /** Whether this plan is within its means; asks only the plan. */
  accepts(plan: TargetPlan): { readonly kind: "accepts" } | CannotBuild;
  /** Whether it can run here: a program that is there, a daemon that answers. */
  available(
    run: RunContext,
  ): Promise<{ readonly kind: "available" } | { readonly kind: "missing"; readonly hint: string }>;
  build(run: RunContext, request: BuildRequest): Promise<BuiltImage>;
}
