import { webcrypto } from "node:crypto";

/** An authority of a test's own. */
export interface TestAuthority {
  /** PEM. */
  readonly certificate: string;
  /** Key and certificate (PEM) of a server with these names; an address among them is taken as one. */
  issue(...names: string[]): Promise<{ readonly key: string; readonly cert: string }>;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const lifetimeMs = 24 * 60 * 60 * 1000;

export async function createTestAuthority(): Promise<TestAuthority> {
  const { BasicConstraintsExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } =
    await loadX509();
  const keys = await generateKeys();
  const validity = {
    notBefore: new Date(Date.now() - lifetimeMs),
    notAfter: new Date(Date.now() + lifetimeMs),
  };
  const authority = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=Authority of a test",
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  });
  return {
    certificate: authority.toString("pem"),
    async issue(...names) {
      const own = await generateKeys();
      const certificate = await X509CertificateGenerator.create({
        serialNumber: "02",
        subject: `CN=${names[0] ?? "nobody"}`,
        issuer: authority.subject,
        ...validity,
        signingKey: keys.privateKey,
        publicKey: own.publicKey,
        signingAlgorithm: algorithm,
        extensions: [
          new SubjectAlternativeNameExtension(
            names.map((value) => ({
              type: /^[\d.]+$/.test(value) ? ("ip" as const) : ("dns" as const),
              value,
            })),
          ),
        ],
      });
      return { key: await privateKeyPem(own.privateKey), cert: certificate.toString("pem") };
    },
  };
}

async function loadX509(): Promise<typeof import("@peculiar/x509")> {
  // The library's injector insists on reflect-metadata; for its own few classes it needs none of it.
  const nothing = (): undefined => undefined;
  Object.assign(Reflect, { getMetadata: nothing, getOwnMetadata: nothing, defineMetadata: nothing });
  return import("@peculiar/x509");
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return `-----BEGIN PRIVATE KEY-----\n${bytes.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
}
