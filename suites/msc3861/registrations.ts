/** Registrations as checks send them: a valid one with something else in it, and what servers answer. */
import type { AuthClient } from "#harness/clients/oauth/auth-client";
import { clientIdIn, NATIVE_CLIENT, WEB_CLIENT } from "#harness/clients/oauth/registration";
import { authClient } from "#harness/clients/oauth/sign-in";
import type { HttpResponse } from "#harness/http/client";
import { at, type JsonObject } from "#harness/match/json";
import { expectThat, fail } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { expectOAuthError } from "./people.ts";

/** The host and its reversed form that the examples below are about. */
const BASE = { client_uri: "https://example.com/" };

export function web(...redirect_uris: readonly string[]): JsonObject {
  return { ...WEB_CLIENT, ...BASE, redirect_uris };
}

export function native(...redirect_uris: readonly string[]): JsonObject {
  return { ...NATIVE_CLIENT, ...BASE, redirect_uris };
}

export const VALID = web("https://example.com/callback");

/** The body with other members; undefined leaves one out. */
export function withMembers(members: JsonObject, body: JsonObject = VALID): JsonObject {
  return { ...body, ...members };
}

export function without(name: string, body: JsonObject = VALID): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([key]) => key !== name));
}

/** Registers each; all have to be taken. */
export async function expectTaken(
  world: World,
  ...bodies: readonly JsonObject[]
): Promise<readonly HttpResponse[]> {
  const auth = await authClient(world);
  const answers: HttpResponse[] = [];
  for (const body of bodies) {
    const answer = await auth.register(body);
    clientIdIn(answer);
    answers.push(answer);
  }
  return answers;
}

/** Registers each; all have to be refused with an error of RFC 7591. Codes other than expected are noted. */
export async function expectRefusals(
  world: World,
  codes: readonly string[],
  ...bodies: readonly JsonObject[]
): Promise<void> {
  const auth = await authClient(world);
  for (const body of bodies) await expectRefusal(world, auth, codes, body);
}

async function expectRefusal(
  world: World,
  auth: AuthClient,
  codes: readonly string[],
  body: JsonObject,
): Promise<void> {
  const response = await auth.register(body);
  if (response.status === 201)
    fail(`a refusal of ${JSON.stringify(body)}`, "a registration", response);
  const code = expectOAuthError(response, 400);
  if (!codes.includes(code)) world.note(`refused with ${code}, not with ${codes.join(" or ")}`);
}

/** Each is refused, or registered without this member. */
export async function expectRefusedOrDropped(
  world: World,
  ...cases: readonly { readonly member: string; readonly value: string }[]
): Promise<void> {
  const auth = await authClient(world);
  for (const { member, value } of cases) {
    const response = await auth.register(withMembers({ [member]: value }));
    if (response.status === 201) {
      const registered = at(response.json, member);
      expectThat(registered === undefined, `${member} refused or dropped`, registered, response);
    } else expectOAuthError(response, 400);
  }
}

/** A rule that the server may keep: taken or refused, which is noted. */
export async function expectTakenOrRefused(world: World, body: JsonObject): Promise<void> {
  const auth = await authClient(world);
  const response = await auth.register(body);
  if (response.status === 201) return world.note("the server is lenient: it registers the client");
  const code = expectOAuthError(response, 400);
  world.note(`the server is strict: it refuses with ${code}`);
}
