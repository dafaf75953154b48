/** Signing in a device by one that is signed in, from a QR code to secrets (MSC4108). */
import { makeDevice, makeIdentity, publishIdentity } from "#harness/clients/identities";
import { deviceScope } from "#harness/clients/oauth/scopes";
import { deviceName, sessionOf } from "#harness/clients/oauth/sign-in";
import { path } from "#harness/http/client";
import { at, textAt } from "#harness/match/json";
import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectStatus, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import { encodeBase64 } from "#protocol/events/base64";
import { publicKeyOf } from "#protocol/events/signatures";
import { askForCodes, decide, deviceClient, POLL, poll, readCodes } from "./device-grants.ts";
import { DEVICES, expectAlive, signedIn } from "./people.ts";
import { Channel } from "./qr-channel.ts";
import { SESSION } from "./rendezvous.ts";

const GRANT = "device_authorization_grant";
const KEYS = ["master", "self_signing", "user_signing"] as const;

check(
  "MSC3861.qr.end-to-end",
  "a device signs itself in, and its user's identity it, by one that shows a QR code",
  {
    mutant: [
      altersAnswer(
        "changes what devices say to each other",
        { method: "GET", path: SESSION, status: 200 },
        { set: { "/data": "AAAA" } },
      ),
      altersAnswer(
        "gives the device no tokens",
        { ...POLL, status: 200 },
        { status: 400, body: { error: "access_denied" } },
      ),
      altersAnswer(
        "knows the device before it is there",
        { method: "GET", path: `${DEVICES}/*`, status: 404 },
        { status: 200, body: { device_id: "claimed" } },
      ),
      altersAnswer(
        "loses the signature of the identity",
        { method: "POST", path: "/_matrix/client/v3/keys/query" },
        { remove: ["/device_keys/*/*/signatures"] },
      ),
    ],
  },
  async (world) => {
    const { session: old, person } = await signedIn(world);
    const identity = await publishIdentity(old);
    const [existing, fresh] = await Channel.between(world);

    // The new device is told where to ask, and asks.
    await existing.send({
      type: "m.login.protocols",
      protocols: [GRANT],
      homeserver: old.server.serverName,
    });
    await fresh.receive("m.login.protocols");
    const client = await deviceClient(world);
    const deviceId = deviceName(world);
    const scope = deviceScope(deviceId);
    const codes = readCodes(await askForCodes(client.auth, client.clientId, scope));
    await fresh.send({
      type: "m.login.protocol",
      protocol: GRANT,
      [GRANT]: { verification_uri: codes.verificationUri },
      device_id: deviceId,
    });

    // The existing one makes sure that the device is new, and its user says yes in a browser.
    const wanted = textAt(await existing.receive("m.login.protocol"), "device_id");
    const device = path`/_matrix/client/v3/devices/${wanted}`;
    expectMatrixError(await old.get(device), 404, "M_NOT_FOUND");
    await existing.send({ type: "m.login.protocol_accepted" });
    await fresh.receive("m.login.protocol_accepted");
    await decide(world, { ...codes, client }, person);
    const tokens = await poll({ ...codes, client });
    const { session } = sessionOf(world, person, { client, scope }, tokens);
    await fresh.send({ type: "m.login.success" });

    // It is there, so that it is trusted with the secrets; by them it signs itself.
    await existing.receive("m.login.success");
    expectStatus(await old.get(device), 200);
    await existing.send({
      type: "m.login.secrets",
      cross_signing: Object.fromEntries(
        KEYS.map((usage) => [`${usage}_key`, encodeBase64(identity.pairs[usage].secret)]),
      ),
    });
    const secrets = at(await fresh.receive("m.login.secrets"), "cross_signing");
    const pairs = Object.fromEntries(
      KEYS.map((usage) => {
        const secret = Buffer.from(textAt(secrets, `${usage}_key`), "base64");
        return [usage, { secret, publicKey: publicKeyOf(secret) }];
      }),
    );
    const own = makeIdentity(session, pairs);
    const { keys } = makeDevice(session);
    ok(await session.post("/_matrix/client/v3/keys/upload", { device_keys: keys }));
    const signed = own.sign(keys, "self_signing");
    ok(
      await session.post("/_matrix/client/v3/keys/signatures/upload", {
        [session.userId]: { [deviceId]: signed },
      }),
    );

    await expectAlive(session);
    const query = { device_keys: { [session.userId]: [] } };
    const answer = await old.post("/_matrix/client/v3/keys/query", query);
    const seen = at(ok(answer), "device_keys", session.userId, deviceId, "signatures");
    expectEqual(seen, signed.signatures, "the signatures of the new device", answer);
  },
);
