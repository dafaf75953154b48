/**
 * The secure channel between two devices of a user, one of which is not signed in yet (MSC4108 §Secure channel): ECIES as the
 * crypto engine of Element's clients has it, over a session of MSC4388.
 */
import {
  type Curve25519PublicKey,
  Ecies,
  type EstablishedEcies,
  initAsync,
  QrCodeData,
  QrCodeIntent,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import { at, type JsonObject } from "#harness/match/json";
import { expectEqual, expectThat, fail } from "#harness/world/expect";
import type { ServerClient } from "#harness/world/session";
import type { World } from "#harness/world/world";
import { begin, beginner, contentOf, tokenOf, write } from "./rendezvous.ts";

const INITIATE = "MATRIX_QR_CODE_LOGIN_INITIATE";
const OK = "MATRIX_QR_CODE_LOGIN_OK";
const ARRIVAL_MS = 10_000;

/** One device's end of what both write into the session, in turns. */
class Line {
  readonly #world: World;
  readonly #client: ServerClient;
  readonly id: string;
  /** Of the last thing that was read or written. */
  #token: string;

  constructor(world: World, client: ServerClient, session: { id: string; token: string }) {
    this.#world = world;
    this.#client = client;
    this.id = session.id;
    this.#token = session.token;
  }

  async put(data: string): Promise<void> {
    this.#token = tokenOf(await write(this.#client, { id: this.id, token: this.#token }, data));
  }

  /** What the other device has written since. */
  async take(): Promise<string> {
    return await this.#world.eventually(
      async () => {
        const { data, token, response } = await contentOf(this.#client, this);
        expectThat(token !== this.#token, "something new in the session", data, response);
        this.#token = token;
        return data;
      },
      { deadlineMs: ARRIVAL_MS },
    );
  }
}

export class Channel {
  readonly #line: Line;
  readonly #ecies: EstablishedEcies;

  private constructor(line: Line, ecies: EstablishedEcies) {
    this.#line = line;
    this.#ecies = ecies;
  }

  /** Two ends that know that nobody else listens: the first has shown a QR code that the second has scanned. */
  static async between(world: World): Promise<readonly [shown: Channel, scanned: Channel]> {
    await initAsync();
    const first = new Ecies();
    const session = await begin(await beginner(world), "");
    const shown = new Line(world, world.anonymous(), session);
    const { clientUrl } = world.server();
    const code = QrCodeData.newMsc4388(
      first.public_key(),
      session.id,
      clientUrl,
      QrCodeIntent.Reciprocate,
    ).toBytes();

    const { publicKey, id } = scan(code);
    const { token } = await contentOf(world.anonymous(), { id });
    const scanned = new Line(world, world.anonymous(), { id, token });
    const outbound = new Ecies().establish_outbound_channel(publicKey, INITIATE);
    await scanned.put(outbound.initial_message);
    const initial = await shown.take();
    const inbound = readable(() => first.establish_inbound_channel(initial));
    expectEqual(inbound.message, INITIATE, "what opens the channel");
    await shown.put(inbound.channel.encrypt(OK));
    const agreed = await scanned.take();
    expectEqual(
      readable(() => outbound.channel.decrypt(agreed)),
      OK,
      "what agrees to it",
    );
    // The user enters on one device what the other shows.
    const codes = [inbound.channel, outbound.channel].map((end) =>
      end.check_code().toDigitNoLeadingZero(),
    );
    expectEqual(codes[0], codes[1], "the check code");
    return [new Channel(shown, inbound.channel), new Channel(scanned, outbound.channel)];
  }

  async send(message: JsonObject): Promise<void> {
    await this.#line.put(this.#ecies.encrypt(JSON.stringify(message)));
  }

  /** The next message of the other device, which has to be of this type. */
  async receive(type: string): Promise<JsonObject> {
    const data = await this.#line.take();
    const message: unknown = JSON.parse(readable(() => this.#ecies.decrypt(data)));
    expectEqual(at(message, "type"), type, "type of the message");
    return message as JsonObject;
  }
}

function scan(code: Uint8Array): { readonly publicKey: Curve25519PublicKey; readonly id: string } {
  const { publicKey, intentData } = QrCodeData.fromBytes(code);
  const { rendezvousId: id } = intentData.msc4388 ?? {};
  if (id === undefined) throw new TypeError("the QR code names no session");
  return { publicKey, id };
}

/** A server that changes what devices write makes it unreadable. */
function readable<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    fail("what the other device has written", `something that can not be read: ${String(error)}`);
  }
}
