import { expect, test } from "vitest";
import { createRandom } from "#harness/random";
import type { Control } from "./control.ts";
import type { ServerInfo } from "./run-info.ts";
import { World } from "./world.ts";

function server(role: string, serverName: string): ServerInfo {
  const url = "http://127.0.0.1:9";
  return { role, place: role, serverName, clientUrl: url, federationUrl: url, capabilities: [] };
}

test("a peer calls servers by their names, also where one is called as the role of another", async () => {
  const control: Pick<Control, "addPeer" | "removePeer"> = {
    addPeer: async () => ({ proxyPort: 9, ca: "" }),
    removePeer: async () => undefined,
  };
  await using world = new World({
    requirement: "FED.sig.destination",
    check: "spec",
    deployment: {
      id: "main",
      name: "spec",
      topology: "two",
      isUniform: true,
      servers: [server("hs1", "hs2"), server("hs2", "hs1")],
      features: ["fedpeer"],
      appservice: { id: "", asToken: "", hsToken: "", senderLocalpart: "", prefix: "" },
    },
    control: control as Control,
    random: createRandom("spec"),
    signal: new AbortController().signal,
    timeoutScale: 1,
    propertySeconds: 0,
    accountSizes: [],
  });
  const peer = await world.peer();
  expect(peer.client().serverName).toBe("hs2");
  expect(peer.client("hs1").serverName).toBe("hs1");
});
