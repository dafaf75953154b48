/** matrix-js-sdk as applications use it, with its own loop: what is decided above the crypto engine is decided by it. */
import { randomBytes } from "node:crypto";
import { createClient, type MatrixClient } from "matrix-js-sdk";
import type { CryptoApi } from "matrix-js-sdk/lib/crypto-api/index.js";
import { fetch } from "undici";
import { uploadingKeysOf } from "#harness/clients/crypto/js-sdk/upload-keys";
import { HarnessError } from "#harness/errors";
import type { Session } from "#harness/world/session";

export class Application implements AsyncDisposable {
  readonly session: Session;
  readonly #client: MatrixClient;
  #storageKey: [keyId: string, key: Uint8Array<ArrayBuffer>] | undefined;

  private constructor(session: Session) {
    this.session = session;
    const { server, userId, deviceId, accessToken, context } = session;
    this.#client = createClient({
      baseUrl: server.clientUrl,
      userId,
      deviceId,
      accessToken,
      cryptoCallbacks: {
        getSecretStorageKey: async () => this.#storageKey ?? null,
        cacheSecretStorageKey: (keyId, _info, key) => {
          this.#storageKey = [keyId, key];
        },
      },
      fetchFn: (async (input: string | URL, init: { headers?: object } = {}) => {
        const headers = { ...init.headers, "x-crucible-check": context.check };
        const response = await fetch(input, { ...init, headers });
        return new Response(await response.text(), {
          status: response.status,
          headers: [...response.headers],
        });
      }) as never,
    });
  }

  /** Syncs by itself from now on. */
  static async start(session: Session): Promise<Application> {
    const application = new Application(session);
    await application.#client.initRustCrypto({ useIndexedDB: false });
    await application.#client.startClient({ initialSyncLimit: 1 });
    return application;
  }

  get crypto(): CryptoApi {
    const crypto = this.#client.getCrypto();
    if (crypto === undefined) throw new HarnessError("INTERNAL", { what: "no crypto in js-sdk" });
    return crypto;
  }

  /** All that a user is asked for at the first login: an identity, secret storage under a passphrase, and a backup. */
  async setUp(): Promise<void> {
    const { crypto, session } = this;
    await crypto.bootstrapCrossSigning({
      authUploadDeviceSigningKeys: uploadingKeysOf(session),
    });
    await crypto.bootstrapSecretStorage({
      createSecretStorageKey: () =>
        crypto.createRecoveryKeyFromPassphrase(randomBytes(16).toString("hex")),
      setupNewSecretStorage: true,
      setupNewKeyBackup: true,
    });
  }

  /** Backs up without the wait of up to ten seconds by which applications spare a server. */
  backUpAtOnce(): void {
    const { backupManager } = this.crypto as unknown as { backupManager: object };
    Object.assign(backupManager.constructor, { maxBackupLoopStartDelayMillis: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.stopClient();
  }
}
