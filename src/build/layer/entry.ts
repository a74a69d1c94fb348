import type { Readable } from "node:stream";

/** One entry of a layer before it is written: absolute facts, no host paths, no times of this machine. */
export type LayerEntry = {
  /** In the image, without a leading slash, with forward slashes: `app/main.js`. */
  readonly path: string;
  /** Permission bits, 0o755. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
} & (
  | { readonly kind: "file"; readonly size: number; open(): Promise<Readable> }
  | { readonly kind: "directory" }
  | { readonly kind: "symlink"; readonly target: string }
);
