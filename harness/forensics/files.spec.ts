/** From files to a page: a run's folder, HAR files of elsewhere, what an overlay is, and what hostile text may do. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { digest } from "#harness/clients/crypto/parcel";
import type { Exchange } from "#harness/gateway/exchange";
import { explainFiles } from "./explain-files.ts";
import { ALICE, BOB, came, EVENT, INBOX, OLM, ready, SENT, shared } from "./hand-written.ts";
import { overlayOf } from "./overlay.ts";
import { pageOf } from "./page.ts";

const folder = mkdtempSync(path.join(tmpdir(), "forensics-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lost = () =>
  shared()
    .sync(60, BOB, {}, { said: INBOX, rules: ["strip"] })
    .sync(61, BOB, {}, { since: "s60" });

function file(name: string, lines: readonly unknown[]): string {
  const place = path.join(folder, name);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return place;
}

/** As a proxy between one client and its server saves it. */
function har(name: string, exchanges: readonly Exchange[]): string {
  const entries = exchanges.map(
    ({ at, durationMs, method, path: target, client, request, response, status }) => ({
      startedDateTime: new Date(at).toISOString(),
      time: durationMs,
      request: {
        method,
        url: `https://matrix.example.org${target}`,
        headers: [{ name: "Authorization", value: `Bearer secret_${client}` }],
        postData: { mimeType: "application/json", text: request.body },
      },
      response: { status: status ?? 0, content: { text: response?.body } },
    }),
  );
  const place = path.join(folder, name);
  writeFileSync(place, JSON.stringify({ log: { version: "1.2", entries } }));
  return place;
}

test("a run's folder has its traces and the logs of its clients, and a line that is being written is left out", async () => {
  const story = lost().read(70);
  const trace = file("run/trace/main.ndjson", story.exchanges);
  writeFileSync(trace, '{"id":"t#99","pa', { flag: "a" });
  file(
    "run/clients/all.ndjson",
    story.entries.filter(({ t }) => t === "read"),
  );
  const counts: number[] = [];
  const utds = await explainFiles([path.join(folder, "run")], [{ event: EVENT }], (count) =>
    counts.push(count),
  );
  expect(utds).toMatchObject([{ root: "todevice.lost-downstream", failedStep: 7, target: BOB }]);
  expect(counts).toHaveLength(story.exchanges.length);
});

test("a log names exchanges as the trace does, beside whatever other traces", async () => {
  const got = { next: digest("s60"), parcels: [], withheld: [], changed: [], left: [] };
  const story = came()
    .tell(61, BOB, "got", { exchange: "t#9", ...got })
    .read(70);
  file("two/trace/main.ndjson", story.exchanges);
  file("two/trace/isolated-1.ndjson", []);
  file(
    "two/clients/bob.ndjson",
    story.entries.filter(({ t }) => t === "got" || t === "read"),
  );
  const given = [path.join(folder, "two")];
  const target = BOB;
  const [utd] = await explainFiles(given, [{ event: EVENT, target }]);
  expect(utd?.root).toBe("todevice.acked-not-processed");
});

test("two HAR files of elsewhere are enough: who is who is told by tokens, of which none is shown", async () => {
  const story = ready()
    .put(41, ALICE, { content: OLM })
    .send(SENT)
    .sync(60, BOB, {})
    .sync(61, BOB, {}, { since: "s60" });
  const of = (device: string) => story.exchanges.filter(({ client }) => client === device);
  const files = [har("alice.har", of("ALICE")), har("bob.har", of("BOB"))];
  const question = { event: EVENT, target: BOB, native: { code: "MissingRoomKey" } };
  const [utd] = await explainFiles(files, [question]);
  expect(utd).toMatchObject({ root: "todevice.lost-server", failedStep: 7, isSure: false });
  expect(utd?.steps.flatMap(({ exchanges }) => exchanges)).toContain("alice#3");
  expect(JSON.stringify(utd)).not.toContain("secret");
});

test.each([
  ["what is not there", [path.join(folder, "none")], /there is no .*none/],
  ["another kind of file", [file("other.json", [{ a: 1 }])], /is no trace of the gateway/],
  [
    "logs alone",
    [file("log.ndjson", ready().tell(1, BOB, "stop", { how: "kill" }).entries)],
    /no trace in/,
  ],
  ["a broken trace", [file("broken.ndjson", [...ready().exchanges, 1, 2])], /broken\.ndjson:7/],
])("%s is refused with its place", async (_, given, message) => {
  await expect(explainFiles(given, [{ event: EVENT }])).rejects.toThrow(message);
});

test("what users and servers wrote is text on the page", async () => {
  const evil = { user: "@bob<img src=x>`|*:hs1", device: "B\u202eOB](javascript:x)\n# Root" };
  const story = ready(evil).send(SENT).read(70, { code: "<script>`x`</script>" }, evil);
  const page = pageOf(await story.explain());
  expect(page).not.toMatch(/(?<!\\)<(?:img|script)/);
  expect(page).not.toContain("\u202e");
  expect(page).not.toMatch(/(?<!\\)\]\(/);
  expect(page.split("\n").filter((line) => line.startsWith("# "))).toHaveLength(1);
});

test("an overlay is a replay: parcels with their way, and a note at the event", async () => {
  const utd = await lost().read(70).explain();
  const lines = overlayOf([utd], "spec");
  expect(lines.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(lines).toMatchObject([
    { t: "meta", format: "mx-replay", version: 1, rooms: [utd.room] },
    {
      t: "parcel",
      from: "@alice:hs1|ALICE",
      to: "@bob:hs1|BOB",
      root: "todevice.lost-downstream",
      hops: [
        { kind: "up", outcome: "came" },
        { kind: "down", outcome: "lost" },
      ],
    },
    { t: "note", event_id: EVENT },
  ]);
});
