/** For specs: a gateway between two servers that are played here, and senders that keep one connection. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ProxyAgent, request } from "undici";
import { CertificateAuthority } from "./ca.ts";
import type { Exchange } from "./exchange.ts";
import { Gateway, type ServerLinks } from "./gateway.ts";
import type { LocalRule } from "./rule.ts";

export type Answer = (incoming: IncomingMessage, outgoing: ServerResponse, body: string) => void;

export class GatewayUnderTest implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly ca: CertificateAuthority;
  readonly links: Readonly<Record<"hs1" | "hs2", ServerLinks>>;
  readonly trace: Exchange[];
  /** Requests whose head the servers have got, method and path. */
  readonly arriving: string[];
  /** Requests that they have got as a whole. */
  readonly received: string[];
  readonly #dispose: () => Promise<void>;

  private constructor(
    fields: Pick<GatewayUnderTest, "gateway" | "ca" | "links" | "trace" | "arriving" | "received">,
    dispose: () => Promise<void>,
  ) {
    this.gateway = fields.gateway;
    this.ca = fields.ca;
    this.links = fields.links;
    this.trace = fields.trace;
    this.arriving = fields.arriving;
    this.received = fields.received;
    this.#dispose = dispose;
  }

  /** @param answer how both servers answer. */
  static async start(answer: Answer): Promise<GatewayUnderTest> {
    const trace: Exchange[] = [];
    const arriving: string[] = [];
    const received: string[] = [];
    const ca = await CertificateAuthority.create("spec");
    const upstream = createServer(async (incoming, outgoing) => {
      arriving.push(`${incoming.method} ${incoming.url}`);
      let body = "";
      try {
        for await (const chunk of incoming) body += chunk;
      } catch {
        return;
      }
      received.push(`${incoming.method} ${incoming.url}`);
      answer(incoming, outgoing, body);
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const address = { host: "127.0.0.1", port: (upstream.address() as AddressInfo).port };
    const gateway = new Gateway({ name: "spec", ca, record: (exchange) => trace.push(exchange) });
    const links = { hs1: await gateway.addServer("hs1"), hs2: await gateway.addServer("hs2") };
    for (const role of ["hs1", "hs2"]) {
      gateway.connect(role, { client: () => address, federation: () => address });
    }
    return new GatewayUnderTest({ gateway, ca, links, trace, arriving, received }, async () => {
      await gateway[Symbol.asyncDispose]();
      upstream.closeAllConnections();
      upstream.close();
    });
  }

  /** What hs1 or hs2 sends to the other one, over one connection as long as that lasts. */
  sender(from: "hs1" | "hs2" = "hs1"): Sender {
    const to = from === "hs1" ? "hs2" : "hs1";
    const dispatcher = new ProxyAgent({
      uri: `http://127.0.0.1:${this.links[from].proxyPort}`,
      requestTls: { ca: this.ca.certificate },
      connections: 1,
    });
    return {
      send: async (path, options = {}) => {
        const { statusCode, body } = await request(`https://${to}:8448${path}`, {
          dispatcher,
          ...options,
        });
        return { status: statusCode, text: await body.text() };
      },
      [Symbol.asyncDispose]: () => dispatcher.destroy(),
    };
  }

  /** A rule of this name on the link from hs1 to hs2, unless it says otherwise. */
  add(rule: Pick<LocalRule, "phase" | "action"> & Partial<LocalRule>): string {
    return this.gateway.rules.add({ name: "rule", match: { from: "hs1", to: "hs2" }, ...rule });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dispose();
  }
}

export interface Sender extends AsyncDisposable {
  readonly send: (
    path: string,
    options?: { method?: "GET" | "PUT"; body?: string | Buffer; signal?: AbortSignal },
  ) => Promise<{ status: number; text: string }>;
}
