import { expect, test } from "vitest";
import { answer } from "./answer.ts";
import { around, changed, held, html, refused, times, truncated, when } from "./lies.ts";
import { type Handler, type PeerRequest, Routes } from "./routes.ts";

const ROUTE = "GET /_matrix/federation/v1/event/{eventId}";

function request(path: string, method = "GET"): PeerRequest {
  return {
    method,
    path,
    uri: path,
    query: new URLSearchParams(),
    headers: {},
    text: "",
    json: undefined,
    authorization: undefined,
    authProblem: undefined,
  };
}

const EVENT = request("/_matrix/federation/v1/event/%24a%2Fb");

function truthful(...lies: readonly Handler[]): Routes {
  const routes = new Routes();
  routes.add(ROUTE, (_, { parameter }) => answer({ id: parameter("eventId") }));
  for (const lie of lies) routes.add(ROUTE, lie);
  return routes;
}

test("parts of the path are decoded", async () => {
  expect(await truthful().answer(EVENT)).toEqual(answer({ id: "$a/b" }));
});

test("what no route fits is answered by nobody", async () => {
  const routes = truthful();

  expect(await routes.answer(request(EVENT.path, "PUT"))).toBeUndefined();
  expect(await routes.answer(request(`${EVENT.path}/more`))).toBeUndefined();
});

test("the latest handler answers, counts, and can be taken away", async () => {
  const routes = truthful();
  const handle = routes.add(ROUTE, refused(403, "M_FORBIDDEN"));

  expect((await routes.answer(EVENT))?.status).toBe(403);
  expect(handle.calls).toBe(1);
  handle[Symbol.dispose]();
  expect((await routes.answer(EVENT))?.status).toBe(200);
});

test("lies are wrapped around the truth and around each other", async () => {
  const more = changed((body) => ({ ...body, more: 1 }));

  expect(await truthful(more).answer(EVENT)).toEqual(answer({ id: "$a/b", more: 1 }));
  expect(await truthful(around(more, () => answer({}))).answer(EVENT)).toEqual(answer({ more: 1 }));
  expect(await truthful(truncated()).answer(EVENT)).toMatchObject({
    raw: '{"id":"$a/b"}',
    cutAfter: 6,
  });
});

test("lies are told for some requests only", async () => {
  const once = truthful(times(1, html()));
  const never = truthful(when(({ method }) => method === "PUT", html()));

  expect((await once.answer(EVENT))?.headers).toEqual({ "content-type": "text/html" });
  expect(await once.answer(EVENT)).toEqual(answer({ id: "$a/b" }));
  expect(await never.answer(EVENT)).toEqual(answer({ id: "$a/b" }));
});

test("what is held is answered once it is released", async () => {
  const { handler, release } = held();
  const pending = truthful(handler).answer(EVENT);
  release();

  expect(await pending).toEqual(answer({ id: "$a/b" }));
});
