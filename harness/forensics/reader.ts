/** Which facts an exchange tells, by its route. */
import type { Exchange } from "#harness/gateway/exchange";
import { tokenDigest } from "#harness/gateway/message";
import { pathMatches } from "#harness/gateway/rule";
import { at } from "#harness/match/json";
import type { Fact } from "./facts.ts";
import { carriedIn, transactionIn } from "./federation-facts.ts";
import { claimIn, queryIn, sessionsIn, signaturesIn, toDeviceIn, uploadIn } from "./key-facts.ts";
import { creationIn, membershipIn, membersIn, sentIn } from "./room-facts.ts";
import { isSlidingSync, shownIn, slidingSyncIn, syncIn } from "./sync-facts.ts";
import { text, type View, viewOf } from "./view.ts";

type Route = readonly [method: string, path: string, read: (view: View) => readonly Fact[]];

/** The version is `v3`, `r0` or a prefix of something unstable. */
const CLIENT = "/_matrix/client/**";

const ROUTES: readonly Route[] = [
  ["POST", `${CLIENT}/keys/upload`, (view) => [uploadIn(view)]],
  ["POST", `${CLIENT}/keys/query`, (view) => [queryIn(view)]],
  ["POST", `${CLIENT}/keys/claim`, (view) => [claimIn(view)]],
  ["POST", `${CLIENT}/keys/signatures/upload`, (view) => [signaturesIn(view)]],
  ["PUT", `${CLIENT}/sendToDevice/*/*`, (view) => [toDeviceIn(view)]],
  ["GET", `${CLIENT}/sync`, syncIn],
  ["PUT", `${CLIENT}/rooms/*/send/*/*`, sentIn],
  [
    "GET",
    `${CLIENT}/rooms/*/event/*`,
    (view) => shownIn(view, view.path.at(-3) ?? "", view.answer),
  ],
  ["GET", `${CLIENT}/rooms/*/members`, membersIn],
  ["POST", `${CLIENT}/rooms/*/*`, membershipIn],
  ["POST", `${CLIENT}/join/*`, membershipIn],
  ["POST", `${CLIENT}/createRoom`, creationIn],
  ["PUT", `${CLIENT}/room_keys/keys/**`, (view) => backupIn(view, "stored")],
  ["PUT", `${CLIENT}/room_keys/keys`, (view) => backupIn(view, "stored")],
  ["GET", `${CLIENT}/room_keys/keys/**`, (view) => backupIn(view, "fetched")],
  ["GET", `${CLIENT}/room_keys/keys`, (view) => backupIn(view, "fetched")],
  ["POST", `${CLIENT}/login`, loginIn],
  ["POST", `${CLIENT}/register`, loginIn],
  ["PUT", "/_matrix/federation/*/send/*", (view) => [transactionIn(view)]],
];

/** @param n its place in the order of arrival */
export function factsIn(exchange: Exchange, n: number): readonly Fact[] {
  const [path = ""] = exchange.path.split("?", 1);
  const route = ROUTES.find(
    ([method, pattern]) => method === exchange.method && pathMatches(pattern, path),
  );
  const isSliding = exchange.method === "POST" && isSlidingSync(path.split("/"));
  const isFederated = path.startsWith("/_matrix/federation/");
  if (route === undefined && !isSliding && !isFederated) return [];
  const view = viewOf(exchange, n);
  return [
    ...(isSliding ? slidingSyncIn(view) : (route?.[2](view) ?? [])),
    ...(isFederated ? carriedIn(exchange, view) : []),
  ];
}

function backupIn(view: View, how: "stored" | "fetched"): readonly Fact[] {
  const { moment, path, request, answer, got } = view;
  const body = how === "stored" ? got : answer;
  if (body === undefined) return [];
  const [room, session] = path.slice(path.indexOf("keys") + 1);
  const sessions =
    room === undefined
      ? sessionsIn(body.rooms)
      : session === undefined
        ? sessionsIn({ [room]: how === "stored" ? request : body })
        : [{ room, session }];
  return [{ ...moment, kind: "backup", how, sessions }];
}

function loginIn({ moment, answer }: View): readonly Fact[] {
  const [user, device] = [text(answer?.user_id), text(answer?.device_id)];
  if (user === undefined || device === undefined) return [];
  const token = text(at(answer, "access_token"));
  // The gateway has scrubbed it, other recorders have not.
  const isWhole = token !== undefined && !token.startsWith("<");
  return [
    { ...moment, kind: "login", user, device, token: isWhole ? tokenDigest(token) : undefined },
  ];
}
