import { path } from "#harness/http/client";
import type { Peer } from "#harness/peer/peer";
import { check, type Mutant } from "#harness/world/check";
import { expectEqual, expectThat } from "#harness/world/expect";
import { altersRequest } from "#harness/world/mutants";
import type { Session } from "#harness/world/session";

const WELL_KNOWN = "/.well-known/matrix/server";
const PROFILE = "/_matrix/federation/v1/query/profile";

/** Lets the server find a peer and talk to it: for a profile, for keys, and to send a message. */
async function talk(alice: Session, peer: Peer): Promise<void> {
  const mallory = peer.user("mallory");
  await alice.get(path`/_matrix/client/v3/profile/${mallory}`);
  const roomId = await alice.createRoom({ preset: "public_chat" });
  const room = await peer.join(roomId, mallory, { via: alice.server.serverName });
  const sent = await alice.send(roomId, "to the peer");
  await peer.waitForPdu(room, "the message", ({ id }) => id === sent);
}

function namesAnother(to: string): Mutant {
  return altersRequest(
    `names another host to ${to}`,
    { to, path: PROFILE },
    { headers: { host: "other.example" } },
  );
}

function looksForFile(to: string): Mutant {
  return altersRequest(
    `looks for a well-known file of ${to}`,
    { to, path: PROFILE },
    { path: WELL_KNOWN },
  );
}

function expectStraight(peer: Peer): void {
  const paths = peer.requests.items.map((request) => request.path);
  expectThat(paths.includes(PROFILE), "a request for the profile", paths);
  expectThat(!paths.includes(WELL_KNOWN), "no request for a well-known file", paths);
  for (const { headers, uri } of peer.requests.items) {
    expectEqual(headers.host, peer.serverName, `the host of ${uri}`);
  }
}

check(
  "FED.disc.host-header",
  "the server goes straight to a name with a port",
  { mutant: [namesAnother("peer-*"), looksForFile("peer-*")] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer()]);

    await talk(alice, peer);

    expectStraight(peer);
  },
);

check(
  "FED.disc.host-header",
  "the server goes straight to an address",
  { mutant: [namesAnother("198.*"), looksForFile("198.*")] },
  async (world) => {
    const [alice, peer] = await Promise.all([world.user("alice"), world.peer({ kind: "address" })]);

    await talk(alice, peer);

    expectStraight(peer);
  },
);

check(
  "FED.disc.well-known",
  "the server asks the one that the well-known file names, in the name of the one that it looked for",
  {
    mutant: [
      {
        name: "goes on to the name itself",
        rules: [
          {
            match: { to: "peer-*", path: WELL_KNOWN },
            phase: "before",
            action: { kind: "answer", status: 404, body: {} },
          },
        ],
      },
      namesAnother("peer-*"),
      altersRequest(
        "signs for the delegate",
        { to: "peer-*", path: "/_matrix/federation/v1/send/*" },
        { headers: { authorization: "X-Matrix origin=a" } },
      ),
    ],
  },
  async (world) => {
    const [alice, peer] = await Promise.all([
      world.user("alice"),
      world.peer({ kind: "delegated" }),
    ]);

    await talk(alice, peer);

    // That what is signed is signed for the peer's own name is what every peer asks.
    for (const { headers, uri, authorization } of peer.requests.items) {
      const host = uri === WELL_KNOWN ? peer.serverName : peer.delegate;
      expectEqual(headers.host, host, `the host of ${uri}`);
      const destination = authorization?.destination ?? peer.serverName;
      expectEqual(destination, peer.serverName, `the destination of ${uri}`);
    }
  },
);
