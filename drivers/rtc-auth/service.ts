/** The service: its parts put together, and which request goes where. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { WebhookReceiver } from "livekit-server-sdk";
import { Delegations } from "./delegations.ts";
import { Departures } from "./departures.ts";
import { type Faults, faultsOf } from "./faults.ts";
import {
  clientBody,
  federationBody,
  HomeserverForm,
  delegateBody as ownDelegateBody,
} from "./homeserver-form.ts";
import { Homeservers } from "./homeservers.ts";
import { answer, isSame, Refusal, readBody, readJson } from "./http.ts";
import { delegateBody, getTokenBody, OpenidForm, sfuGetBody } from "./openid-form.ts";
import { Rates } from "./rates.ts";
import type { ServiceSettings } from "./settings.ts";
import { Sfu } from "./sfu.ts";

const PROXIED =
  /^\/_matrix\/(client|federation)\/(?:v1|unstable\/io\.element\.msc4195)\/rtc\/livekit\/(\w+)$/;

type Handler = (request: IncomingMessage, faults: Faults) => Promise<unknown>;

export function makeService(settings: ServiceSettings): Server {
  const homeservers = new Homeservers(settings);
  const sfu = new Sfu(settings.sfu);
  const delegations = new Delegations(homeservers, sfu, settings.storeFile);
  const departures = new Departures(homeservers, sfu);
  const parts = { settings, homeservers, sfu, rates: new Rates(), delegations, departures };
  const openid = new OpenidForm(parts);
  const own = new HomeserverForm(parts);
  const webhooks = new WebhookReceiver(settings.sfu.apiKey, settings.sfu.apiSecret);

  const posts: Readonly<Record<string, Handler>> = {
    "/get_token": async (request, faults) =>
      openid.getToken(await readJson(request, getTokenBody), faults),
    "/sfu/get": async (request, faults) =>
      openid.sfuGet(await readJson(request, sfuGetBody), faults),
    "/delegate_delayed_leave": async (request, faults) =>
      openid.delegate(await readJson(request, delegateBody), faults),
    "/sfu_webhook": async (request, faults) => {
      const body = await readBody(request);
      const { authorization } = request.headers;
      const skips = faults.has("skip-signature-check");
      const { event, room, participant } = await webhooks
        .receive(body, authorization, skips)
        .catch(() => {
          throw new Refusal(401, "M_UNAUTHORIZED", "the SFU has not signed this");
        });
      if (room === undefined || participant === undefined) return {};
      if (event === "participant_joined")
        delegations.told(room.name, participant.identity, "joined");
      if (event === "participant_left" || event === "participant_connection_aborted")
        delegations.told(room.name, participant.identity, "left");
      return {};
    },
  };

  const proxied = async (
    request: IncomingMessage,
    api: string,
    name: string,
    faults: Faults,
  ): Promise<unknown> => {
    const { registration } = settings;
    const { authorization = "", ...headers } = request.headers;
    if (registration === undefined || !isSame(authorization, `Bearer ${registration.hsToken}`))
      throw new Refusal(403, "M_FORBIDDEN", "only its homeserver may ask this");
    const userId = headers["x-matrix-user-identifier"];
    const origin = headers["x-matrix-origin"];
    if (api === "client" && typeof userId === "string") {
      if (name === "get_token")
        return own.clientToken(userId, await readJson(request, clientBody), faults);
      if (name === "delegate_delayed_leave")
        return own.delegate(userId, await readJson(request, ownDelegateBody), faults);
    }
    if (api === "federation" && typeof origin === "string" && name === "get_token")
      return own.federationToken(origin, await readJson(request, federationBody), faults);
    throw new Refusal(404, "M_UNRECOGNIZED", "there is no such endpoint");
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<unknown> => {
    const [path = ""] = (request.url ?? "").split("?");
    const { method = "" } = request;
    const faults = faultsOf(request, settings.takesFaults === true);
    const [, api, name] = PROXIED.exec(path) ?? [];
    if (api !== undefined && name !== undefined) {
      if (method !== "POST") throw new Refusal(405, "M_UNRECOGNIZED", "only POST is known here");
      return await proxied(request, api, name, faults);
    }
    // Clients are web pages of any origin.
    response.setHeader("access-control-allow-origin", "*");
    if (path === "/healthz") {
      if (method === "GET" || method === "HEAD") return {};
      throw new Refusal(405, "M_UNRECOGNIZED", "only GET and HEAD are known here");
    }
    const post = posts[path];
    if (post === undefined) throw new Refusal(404, "M_UNRECOGNIZED", "there is no such endpoint");
    if (method === "OPTIONS") {
      response.setHeader("access-control-allow-methods", "POST, OPTIONS");
      response.setHeader("access-control-allow-headers", "content-type, authorization");
      return {};
    }
    if (method !== "POST") throw new Refusal(405, "M_UNRECOGNIZED", "only POST is known here");
    return await post(request, faults);
  };

  return createServer(async (request, response) => {
    try {
      answer(response, 200, await handle(request, response));
    } catch (error) {
      if (error instanceof Refusal) {
        const { status, errcode, message } = error;
        answer(response, status, { errcode, error: message });
      } else {
        console.error(error);
        answer(response, 500, { errcode: "M_UNKNOWN", error: "the service has failed" });
      }
    }
    request.resume();
  });
}
