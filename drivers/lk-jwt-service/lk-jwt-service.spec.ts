/** What the driver gives the program and what it makes of it, by a stand-in for it. */
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { contextForSpecs } from "#drivers/substrates/service-for-specs";
import { parseServerSpec } from "#harness/config/driver-spec";
import type { RtcAuthStartContext } from "#harness/deployment/rtc-contract";
import { lkJwtService } from "./index.ts";

/** Writes down its environment, and is well. */
const STAND_IN = `#!${process.execPath}
if (!process.env.LIVEKIT_FULL_ACCESS_HOMESERVERS) process.exit(1);
const [host, port] = process.env.LIVEKIT_JWT_BIND.split(":");
require("node:fs").writeFileSync("environment.json", JSON.stringify(process.env));
require("node:http").createServer((_, response) => response.end()).listen(Number(port), host);
`;

const specOf = (text: string) =>
  parseServerSpec(text, {
    flag: "--rtc-auth",
    drivers: ["lk-jwt-service"],
    examples: { process: "process:lk-jwt-service=a", docker: "docker:a", url: "url:http://a" },
  });

test("tells the program all that it needs, and its secret in a file of its own", async () => {
  await using stack = new AsyncDisposableStack();
  const base = contextForSpecs(stack, "rtc1", specOf("process:lk-jwt-service=none"));
  const program = path.join(path.dirname(base.workFolder), "stand-in");
  writeFileSync(program, STAND_IN);
  chmodSync(program, 0o700);
  const context: RtcAuthStartContext = {
    ...base,
    spec: specOf(`process:lk-jwt-service=${program}`),
    publicBase: "http://127.0.0.1:1/",
    homeserver: {
      serverName: "hs1:8448",
      endpoint: "http://127.0.0.1:2/",
      federation: "http://127.0.0.1:3/",
    },
    proxy: { port: 4, caFile: "/run/ca.crt" },
    sfu: { websocketUrl: "ws://127.0.0.5:6", apiKey: "key", apiSecret: "secret" },
    registration: { asToken: "as", hsToken: "hs" },
  };
  await lkJwtService.prepare(context.spec, context);
  const service = await lkJwtService.start(context);
  stack.use(service);

  const { workFolder } = context;
  const environment = JSON.parse(readFileSync(path.join(workFolder, "environment.json"), "utf8"));
  const { host, port } = service.address();
  const keys = path.join(workFolder, "keys");
  expect(environment).toMatchObject({
    LIVEKIT_URL: "ws://127.0.0.5:6",
    LIVEKIT_KEY_FILE: keys,
    LIVEKIT_JWT_BIND: `${host}:${port}`,
    LIVEKIT_FULL_ACCESS_HOMESERVERS: "hs1:8448",
    LIVEKIT_CS_API_URL_OVERRIDES: "hs1:8448=http://127.0.0.1:2",
    HTTPS_PROXY: "http://127.0.0.1:4",
    SSL_CERT_FILE: "/run/ca.crt",
  });
  expect(Object.values(environment)).not.toContain("secret");
  expect(readFileSync(keys, "utf8")).toBe("key:secret");
  expect(statSync(keys).mode & 0o077).toBe(0);
  expect(service.capabilities).not.toHaveProperty("keepsDelegations");
  expect(await service.capabilities.startsBare?.startBare()).toBe("exit code 1");
  await service[Symbol.asyncDispose]();
  expect(existsSync(workFolder)).toBe(false);
});

test("does not start what is not there", async () => {
  const { signal } = new AbortController();
  const preparing = lkJwtService.prepare(specOf("process:lk-jwt-service=/nowhere/service"), {
    signal,
    progress: () => undefined,
  });
  await expect(preparing).rejects.toThrow("there is no program /nowhere/service");
});
