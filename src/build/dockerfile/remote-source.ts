/**
 * Whether a source of ADD is fetched from the network: an address over HTTP, or a git repository.
 * https://docs.docker.com/reference/dockerfile/#adding-files-from-a-url
 */
export function isRemoteSource(source: string): boolean {
  return /^(?:https?|git|ssh):\/\//i.test(source) || /^[\w.-]+@[\w.-]+:/.test(source);
}
