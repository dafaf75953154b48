/** The service beside a homeserver that only notes what it is told, behind a forwarder in the gateway's stead. */
import { request as forward } from "node:http";
import { contextForSpecs, jsonOf, listenForSpecs } from "#drivers/substrates/service-for-specs";
import type { RunningAuthService } from "#harness/deployment/auth-contract";
import { oidc } from "./index.ts";

export const SECRET = "shared-by-both";
const SHOWN = `Bearer ${SECRET}`;

export interface Told {
  readonly name: string;
  readonly body: Record<string, unknown>;
}

export interface ServiceForSpecs extends AsyncDisposable {
  readonly running: RunningAuthService;
  /** Issuer, ends in a slash. */
  readonly base: string;
  /** What the homeserver was told, oldest first. */
  readonly told: readonly Told[];
  /** What it was told of one user: names of the calls. */
  toldOf(localpart: string): readonly string[];
  /** A new account whose password is "secret". */
  newUser(): Promise<string>;
  /** Status of its answers from now on; of those to one call, when that is named. */
  answerWith(status: number, name?: string): void;
  /** Keeps its answers to one call back until what is returned is called. */
  hold(name: string): () => void;
  readonly logFile: string;
  readonly workFolder: string;
}

export async function startForSpecs(): Promise<ServiceForSpecs> {
  const stack = new AsyncDisposableStack();
  const context = contextForSpecs(stack, "as1", {
    text: "process:oidc",
    substrate: "process",
    driver: "oidc",
    options: new Map(),
  });
  const told: Told[] = [];
  let held: { readonly name: string; readonly isOver: Promise<void> } | undefined;
  let answers: { readonly status: number; readonly name?: string | undefined } = { status: 200 };
  const homeserver = await listenForSpecs(stack, async (request, response) => {
    const name = request.url?.split("/").at(-1) ?? "";
    told.push({ name, body: await jsonOf(request) });
    if (held?.name === name) await held.isOver;
    const { status, name: only = name } = answers;
    const isStranger =
      request.url?.startsWith("/_synapse/mas/") && request.headers.authorization !== SHOWN;
    response
      .writeHead(isStranger ? 403 : only === name ? status : 200, {
        "content-type": "application/json",
      })
      .end("{}");
  });
  let running: RunningAuthService | undefined;
  const base = await listenForSpecs(stack, (request, response) => {
    const { host, port } = running?.address() ?? {};
    const onward = forward(
      { host, port, path: request.url, method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  running = await oidc.start({
    ...context,
    publicBase: base,
    homeserver: { serverName: "hs1:8448", endpoint: homeserver },
    secret: SECRET,
  });
  const started = running;
  let users = 0;
  stack.defer(() => started[Symbol.asyncDispose]());
  return {
    running,
    base,
    told,
    toldOf: (localpart) =>
      told.filter(({ body }) => body.localpart === localpart).map(({ name }) => name),
    newUser: async () => {
      const localpart = `user${++users}`;
      await started.capabilities.managesAccounts?.createAccount(localpart, "secret");
      return localpart;
    },
    logFile: context.logFile,
    workFolder: context.workFolder,
    hold: (name) => {
      const { promise: isOver, resolve } = Promise.withResolvers<void>();
      held = { name, isOver };
      return () => {
        held = undefined;
        resolve();
      };
    },
    answerWith: (status, name) => {
      answers = { status, name };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
