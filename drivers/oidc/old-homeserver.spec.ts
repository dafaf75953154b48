import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { Homeserver } from "./homeserver.ts";
import { oldCalls } from "./old-homeserver.ts";

test("a user and a device are told by the admin API", () => {
  expect(oldCalls("provision_user", { localpart: "al/ice", locked: true }, "hs1:8448")).toEqual([
    {
      method: "PUT",
      path: "_synapse/admin/v2/users/%40al%2Fice%3Ahs1%3A8448",
      body: { locked: true },
    },
  ]);
  const device = { localpart: "alice", device_id: "A", display_name: "Phone" };
  expect(
    oldCalls("upsert_device", device, "hs1").map(({ method, path }) => [method, path]),
  ).toEqual([
    ["POST", "_synapse/admin/v2/users/%40alice%3Ahs1/devices"],
    ["PUT", "_synapse/admin/v2/users/%40alice%3Ahs1/devices/A"],
  ]);
  expect(oldCalls("is_localpart_available?localpart=a%26b", undefined, "hs1")).toEqual([
    { method: "GET", path: "_synapse/admin/v1/username_available?username=a%26b" },
  ]);
});

/** A homeserver that notes what it is asked, and knows only what begins so. */
async function homeserver(known: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? "";
    asked.push(`${request.method} ${path}`);
    const isKnown = path.startsWith(known);
    response.statusCode = isKnown ? 200 : 404;
    response.end(JSON.stringify(isKnown ? {} : { errcode: "M_UNRECOGNIZED", error: "" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    calls: new Homeserver(`http://127.0.0.1:${port}/`, "secret", "hs1"),
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

test("a homeserver without calls for auth services is asked by the admin API, from the first refusal on", async () => {
  using old = await homeserver("/_synapse/admin/");

  await old.calls.provisionUser({ localpart: "alice" });
  await old.calls.upsertDevice("alice", "A");

  expect(old.asked).toEqual([
    "POST /_synapse/mas/provision_user",
    "PUT /_synapse/admin/v2/users/%40alice%3Ahs1",
    "POST /_synapse/admin/v2/users/%40alice%3Ahs1/devices",
  ]);
});

test("one that has them is asked by them alone", async () => {
  using current = await homeserver("/_synapse/mas/");

  await current.calls.provisionUser({ localpart: "alice" });

  expect(current.asked).toEqual(["POST /_synapse/mas/provision_user"]);
});

test("one that has neither is trouble", async () => {
  using neither = await homeserver("/none");

  await expect(neither.calls.provisionUser({ localpart: "alice" })).rejects.toThrow(
    "provision_user: the homeserver said 404",
  );
});
