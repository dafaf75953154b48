import { check } from "#harness/world/check";
import { expectEqual, expectMatrixError, expectThat, ok } from "#harness/world/expect";
import { altersAnswer } from "#harness/world/mutants";
import {
  BYTES_AT_MOST,
  begin,
  beginner,
  CONCURRENT_WRITE,
  contentOf,
  RENDEZVOUS,
  SESSION,
  tokenOf,
  write,
} from "./rendezvous.ts";

const WRITE = { method: "PUT", path: SESSION };
const WRITERS = 8;

check(
  "MSC3861.qr.put-cas",
  "of writes with one token the server takes one",
  {
    mutant: [
      altersAnswer(
        "claims to take them all",
        { ...WRITE, status: 409 },
        {
          status: 200,
          body: { sequence_token: "claimed" },
        },
      ),
      altersAnswer(
        "takes none",
        { ...WRITE, status: 200 },
        {
          status: 409,
          body: { errcode: "M_CONCURRENT_WRITE", error: "no" },
        },
      ),
      altersAnswer(
        "answers M_UNKNOWN",
        { ...WRITE, status: 409 },
        {
          set: { "/errcode": "M_UNKNOWN" },
        },
      ),
      altersAnswer(
        "takes a stale write",
        { method: "GET", path: SESSION },
        {
          set: { "/data": "stale" },
        },
      ),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const session = await begin(await beginner(world));

    const token = tokenOf(await write(anybody, session, "first"));
    const stale = await write(anybody, session, "stale");
    const kept = await contentOf(anybody, session);
    const contents = Array.from({ length: WRITERS }, (_, writer) => `writer ${writer}`);
    const answers = await Promise.all(
      contents.map((data) => write(anybody, { ...session, token }, data)),
    );
    const last = await contentOf(anybody, session);

    expectMatrixError(stale, 409, CONCURRENT_WRITE);
    expectEqual(kept.data, "first", "data after a stale write", kept.response);
    const taken = contents.filter((_, writer) => answers[writer]?.status === 200);
    expectEqual(taken.length, 1, `writes taken of ${WRITERS} with one token`);
    for (const answer of answers)
      if (answer.status !== 200) expectMatrixError(answer, 409, CONCURRENT_WRITE);
    expectEqual(last.data, taken[0], "data after them", last.response);
  },
);

check(
  "MSC3861.qr.put-idempotent",
  "a write that is repeated is answered as before",
  {
    mutant: [
      altersAnswer(
        "gives another token",
        { ...WRITE, status: 200 },
        {
          set: { "/sequence_token": "another" },
        },
      ),
      altersAnswer(
        "writes it once more",
        { method: "GET", path: SESSION },
        {
          set: { "/sequence_token": "another" },
        },
      ),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const session = await begin(await beginner(world));

    const token = tokenOf(await write(anybody, session, "repeated"));
    const again = tokenOf(await write(anybody, session, "repeated"));

    const { token: current, data, response } = await contentOf(anybody, session);
    expectEqual(again, token, "token for the repeated write");
    expectEqual({ token: current, data }, { token, data: "repeated" }, "what it holds", response);
  },
);

check(
  "MSC3861.qr.token-changes",
  "each write changes the token, also one that changes nothing else",
  {
    mutant: altersAnswer(
      "keeps the token",
      { ...WRITE, status: 200 },
      {
        set: { "/sequence_token": "kept" },
      },
    ),
  },
  async (world) => {
    const anybody = world.anonymous();
    const session = await begin(await beginner(world), "same");

    const second = tokenOf(await write(anybody, session, "same"));
    const third = tokenOf(await write(anybody, { ...session, token: second }, "same"));

    const tokens = [session.token, second, third];
    expectEqual(new Set(tokens).size, tokens.length, "how many tokens there were");
    const { token, response } = await contentOf(anybody, session);
    expectEqual(token, third, "the current token", response);
  },
);

/** Two bytes in UTF-8. */
const WIDE = "é";

check(
  "MSC3861.qr.size",
  "the server takes 4096 bytes and not more, counted as bytes",
  {
    mutant: [
      altersAnswer(
        "begins with more",
        { path: RENDEZVOUS, status: 413 },
        {
          status: 200,
          body: { id: "claimed", sequence_token: "claimed", expires_in_ms: 120_000 },
        },
      ),
      altersAnswer(
        "writes more",
        { ...WRITE, status: 413 },
        {
          status: 200,
          body: { sequence_token: "claimed" },
        },
      ),
      altersAnswer("counts characters", { contains: WIDE, status: 413 }, { status: 200 }),
      altersAnswer(
        "takes less",
        { contains: "a".repeat(BYTES_AT_MOST), status: 200 },
        {
          status: 413,
        },
      ),
    ],
  },
  async (world) => {
    const anybody = world.anonymous();
    const client = await beginner(world);
    const fits = ["a".repeat(BYTES_AT_MOST), WIDE.repeat(BYTES_AT_MOST / 2)];
    const exceeds = ["a".repeat(BYTES_AT_MOST + 1), `a${WIDE.repeat(BYTES_AT_MOST / 2)}`];

    for (const data of fits) {
      const session = await begin(client, data);
      expectEqual((await contentOf(anybody, session)).data, data, "what it holds");
      ok(await write(anybody, session, data));
    }
    const session = await begin(client);
    for (const data of exceeds) {
      expectMatrixError(await client.post(RENDEZVOUS, { data }), 413, "M_TOO_LARGE");
      expectMatrixError(await write(anybody, session, data), 413, "M_TOO_LARGE");
    }

    const { data } = await contentOf(anybody, session);
    expectThat(data === "begun", "what it held before", data);
  },
);
