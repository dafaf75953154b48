/**
 * What an encrypting client did, one JSON object a line, for whoever has to find a lost key later. It tells ids, public keys
 * and digests: never a secret, never a plaintext, and nothing that a schema here does not name.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { HarnessError } from "#harness/errors";

const text = z.string().max(1024);
/** `digest` of a ciphertext, an access token or a position in a stream. */
const digested = z.string().regex(/^[0-9a-f]{64}$/);
const device = { user: text, device: text };
/** Id of the exchange in the gateway's trace. */
const exchange = { exchange: text.optional() };

const parcel = z.strictObject({
  id: digested,
  sender: text,
  isPreKey: z.boolean(),
  /** Once the engine has taken it in: whether it could be decrypted, and if not, why. */
  outcome: z.enum(["decrypted", "failed"]).optional(),
  reason: text.optional(),
});

const withheld = z.strictObject({ room: text.optional(), session: text.optional(), code: text });

/** To-device messages that the engine has made, and for whom. */
const requests = z.array(
  z.strictObject({
    txn: text,
    type: text,
    targets: z.array(
      z.strictObject({
        ...device,
        parcel: digested.optional(),
        isPreKey: z.boolean().optional(),
        /** Code of the `m.room_key.withheld` that it gets instead. */
        withheld: text.optional(),
      }),
    ),
  }),
);

/** What clients do, by the name of the deed. */
const deeds = {
  /** An engine came up. */
  start: {
    kind: z.enum(["raw", "wasm", "js-sdk", "nio"]),
    /** `new`: empty; `kept`: as it was left; `restored`: from a snapshot. */
    store: z.enum(["new", "kept", "restored"]),
    snapshot: text.optional(),
    sync: z.enum(["v3", "sliding"]),
    share: z.enum(["all", "identity", "trusted"]),
    read: z.enum(["untrusted", "legacy", "cross-signed"]),
    curve25519: text,
    ed25519: text,
    /** `digest` of the access token: tells which requests are its own. */
    token: digested.optional(),
    /** `digest` of the position from which it will sync. */
    since: digested.optional(),
  },
  stop: { how: z.enum(["graceful", "kill"]) },
  snapshot: { name: text },
  /** A cross-signing identity was made or replaced. */
  bootstrap: { reset: z.boolean() },
  /** A sync answer came: nothing of it is in the engine yet. */
  got: {
    ...exchange,
    since: digested.optional(),
    next: digested,
    parcels: z.array(parcel),
    withheld: z.array(withheld),
    changed: z.array(text),
    left: z.array(text),
    counts: z.record(text, z.number()).optional(),
    unusedFallback: z.array(text).optional(),
  },
  /** The engine has taken in what the answer with this `next` brought. */
  took: { next: digested, parcels: z.array(parcel) },
  /** The position was kept: the next sync has the server forget what came before it. */
  acknowledged: { next: digested },
  /** The engine wants a request sent. */
  wants: { request: text, id: text.optional() },
  /** It was sent, and what came of it is in the engine, or not. */
  did: {
    ...exchange,
    request: text,
    id: text.optional(),
    status: z.number().optional(),
    error: text.optional(),
  },
  /** The devices of these users are in the engine as `POST /keys/query` told them. */
  knows: {
    ...exchange,
    asked: z.array(text),
    devices: z.array(
      z.strictObject({
        ...device,
        curve25519: text.optional(),
        /** `user|key id` of each signature. */
        signatures: z.array(text),
      }),
    ),
    /** Users with a self-signing key, and its public half. */
    identities: z.array(z.strictObject({ user: text, master: text, selfSigning: text.optional() })),
    failures: z.array(text),
  },
  /** `POST /keys/claim`: for whom, and which keys it handed out. */
  claimed: {
    ...exchange,
    asked: z.array(z.strictObject(device)),
    keys: z.array(z.strictObject({ ...device, key: text })),
    failures: z.array(text),
  },
  /** The engine has made the messages that share a room's session; whether they were sent is told by `did`. */
  shares: {
    room: text,
    session: text.optional(),
    /** Whom the caller named: members as the client knew them. */
    users: z.array(text),
    requests,
  },
  /** A bundle of a room's keys for who is to be invited (MSC4268), and what tells of it. `isEmpty`: no key may be shared. */
  bundles: { room: text, to: text, isEmpty: z.boolean(), requests },
  /** It was to take in the bundle that somebody has sent. `unknown`: the engine has none of that inviter. */
  unbundled: {
    room: text,
    from: text,
    outcome: z.enum(["imported", "unknown", "not-downloaded", "refused"]),
  },
  sent: { ...exchange, room: text, event: text, session: text, index: z.number().optional() },
  read: {
    room: text,
    event: text,
    session: text,
    index: z.number().optional(),
    isReadable: z.boolean(),
    /** In the words of the library. */
    code: text.optional(),
    withheld: text.optional(),
  },
} as const;

type Deed = keyof typeof deeds;

const head = { t: text, seq: z.number(), at: z.number(), ...device };

const schemas = Object.fromEntries(
  Object.entries(deeds).map(([t, fields]) => [
    t,
    z.strictObject({ ...head, t: z.literal(t), ...fields }),
  ]),
) as unknown as { [D in Deed]: z.ZodType<Entry<D>> };

/** What is told of a deed. */
export type Told<D extends Deed> = z.infer<z.ZodObject<(typeof deeds)[D]>>;

/** A line of the log. */
export type Entry<D extends Deed = Deed> = {
  [K in D]: Told<K> & {
    readonly t: K;
    /** Rising within a file. */
    readonly seq: number;
    /** Epoch milliseconds. */
    readonly at: number;
    readonly user: string;
    readonly device: string;
  };
}[D];

/** Writes what one device does. Each line is on disk when the call returns: a killed client has told all that it did. */
export class ClientLog {
  readonly file: string;
  readonly #who: { readonly user: string; readonly device: string };
  #seq = 0;

  /** @param file may be there already: a client that starts again goes on in it */
  constructor(file: string, who: { readonly user: string; readonly device: string }) {
    this.file = file;
    this.#who = { user: who.user, device: who.device };
  }

  /** @throws ZodError when something is told that has no place in the log */
  tell<D extends Deed>(t: D, told: Told<D>): void {
    const line = { t, seq: this.#seq++, at: Date.now(), ...this.#who, ...told };
    schemas[t].parse(line);
    appendFileSync(this.file, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }
}

/**
 * A log as it was written; a last line that a kill has cut is left out.
 *
 * @throws HarnessError BAD_FILE with file and line
 */
export function readClientLog(file: string): readonly Entry[] {
  if (!existsSync(file)) {
    throw new HarnessError("BAD_FILE", {
      what: `there is no ${file}`,
      next: "name a log that a client of harness/clients/crypto has written",
    });
  }
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.flatMap((line, at): Entry[] => {
    if (line === "") return [];
    try {
      return [entryOf(JSON.parse(line))];
    } catch (cause) {
      if (at === lines.length - 1) return [];
      throw new HarnessError("BAD_FILE", {
        what: `${file}:${at + 1}: ${cause instanceof z.ZodError ? z.prettifyError(cause) : "no JSON"}`,
        next: "a client's log has one JSON object a line, as harness/clients/crypto/client-log.ts has them",
        cause,
      });
    }
  });
}

function entryOf(value: unknown): Entry {
  const { t } = z.looseObject({ t: z.enum(Object.keys(deeds) as [Deed, ...Deed[]]) }).parse(value);
  return schemas[t].parse(value);
}
