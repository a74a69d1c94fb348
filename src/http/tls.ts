import { readFile } from "node:fs/promises";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { messageOf, WerfError } from "../core/errors.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Linux distributions keep the authorities that an administrator added. */
const systemBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The authorities (PEM) that the environment and `caFile` name besides Node's own: NODE_EXTRA_CA_CERTS, and
 * SSL_CERT_FILE as Go's programs read it.
 * @throws WerfError `http/ca-unreadable`
 */
export async function namedAuthorities(env: Environment, caFile: string | undefined): Promise<string[]> {
  const files = [env["NODE_EXTRA_CA_CERTS"], env["SSL_CERT_FILE"], caFile].filter(
    (file): file is string => file !== undefined && file !== "",
  );
  return (await Promise.all(files.map(readAuthorities))).flatMap(certificates);
}

/** The authorities of the system that Node doesn't have, an administrator's among them. */
export async function systemAuthorities(): Promise<string[]> {
  const known = new Set(rootCertificates.map(body));
  for (const file of systemBundles) {
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text !== undefined) return certificates(text).filter((pem) => !known.has(body(pem)));
  }
  return [];
}

/**
 * One TLS context for all connections of a run: with authorities beyond Node's own, making one parses every
 * certificate. @throws WerfError `http/ca-unreadable`
 */
export function trustedContext(authorities: readonly string[]): SecureContext {
  if (authorities.length === 0) return createSecureContext();
  try {
    return createSecureContext({ ca: [...rootCertificates, ...authorities] });
  } catch (cause) {
    throw new WerfError("http/ca-unreadable", `a certificate authority can't be read: ${messageOf(cause)}`, {
      hint: "look into the files of NODE_EXTRA_CA_CERTS and SSL_CERT_FILE, and the certificates of the system",
      cause,
    });
  }
}

async function readAuthorities(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new WerfError("http/ca-unreadable", `the CA file ${file} can't be read: ${messageOf(cause)}`, {
      hint: "it is named by NODE_EXTRA_CA_CERTS, SSL_CERT_FILE or an option",
      cause,
    });
  }
  if (certificates(text).length > 0) return text;
  throw new WerfError("http/ca-unreadable", `the CA file ${file} has no certificate in PEM form`);
}

function certificates(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** The base64 alone, to compare certificates that were wrapped differently. */
function body(pem: string): string {
  return pem.replace(/-----[A-Z ]+-----|\s/g, "");
}
