import type { Digest } from "./digest.js";
import type { Platform } from "./platform.js";

/** A pointer to content, as in descriptor.md of the OCI image specification. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly platform?: Platform;
  /** Base64 of the content itself. */
  readonly data?: string;
}
