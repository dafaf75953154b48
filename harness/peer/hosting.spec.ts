import { expect, test } from "vitest";
import { foundRoom } from "./found.ts";
import { addHosting } from "./hosting.ts";
import { PeerKeys } from "./keys.ts";
import { type PeerRequest, Routes } from "./routes.ts";

const KEYS = new PeerKeys("peer-1:8448", "spec");
const BOB = "@bob:peer-1:8448";
const ALICE = "@alice:hs1:8448";

test("send_join is answered with the state and the servers before the join", async () => {
  let count = 0;
  const room = foundRoom({ creator: BOB }, KEYS, (prefix) => `${prefix}-${++count}`);
  const before = [...room.stateAt().values()].map((id) => room.pdu(id).json);
  const routes = new Routes();
  addHosting(routes, {
    signer: KEYS,
    room: () => room,
    rooms: () => [room],
    admit: async (_, json) => room.add(json),
    share: () => undefined,
  });
  const content = { membership: "join" };
  const join = room.build({ type: "m.room.member", stateKey: ALICE, sender: ALICE, content });
  const path = `/_matrix/federation/v2/send_join/${room.roomId}/${join.id}`;
  const request: PeerRequest = {
    method: "PUT",
    path,
    uri: path,
    query: new URLSearchParams(),
    headers: {},
    text: "",
    json: join.json,
    authorization: undefined,
    authProblem: undefined,
  };

  const reply = await routes.answer(request);

  expect(reply).toMatchObject({
    status: 200,
    json: { state: before, event: join.json, servers_in_room: ["peer-1:8448"] },
  });
  expect([...room.joinedServers()]).toEqual(["peer-1:8448", "hs1:8448"]);
});
