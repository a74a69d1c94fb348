/** What a user has to prove who they are to a registry. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A refresh token, exchanged for access tokens (OAuth2, as `docker login` does). */
  | { readonly kind: "identity-token"; readonly token: string }
  /** Sent as a bearer token as it is. */
  | { readonly kind: "registry-token"; readonly token: string };

export function secretOf(credential: Credential): string {
  return credential.kind === "basic" ? credential.password : credential.token;
}

export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
