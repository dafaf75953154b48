/** What there is for calls besides what a homeserver advertises: an SFU, and the two ways to a token for it. */
import { whyNoMedia } from "#harness/clients/rtc/media/works";
import { createClient, type HttpClient } from "#harness/http/client";
import type { DeployedRtcAuth, DeployedSfu } from "./rtc-services.ts";

const STABLE_TOKEN = "/_matrix/client/v1/rtc/livekit/get_token";
const UNSTABLE_TOKEN = "/_matrix/client/unstable/io.element.msc4195/rtc/livekit/get_token";

const OPENID_FORM = [
  ["/get_token", "rtc-auth"],
  ["/delegate_delayed_leave", "rtc-auth:delegation"],
] as const;

/** It answers requests about tokens, whatever it says of this one. */
export async function probeSfu(sfu: DeployedSfu | undefined, features: Set<string>): Promise<void> {
  if (sfu === undefined) return;
  const client = createClient({ baseUrl: sfu.base.replace(/\/$/, "") });
  const { status } = await client.request("GET", "/rtc/validate");
  if (status === 200 || status === 401) features.add("sfu");
}

/** Participants with media run on this machine: a matter of ours, and of use only with an SFU. */
export async function probeMedia(
  sfu: DeployedSfu | undefined,
  features: Set<string>,
): Promise<void> {
  if (sfu !== undefined && (await whyNoMedia()) === undefined) features.add("media");
}

/** Requests without anything are refused as such, by a service that knows the endpoint. */
export async function probeRtcAuth(
  rtc: DeployedRtcAuth | undefined,
  features: Set<string>,
): Promise<void> {
  if (rtc === undefined) return;
  const client = createClient({ baseUrl: rtc.links.publicBase.replace(/\/$/, "") });
  for (const [path, feature] of OPENID_FORM) {
    const { status } = await client.request("POST", path, { body: {} });
    if (status === 400) features.add(feature);
  }
}

/** @param client of a user */
export async function probeRtcToken(client: HttpClient, features: Set<string>): Promise<void> {
  for (const path of [STABLE_TOKEN, UNSTABLE_TOKEN]) {
    const { status } = await client.request("POST", path, { body: {} });
    if (status !== 400) continue;
    features.add("rtc-token");
    if (path === STABLE_TOKEN) features.add("rtc-token:stable");
  }
}
