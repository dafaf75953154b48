/** The configuration of a LiveKit that we start: everything of it listens on loopback. */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import type { SfuStartContext } from "#harness/deployment/rtc-contract";

const KEY = "crucible";
/** Media, which LiveKit binds to the address of an interface: the one of loopback, see `rtc.interfaces`. */
const MEDIA_HOST = "127.0.0.1";

export const SETTINGS = [
  "room.auto_create off: who may not make rooms can not by joining",
  "media over UDP on loopback only, no STUN, no TCP",
];

export interface Configuration {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly content: string;
}

/** @param web where it listens for signalling and requests */
export async function configurationOf(
  { webhookUrl }: Pick<SfuStartContext, "webhookUrl">,
  web: { readonly host: string; readonly port: number },
): Promise<Configuration> {
  const apiSecret = randomBytes(24).toString("hex");
  const content = {
    port: web.port,
    bind_addresses: [web.host],
    rtc: {
      node_ip: MEDIA_HOST,
      udp_port: await freeUdpPort(),
      // It would listen on every address of the machine.
      tcp_port: 0,
      use_external_ip: false,
      enable_loopback_candidate: true,
      interfaces: { includes: loopbackInterfaces() },
      stun_servers: [],
    },
    keys: { [KEY]: apiSecret },
    // Otherwise any token makes the room that it is for, and whether its holder may make rooms does not matter.
    room: { auto_create: false },
    ...(webhookUrl === undefined ? {} : { webhook: { api_key: KEY, urls: [webhookUrl] } }),
    logging: { level: "info", json: false },
  };
  // JSON is YAML, and has no surprises in strings.
  return { apiKey: KEY, apiSecret, content: JSON.stringify(content, null, 1) };
}

/** `lo` on Linux, `lo0` on macOS. */
function loopbackInterfaces(): readonly string[] {
  return Object.entries(networkInterfaces())
    .filter(([, addresses]) => addresses?.some(({ address }) => address === MEDIA_HOST))
    .map(([name]) => name);
}

function freeUdpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, MEDIA_HOST, () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
