/** Faults that are known, on real servers with real clients: forensics has to name each by its root and its step. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DeploymentForSpecs } from "#cli/deployment-for-specs";
import { explainFiles } from "#harness/forensics/explain-files";
import { pageOf } from "#harness/forensics/page";
import { AT_ENDS } from "./faults-at-ends.ts";
import { OF_HISTORY } from "./faults-of-history.ts";
import { ON_THE_WAY } from "./faults-on-the-way.ts";
import { HELLO, Scene } from "./scene.ts";

let servers: DeploymentForSpecs;

beforeAll(async () => {
  servers = await DeploymentForSpecs.start("two");
}, 600_000);

afterAll(async () => {
  await servers?.[Symbol.asyncDispose]();
});

describe("each fault is named by its root and its step", () => {
  test.each(Object.entries({ ...AT_ENDS, ...ON_THE_WAY, ...OF_HISTORY }))(
    "%s",
    { timeout: 300_000 },
    async (_name, { root, step, act }) => {
      await using world = servers.world("CS.keys.claim");
      const scene = new Scene(world, servers.folder, databases());
      try {
        const { event, reader } = await act(scene);
        const room = [...world.rooms.keys()].at(-1) ?? "";
        const result = await read(scene, reader, event);
        expect(result, room).toMatchObject({ isReadable: false });
        await traceHas(world.exchanges.at(-1));
        const target = { user: reader.userId, device: reader.deviceId };
        const [utd] = await explainFiles([servers.traceFile, ...scene.logs], [{ event, target }]);
        if (utd === undefined) throw new TypeError("no verdict");
        expectNoSecrets(scene, JSON.stringify(utd));
        const found = { root: utd.root, step: utd.failedStep };
        expect(found, pageOf(utd)).toEqual({ root, step });
      } finally {
        for (const client of scene.clients) await client[Symbol.asyncDispose]();
      }
    },
  );
});

async function read(scene: Scene, reader: Parameters<Scene["session"]>[0], event: string) {
  for (const roomId of [...scene.world.rooms.keys()].reverse()) {
    const response = await scene
      .session(reader)
      .get(
        `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(event)}`,
      );
    if (response.status === 200) return reader.read(roomId, event);
  }
  throw new TypeError(`nobody knows ${event}`);
}

/** Neither tokens nor what was said, in any record and in the verdict. */
function expectNoSecrets(scene: Scene, verdict: string): void {
  const logs = scene.logs.map((log) => readFileSync(log, "utf8"));
  const records = [...logs, verdict, readFileSync(servers.traceFile, "utf8")].join("\n");
  for (const { accessToken } of scene.sessions.values()) expect(records).not.toContain(accessToken);
  expect(records).not.toContain(HELLO.body);
  expect(logs.join("\n")).not.toContain("session_key");
}

/** The gateway writes the last exchange when it has been answered. */
async function traceHas(exchange: string | undefined): Promise<void> {
  await expect
    .poll(() => readFileSync(servers.traceFile, "utf8").includes(`"id":"${exchange}"`))
    .toBe(true);
}

function databases(): ReadonlyMap<string, string> {
  const files = readdirSync(servers.folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".db"),
  );
  return new Map(
    ["hs1", "hs2"].flatMap((role) => {
      const file = files.find((name) => name.includes(role));
      return file === undefined ? [] : [[role, path.join(servers.folder, file)] as const];
    }),
  );
}
