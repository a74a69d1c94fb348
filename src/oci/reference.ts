import { WerfError } from "../core/errors.js";
import { type Digest, isDigest } from "./digest.js";

/** A repository in a registry. `host` may carry a port; for Docker Hub it is `docker.io`. */
export interface RepositoryName {
  readonly host: string;
  /** The path below `/v2/`, lower-case. */
  readonly name: string;
}

/** `host/name[:tag][@digest]`. */
export interface Reference {
  readonly repository: RepositoryName;
  readonly tag?: string;
  readonly digest?: Digest;
}

const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const hostPattern =
  /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*\.?)(?::[0-9]{1,5})?$/;
const dockerHubHosts = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);
const maxNameLength = 255;

export const dockerHub = "docker.io";

/** Whether it may be a tag: distribution-spec, "Pulling manifests". */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/**
 * Reads the address of a repository, `HOST[:PORT]/NAME`, with Docker Hub's short forms: `alpine` is
 * `docker.io/library/alpine`. An optional `docker://` in front is dropped.
 * @throws WerfError `oci/reference-invalid`, saying which part breaks which rule
 */
export function parseRepository(text: string): RepositoryName {
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined) {
    throw invalid(
      text,
      "it names a tag or a digest, but a repository is meant",
      `leave out everything after "${reference.repository.name.split("/").at(-1)}"`,
    );
  }
  return reference.repository;
}

/**
 * Reads `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`.
 * @throws WerfError `oci/reference-invalid`
 */
export function parseReference(text: string): Reference {
  const address = text.startsWith("docker://") ? text.slice("docker://".length) : text;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    throw invalid(
      text,
      "an address has no scheme",
      "write it without http:// or https://; use --insecure-registry for plain HTTP",
    );
  }
  const at = address.indexOf("@");
  const digestText = at === -1 ? undefined : address.slice(at + 1);
  if (digestText !== undefined && !isDigest(digestText)) {
    throw invalid(
      text,
      `"${digestText}" is not a digest`,
      "a digest is sha256: and 64 lower-case hexadecimal digits",
    );
  }
  const rest = at === -1 ? address : address.slice(0, at);
  const { host, path } = splitHost(rest);
  const colon = path.lastIndexOf(":");
  const tag = colon === -1 ? undefined : path.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) {
    throw invalid(
      text,
      `"${tag}" is not a tag`,
      "a tag has letters, digits, _ . and -, begins with a letter, digit or _, and is at most 128 long",
    );
  }
  const name = checkName(text, host, colon === -1 ? path : path.slice(0, colon));
  return {
    repository: { host, name },
    ...(tag === undefined ? {} : { tag }),
    ...(digestText === undefined ? {} : { digest: digestText }),
  };
}

/** The first component is a host when it has a dot or a port, is `localhost`, or has a capital letter. */
function splitHost(address: string): { host: string; path: string } {
  const slash = address.indexOf("/");
  const first = slash === -1 ? "" : address.slice(0, slash);
  const isHost = /[.:[]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  if (!isHost) return { host: dockerHub, path: address };
  if (!hostPattern.test(first))
    throw invalid(
      address,
      `"${first}" is not a host name`,
      "write HOST or HOST:PORT; an IPv6 address stands in [ ]",
    );
  const port = /:(\d+)$/.exec(first.replace(/^\[.*\]/, ""))?.[1];
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) {
    throw invalid(address, `${port} is not a port`, "a port is a number from 1 to 65535");
  }
  const host = first.toLowerCase();
  return { host: dockerHubHosts.has(host) ? dockerHub : host, path: address.slice(slash + 1) };
}

function checkName(text: string, host: string, path: string): string {
  if (path === "") throw invalid(text, "it has no repository name", "write HOST/NAME");
  const name = host === dockerHub && !path.includes("/") ? `library/${path}` : path;
  if (name.length > maxNameLength)
    throw invalid(
      text,
      `the repository name has ${name.length} characters`,
      `at most ${maxNameLength} are allowed`,
    );
  for (const piece of name.split("/")) {
    if (component.test(piece)) continue;
    if (piece !== piece.toLowerCase()) {
      throw invalid(
        text,
        `"${piece}" has capital letters`,
        `repository names are lower-case: "${name.toLowerCase()}"`,
      );
    }
    const what =
      piece === "" ? "it has an empty part between slashes" : `"${piece}" is no part of a repository name`;
    throw invalid(
      text,
      what,
      "a part has lower-case letters and digits, with single . _ or any number of - between them",
    );
  }
  return name;
}

function invalid(text: string, what: string, hint: string): WerfError {
  return new WerfError("oci/reference-invalid", `"${text.slice(0, 300)}" is not an address: ${what}`, {
    hint,
    exitCode: 2,
  });
}

export function formatRepository(repository: RepositoryName): string {
  return `${repository.host}/${repository.name}`;
}

export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${formatRepository(reference.repository)}${tag}${digest}`;
}
