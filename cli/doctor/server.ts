/** Probes of a deployment: the driver contract and five things that every check stands on. */
import type { Deployment } from "#harness/deployment/deployment";
import { describe } from "#harness/errors";
import { createClient, type HttpClient, path } from "#harness/http/client";
import { at } from "#harness/match/json";
import type { Probe } from "./machine.ts";

/** Runs in order; each builds on the one before, and the first failure ends them. */
export async function probeDeployment(deployment: Deployment): Promise<readonly Probe[]> {
  const probes: Probe[] = [];
  for (const { role, server, links } of deployment.servers.values()) {
    const anonymous = createClient({ baseUrl: links.clientUrl });
    let client: HttpClient = anonymous;
    let userId = "";
    const steps: [string, () => Promise<string>][] = [
      [
        "versions",
        async () => {
          const { json } = await anonymous.request("GET", "/_matrix/client/versions");
          return `up to ${String((at(json, "versions") as string[] | undefined)?.at(-1))}`;
        },
      ],
      [
        "register",
        async () => {
          const registered = await server.capabilities.registersUsers?.register(
            `doctor-${crypto.randomUUID().slice(0, 8)}`,
            crypto.randomUUID(),
          );
          if (registered === undefined) throw new Error("the driver can not make users");
          client = createClient({ baseUrl: links.clientUrl, accessToken: registered.accessToken });
          userId = registered.userId;
          return userId;
        },
      ],
      [
        "whoami",
        async () =>
          expectText(await client.request("GET", "/_matrix/client/v3/account/whoami"), "user_id"),
      ],
      [
        "room",
        async () =>
          expectText(
            await client.request("POST", "/_matrix/client/v3/createRoom", { body: {} }),
            "room_id",
          ),
      ],
      [
        "sync",
        async () =>
          expectText(await client.request("GET", "/_matrix/client/v3/sync"), "next_batch"),
      ],
    ];
    const { restartable, hasLogs } = server.capabilities;
    if (restartable !== undefined) {
      steps.push([
        "restart keeps data",
        async () => {
          await restartable.restart();
          const profile = await client.request("GET", path`/_matrix/client/v3/profile/${userId}`);
          if (profile.status !== 200) throw new Error(`the user is gone: ${profile.status}`);
          return "the user is still there";
        },
      ]);
    }
    if (hasLogs !== undefined) {
      steps.push(["logs", async () => `${(await hasLogs.tail(1000)).length} lines`]);
    }
    for (const [name, step] of steps) {
      try {
        probes.push({ name: `${role}: ${name}`, state: "ok", detail: await step() });
      } catch (error) {
        probes.push({
          name: `${role}: ${name}`,
          state: "fail",
          detail: describe(error),
          next: "see the server's log",
        });
        break;
      }
    }
  }
  return probes;
}

function expectText(
  response: { status: number; json: unknown; text: string },
  key: string,
): string {
  const value = at(response.json, key);
  if (response.status === 200 && typeof value === "string") return value;
  throw new Error(`status ${response.status}: ${response.text.slice(0, 200)}`);
}
