/** An lk-jwt-service that we start: as a child process, or from an image such as the official one. Its environment configures it. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { serveContainer } from "#drivers/substrates/docker/served";
import { freeAddress } from "#drivers/substrates/process/address";
import { serve } from "#drivers/substrates/process/served";
import type { Address } from "#harness/deployment/contract";
import type {
  RtcAuthCapabilities,
  RtcAuthStartContext,
  RunningRtcAuth,
} from "#harness/deployment/rtc-contract";
import { startBare } from "./bare.ts";

const HEALTH = "/healthz";
const KEYS = "/etc/lk-jwt-service/keys";
const AUTHORITY = "/etc/lk-jwt-service/ca.crt";

interface Started extends AsyncDisposable {
  readonly capabilities: RtcAuthCapabilities;
}

export function startProcess(
  context: RtcAuthStartContext,
  program: string,
): Promise<RunningRtcAuth> {
  return start(context, async (keys, address) => {
    const plan = {
      command: program,
      args: [],
      cwd: context.workFolder,
      env: environmentOf(context, address, { keys, authority: context.proxy.caFile }),
      address,
      path: HEALTH,
    };
    const { child, capabilities } = await serve(context, plan);
    return {
      capabilities: {
        ...capabilities,
        startsBare: {
          startBare: async () => {
            await child.kill();
            return await startBare(context, plan);
          },
        },
      },
      [Symbol.asyncDispose]: () => child.kill(),
    };
  });
}

export function startContainer(context: RtcAuthStartContext): Promise<RunningRtcAuth> {
  return start(context, (keys, address) =>
    serveContainer(context, {
      image: context.spec.image ?? "",
      args: [],
      configuration: keys,
      target: KEYS,
      also: [{ file: context.proxy.caFile, target: AUTHORITY }],
      env: Object.entries(
        environmentOf(context, address, { keys: KEYS, authority: AUTHORITY }),
      ).map((pair) => pair.join("=")),
      address,
      path: HEALTH,
    }),
  );
}

/** As its README has it, and Go's ways to a proxy and to an authority: it finds servers by their names, as anywhere. */
function environmentOf(
  { homeserver, proxy, sfu }: RtcAuthStartContext,
  { host, port }: Address,
  files: { readonly keys: string; readonly authority: string },
): Readonly<Record<string, string>> {
  const { serverName, endpoint } = homeserver;
  return {
    LIVEKIT_URL: sfu.websocketUrl,
    LIVEKIT_KEY_FILE: files.keys,
    LIVEKIT_JWT_BIND: `${host}:${port}`,
    LIVEKIT_FULL_ACCESS_HOMESERVERS: serverName,
    // Newer than v0.5.0, which does not act on delayed events.
    LIVEKIT_CS_API_URL_OVERRIDES: `${serverName}=${endpoint.replace(/\/$/, "")}`,
    HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
    SSL_CERT_FILE: files.authority,
  };
}

async function start(
  context: RtcAuthStartContext,
  run: (keys: string, address: Address) => Promise<Started>,
): Promise<RunningRtcAuth> {
  const { role, workFolder, sfu } = context;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(workFolder, { recursive: true, force: true }));
  await mkdir(workFolder, { recursive: true });
  const address = await freeAddress();
  const keys = path.join(workFolder, "keys");
  await writeFile(keys, `${sfu.apiKey}:${sfu.apiSecret}`, { mode: 0o600 });
  const { capabilities } = stack.use(await run(keys, address));
  const owned = stack.move();
  return {
    role,
    kind: "lk-jwt-service",
    address: () => address,
    settings: ["lk-jwt-service has no store: it keeps what is left to it in memory"],
    capabilities,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
