/** The service beside a homeserver and an SFU that only note what they are asked. */
import path from "node:path";
import { contextForSpecs, jsonOf, listenForSpecs } from "#drivers/substrates/service-for-specs";
import type { RtcAuthStartContext, RunningRtcAuth } from "#harness/deployment/rtc-contract";
import { createClient, type HttpClient } from "#harness/http/client";
import { rtcAuth } from "./index.ts";

export const SERVER = "hs1:8448";
export const SFU = { websocketUrl: "wss://sfu.example", apiKey: "key", apiSecret: "s".repeat(32) };
export const HS_TOKEN = "shown-by-the-homeserver";

export interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
}

export interface ServiceForSpecs extends AsyncDisposable {
  readonly running: RunningRtcAuth;
  /** With which it was started. */
  readonly context: RtcAuthStartContext;
  readonly client: HttpClient;
  /** What the homeserver and the SFU were asked, oldest first. */
  readonly asked: readonly Asked[];
  /** Whom an OpenID token belongs to; who is in which room; delayed events; who is on the SFU; what another server answers. */
  readonly world: {
    readonly subjects: Map<string, string>;
    readonly joined: Set<string>;
    readonly delayed: Map<
      string,
      readonly { delay_id: string; room_id: string; delay_ms: number }[]
    >;
    readonly connected: Set<string>;
    remote: { status: number; content: unknown };
  };
  readonly logFile: string;
  readonly workFolder: string;
}

export async function startForSpecs(): Promise<ServiceForSpecs> {
  const stack = new AsyncDisposableStack();
  const asked: Asked[] = [];
  const world: ServiceForSpecs["world"] = {
    subjects: new Map(),
    joined: new Set(),
    delayed: new Map(),
    connected: new Set(),
    remote: { status: 200, content: { jwt: "of-another" } },
  };
  const answerTo = (url: URL, body: Record<string, unknown>): [number, unknown] => {
    const { pathname, searchParams } = url;
    if (pathname.endsWith("/openid/userinfo")) {
      const sub = world.subjects.get(searchParams.get("access_token") ?? "");
      return sub === undefined ? [401, { errcode: "M_UNKNOWN_TOKEN" }] : [200, { sub }];
    }
    if (pathname.endsWith("/is_joined")) {
      const room = decodeURIComponent(pathname.split("/").at(-2) ?? "");
      return [200, { joined: world.joined.has(`${searchParams.get("mxid")} ${room}`) }];
    }
    if (pathname.endsWith("/fed_proxy")) return [200, world.remote];
    if (pathname.endsWith("/delayed_events"))
      return [200, { delayed_events: world.delayed.get(searchParams.get("user_id") ?? "") ?? [] }];
    if (pathname.endsWith("/GetParticipant")) {
      const { identity = "" } = body as { identity?: string };
      return world.connected.has(identity) ? [200, { identity }] : [404, { code: "not_found" }];
    }
    return [200, {}];
  };
  const base = await listenForSpecs(stack, async (request, response) => {
    const body = await jsonOf(request);
    const url = new URL(request.url ?? "/", "http://any");
    asked.push({ path: url.pathname, body });
    const [status, content] = answerTo(url, body);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(content));
  });
  const context: RtcAuthStartContext = {
    ...contextForSpecs(stack, "rtc1", {
      text: "process:rtc-auth",
      substrate: "process",
      driver: "rtc-auth",
      options: new Map(),
    }),
    publicBase: base,
    homeserver: { serverName: SERVER, endpoint: base, federation: base },
    proxy: { port: 1, caFile: path.join(import.meta.dirname, "settings.ts") },
    sfu: { ...SFU, endpoint: base },
    registration: { asToken: "shown-by-the-service", hsToken: HS_TOKEN },
  };
  const running = await rtcAuth.start(context);
  stack.defer(() => running[Symbol.asyncDispose]());
  const { host, port } = running.address();
  return {
    running,
    context,
    client: createClient({ baseUrl: `http://${host}:${port}` }),
    asked,
    world,
    logFile: context.logFile,
    workFolder: context.workFolder,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
