import { expect, test } from "vitest";
import { GatewayUnderTest } from "#harness/gateway/gateway-under-test";
import { Peer } from "./peer.ts";

async function startPeer({ gateway, ca }: GatewayUnderTest): Promise<Peer> {
  let names = 0;
  return await Peer.start({
    name: "peer",
    signal: new AbortController().signal,
    timeoutScale: 1,
    nextName: (prefix) => `${prefix}-${++names}`,
    onExchange: () => undefined,
    homeserver: "hs1:8448",
    link: async (name, port) => ({
      proxyPort: await gateway.addPeer(name, { host: "127.0.0.1", port }, "check"),
      ca: ca.certificate,
    }),
    unlink: (name) => gateway.removePeer(name),
  });
}

test("sends one transaction at a time to a server, in order, and does not hold up others", async () => {
  const held: (() => void)[] = [];
  const bodies: string[] = [];
  await using under = await GatewayUnderTest.start((incoming, outgoing, body) => {
    bodies.push(body);
    const answer = () => outgoing.end("{}");
    if (incoming.headers.host === "hs1:8448") held.push(answer);
    else answer();
  });
  await using peer = await startPeer(under);
  const mallory = peer.user("mallory");
  const room = peer.createRoom({ creator: mallory });
  const joins = ["hs1", "hs2"].map((role) => `@alice:${role}:8448`);
  for (const sender of joins) {
    const content = { membership: "join" };
    room.add(room.build({ type: "m.room.member", stateKey: sender, sender, content }));
  }
  const say = (body: string) =>
    peer.send(room, { type: "m.room.message", sender: mallory, content: { body } });

  const sent = ["one", "two"].map(say);
  const toFirst = () => held.length;
  await expect.poll(() => bodies.length).toBe(3);
  expect(toFirst()).toBe(1);
  held[0]?.();
  await expect.poll(toFirst).toBe(2);
  held[1]?.();
  await Promise.all(sent);

  const said = bodies.map((body) => /"body":"(\w+)"/.exec(body)?.[1]);
  expect(said.toSorted()).toEqual(["one", "one", "two", "two"]);
  expect(said.at(-1)).toBe("two");
});
