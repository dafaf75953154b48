/** The run's certificate authority: made anew for each run, lives in memory and in the run's work folder. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import * as x509 from "@peculiar/x509";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 60 * 60 * 1000;

export class CertificateAuthority {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS#8, EC P-256. */
  readonly privateKey: string;
  readonly #root: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;
  readonly #contexts = new Map<string, Promise<SecureContext>>();

  private constructor(root: x509.X509Certificate, keys: CryptoKeyPair, privateKey: string) {
    this.#root = root;
    this.#keys = keys;
    this.certificate = `${root.toString("pem")}\n`;
    this.privateKey = privateKey;
  }

  static async create(runId: string): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: "01",
      name: `CN=crucible ${runId}`,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 7 * DAY_MS),
      signingAlgorithm: KEY_ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new CertificateAuthority(root, keys, await exportKey(keys.privateKey));
  }

  /** TLS server context for a host name, signed by this authority; made once a name. */
  contextFor(host: string): Promise<SecureContext> {
    let context = this.#contexts.get(host);
    if (context === undefined) {
      context = this.#issue(host);
      this.#contexts.set(host, context);
    }
    return context;
  }

  async #issue(host: string): Promise<SecureContext> {
    const keys = await generateKeys();
    const isAddress = /^[0-9.]+$|:/.test(host);
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: webcrypto.randomUUID().replaceAll("-", "").slice(0, 16),
      subject: `CN=${host}`,
      issuer: this.#root.subject,
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 7 * DAY_MS),
      signingAlgorithm: KEY_ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: isAddress ? "ip" : "dns", value: host }]),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ],
    });
    return createSecureContext({
      cert: `${leaf.toString("pem")}\n${this.certificate}`,
      key: await exportKey(keys.privateKey),
    });
  }
}

type CryptoKeyPair = webcrypto.CryptoKeyPair;

function generateKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}/g, "$&\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}
