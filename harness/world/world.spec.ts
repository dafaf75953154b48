import { expect, test } from "vitest";
import { createRandom } from "#harness/random";
import type { Control } from "./control.ts";
import type { DeploymentInfo, ServerInfo } from "./run-info.ts";
import { World } from "./world.ts";

function server(role: string, serverName: string): ServerInfo {
  const url = "http://127.0.0.1:9";
  return { role, place: role, serverName, clientUrl: url, federationUrl: url, capabilities: [] };
}

function worldOf(
  control: Partial<Control>,
  { servers, features }: Pick<DeploymentInfo, "servers" | "features">,
): World {
  return new World({
    requirement: "FED.sig.destination",
    check: "spec",
    deployment: {
      id: "main",
      name: "spec",
      topology: "two",
      isUniform: true,
      servers,
      features,
      appservice: { id: "", asToken: "", hsToken: "", senderLocalpart: "", prefix: "" },
    },
    control: control as Control,
    random: createRandom("spec"),
    signal: new AbortController().signal,
    timeoutScale: 1,
    propertySeconds: 0,
    accountSizes: [],
  });
}

test("a peer calls servers by their names, also where one is called as the role of another", async () => {
  const control: Pick<Control, "addPeer" | "removePeer"> = {
    addPeer: async () => ({ proxyPort: 9, ca: "" }),
    removePeer: async () => undefined,
  };
  const servers = [server("hs1", "hs2"), server("hs2", "hs1")];
  await using world = worldOf(control, { servers, features: ["fedpeer"] });
  const peer = await world.peer();
  expect(peer.client().serverName).toBe("hs2");
  expect(peer.client("hs1").serverName).toBe("hs1");
});

test("a fault between a server and its auth service needs that the gateway is between them", async () => {
  const control: Pick<Control, "addRule" | "removeRule"> = {
    addRule: async () => "rule",
    removeRule: async () => 1,
  };
  const auth = { role: "as1", place: "as1", kind: "mas", issuer: "", capabilities: [], faults: [] };
  const servers = [{ ...server("hs1", "hs1"), auth }];
  const cut = async (features: string[], from = "hs1") => {
    await using world = worldOf(control, { servers, features });
    const fault = await world.fault({ from, to: "as1" }, "before", { kind: "reset" });
    return await fault.end();
  };
  await expect(cut(["auth:killable"])).rejects.toThrow("past the gateway");
  expect(await cut(["auth:wired"])).toBe(1);
  expect(await cut(["auth:killable"], "client")).toBe(1);
});
