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
 * One TLS context for all connections of a run: making one parses every certificate. It trusts Node's own
 * roots, those of the system (or of SSL_CERT_FILE, as Go's programs do), NODE_EXTRA_CA_CERTS and `caFile`.
 * @throws WerfError `http/ca-unreadable`
 */
export async function trustedContext(env: Environment, caFile: string | undefined): Promise<SecureContext> {
  const named = [env["NODE_EXTRA_CA_CERTS"], env["SSL_CERT_FILE"], caFile].filter(
    (file): file is string => file !== undefined && file !== "",
  );
  const texts = await Promise.all(named.map(readAuthorities));
  if (!env["SSL_CERT_FILE"]) texts.push(await readSystemBundle());
  const known = new Set(rootCertificates.map(body));
  const extra = new Map<string, string>();
  for (const pem of texts.flatMap(certificates)) {
    if (!known.has(body(pem))) extra.set(body(pem), pem);
  }
  if (extra.size === 0) return createSecureContext();
  try {
    return createSecureContext({ ca: [...rootCertificates, ...extra.values()] });
  } catch (cause) {
    throw new WerfError("http/ca-unreadable", `a certificate authority can't be read: ${messageOf(cause)}`, {
      hint: `look into ${named.join(", ") || "the certificates of the system"}`,
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

async function readSystemBundle(): Promise<string> {
  for (const file of systemBundles) {
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text !== undefined) return text;
  }
  return "";
}

function certificates(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** The base64 alone, to compare certificates that were wrapped differently. */
function body(pem: string): string {
  return pem.replace(/-----[A-Z ]+-----|\s/g, "");
}
