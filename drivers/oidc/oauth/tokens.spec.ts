import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Accounts } from "../store/accounts.ts";
import { openDatabase } from "../store/database.ts";
import { Sessions, type TokenPair } from "../store/sessions.ts";
import { type Refreshed, Tokens } from "./tokens.ts";

let sessions: Sessions;
let accounts: Accounts;
let tokens: Tokens;
let first: TokenPair;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const database = openDatabase(":memory:");
  sessions = new Sessions(database);
  accounts = new Accounts(database);
  tokens = new Tokens(sessions, accounts);
  accounts.add("alice", "secret");
  sessions.add({
    id: "s",
    kind: "oauth",
    localpart: "alice",
    clientId: "c",
    deviceId: "D",
    scope: "urn:matrix:client:api:*",
  });
  sessions.open("s");
  first = sessions.addPair({ sessionId: "s", expiresInS: 300, withRefreshToken: true });
});

afterEach(() => {
  vi.useRealTimers();
});

const wait = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const refresh = ({ refreshToken = "" }: TokenPair) => tokens.refresh(refreshToken, () => true);
const isActive = ({ accessToken }: TokenPair) => tokens.introspect(accessToken).active;

function pairOf(refreshed: Refreshed): TokenPair {
  if (refreshed.kind !== "refreshed") throw new Error(refreshed.kind);
  return refreshed.pair;
}

test("a refresh can be repeated while what it gave is unused, however late", () => {
  pairOf(refresh(first));
  wait(3_600);
  const second = pairOf(refresh(first));
  expect(isActive(second)).toBe(true);
});

test("the first use of a new access token ends the old refresh token", () => {
  const second = pairOf(refresh(first));
  expect(isActive(second)).toBe(true);
  expect(refresh(first).kind).toBe("refused");
});

test("the first use of a new refresh token ends the old one", () => {
  const second = pairOf(refresh(first));
  pairOf(refresh(second));
  expect(refresh(first).kind).toBe("refused");
});

test("two refreshes at once leave one chain", () => {
  const [one, other] = [pairOf(refresh(first)), pairOf(refresh(first))];
  expect(isActive(one)).toBe(true);
  expect(isActive(other)).toBe(false);
  expect(refresh(other).kind).toBe("refused");
  pairOf(refresh(one));
});

test("a replaced refresh token that comes late gives the session away", () => {
  isActive(pairOf(refresh(first)));
  wait(60);
  expect(refresh(first)).toMatchObject({ kind: "reused", session: { id: "s" } });
});

test("a refresh token of two refreshes ago gives the session away at once", () => {
  const second = pairOf(refresh(first));
  isActive(second);
  expect(refresh(first).kind).toBe("refused");
  isActive(pairOf(refresh(second)));
  expect(refresh(first)).toMatchObject({ kind: "reused", session: { id: "s" } });
});

test("the old access token lives on until it expires", () => {
  const second = pairOf(refresh(first));
  isActive(second);
  expect(isActive(first)).toBe(true);
  wait(300);
  expect(isActive(first)).toBe(false);
  expect(isActive(second)).toBe(false);
});

test("nobody refreshes the session of another client, nor one that has ended", () => {
  expect(tokens.refresh(String(first.refreshToken), () => false).kind).toBe("refused");
  expect(tokens.refresh("nonsense", () => true).kind).toBe("refused");
  expect(tokens.refresh(first.accessToken, () => true).kind).toBe("refused");
  sessions.end("s", false);
  expect(refresh(first).kind).toBe("refused");
  expect(isActive(first)).toBe(false);
});

test("tells the homeserver what it reads of a token, and the device only where the scope names none", () => {
  const told = {
    active: true,
    scope: "urn:matrix:client:api:*",
    username: "alice",
    sub: "alice",
    token_type: "Bearer",
  };
  expect(tokens.introspect(first.accessToken)).toEqual({
    ...told,
    client_id: "c",
    expires_in: 300,
    exp: first.expiresAt,
  });
  const common = { localpart: "alice", clientId: undefined, scope: "urn:matrix:client:api:*" };
  sessions.add({ ...common, id: "legacy", kind: "compat", deviceId: "L" });
  sessions.add({ ...common, id: "bare", kind: "personal", deviceId: undefined });
  const answers = ["legacy", "bare"].map((id) => {
    sessions.open(id);
    return tokens.introspect(
      sessions.addPair({ sessionId: id, withRefreshToken: false }).accessToken,
    );
  });
  expect(answers).toEqual([{ ...told, device_id: "L" }, told]);
});

test("tokens of a deactivated account are inactive, also while its sessions have not ended", () => {
  accounts.setDeactivated("alice", true);
  expect(tokens.introspect(first.accessToken)).toEqual({ active: false });
});

test("a refresh token is no access token", () => {
  expect(tokens.introspect(String(first.refreshToken))).toEqual({ active: false });
});

test("tokens of a locked account are inactive, and its session can be refreshed", () => {
  accounts.setLocked("alice", true);
  expect(isActive(first)).toBe(false);
  const second = pairOf(refresh(first));
  accounts.setLocked("alice", false);
  expect(isActive(second)).toBe(true);
});
