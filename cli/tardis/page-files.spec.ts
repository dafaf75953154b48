/** What pages hold of files, read out of them again. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { generatePlan } from "#chaos/generate/generate";
import { chooseFaults, chooseOperations, choosePartitions } from "#chaos/generate/vocabulary";
import { simulate } from "#chaos/simulation/simulate";
import { ROOT } from "#cli/run/session";
import { type FileText, loadRun } from "#tardis/formats/load";
import { checkIds } from "#tardis/model/check-ids";
import { historyOf } from "#tardis/model/room-of-run";
import type { Run } from "#tardis/model/run";
import { failingMoment } from "#tardis/view/failing-moment";
import { Session } from "#tardis/view/session";
import { type PageOptions, pageOf } from "./page-files.ts";

const ROOMS = path.join(ROOT, "scenarios/stories/rooms");
const ALL = "crucible tardis serve story.replay.ndjson";

/** The files of a page, and what the command was told of it. */
async function paged(files: readonly FileText[], options: Partial<PageOptions> = {}) {
  const page = await pageOf("<data>/*DATA*/</data>", files, { all: ALL, ...options });
  const data = /<data>(.*)<\/data>/s.exec(page.html)?.[1] ?? "";
  const held = JSON.parse(gunzipSync(Buffer.from(data, "base64")).toString()) as FileText[];
  return { ...page, held, text: held.map(({ text }) => text).join("\n") };
}

function room(name: string): FileText {
  return { name, text: readFileSync(path.join(ROOMS, name), "utf8") };
}

async function story(): Promise<FileText> {
  const plan = generatePlan({
    seed: 5,
    servers: 3,
    rooms: 2,
    versions: ["12", "11"],
    operations: chooseOperations(undefined),
    faults: chooseFaults(["all"]),
    partitions: choosePartitions(undefined),
    epochs: 6,
    operationsPerEpoch: 20,
  });
  const { records } = await simulate(plan, { seed: 5 });
  const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
  return { name: "story.replay.ndjson", text };
}

/** What the rules make of each event: the states around it, and why not. */
function judged(run: Run): ReadonlyMap<string, unknown> {
  return new Map(
    run.rooms.flatMap((one) => {
      const history = historyOf(run, one);
      return history.events.map(({ event, before, after, rejection }) => [
        event.id,
        [history.named(before), history.named(after), rejection?.rule],
      ]);
    }),
  );
}

test("what is too large is cut to a window, whose events come out as in the whole", async () => {
  const file = await story();
  const whole = await loadRun([file]);

  const { text, held, kept } = await paged([file], { mostBytes: file.text.length / 60 });

  const cut = await loadRun(held);
  expect(kept).toBeLessThan(whole.pdus.length / 2);
  expect(cut.problems).toEqual([]);
  const window = cut.pdus.filter(({ eventId }) => !cut.cut.aside.has(eventId));
  expect(window.length).toBe(kept);
  const failed = whole.pdus[failingMoment(whole)?.row ?? -1]?.eventId;
  expect(window.map(({ eventId }) => eventId)).toContain(failed);
  const [own, all] = [judged(cut), judged(whole)];
  for (const { eventId } of window) expect(own.get(eventId), eventId).toEqual(all.get(eventId));
  expect(cut.faults.length).toBe(whole.faults.length);
  const { notice } = (await Session.open(held)).load();
  expect(notice).toBe(
    `cut to ${cut.pdus.length} of ${whole.pdus.length} events about the failure; all of it: ${ALL}`,
  );
  expect((await paged([file], { mostBytes: file.text.length / 60 })).text).toBe(text);
  expect((await paged([file])).text).toBe(file.text);
});

test("without what people wrote ids and rules stay, and the page says so", async () => {
  const file = room("netsplit.replay.ndjson");
  const whole = await loadRun([file]);
  const words = /"(?:body|topic)":|is anybody there|expected 403/;
  expect(file.text).toMatch(words);

  const { held, text } = await paged([file], { isBlank: true });

  expect(text.match(words)).toBe(null);
  const run = await loadRun(held);
  expect(checkIds(run)).toMatchObject({ matching: whole.pdus.length, differing: [] });
  expect(judged(run)).toEqual(judged(whole));
  const session = await Session.open(held);
  expect(session.load().notice).toContain("what people wrote was taken out");
  const { checks } = session.event({ row: 9 });
  expect(checks.map(({ what, text }) => `${what} ${text}`)).toEqual([
    "its id matches what is left of its content",
    "its hash can not be checked: what people wrote was taken out",
    expect.stringMatching(/^signatures right/),
  ]);
});

test("tokens, keys, passwords and who signed are in no exchange of a page", async () => {
  const secret = "a-secret-of-somebody";
  const inText = JSON.stringify({ access_token: secret, nested: { password: secret } });
  const exchange = {
    seq: 1000,
    at: 1,
    t: "http",
    path: `/_matrix/client/v3/sync?access_token=${secret}&since=1`,
    request: { headers: { Authorization: `X-Matrix key="${secret}"` }, body: inText },
    response: { signing_key: secret, big: 1 },
  };
  const file = room("netsplit.replay.ndjson");
  const { text } = await paged([{ ...file, text: `${file.text}${JSON.stringify(exchange)}\n` }]);

  expect(text).not.toContain(secret);
  expect(text).toContain("since=1");
  expect(text.startsWith(file.text)).toBe(true);
});

test("formats of others come in as what they say of rooms", async () => {
  const { text, run } = await paged([room("room.ndjson"), room("federation.har")]);
  expect(text).not.toMatch(/X-Matrix|postData/i);
  expect(run.arrivals.length).toBeGreaterThan(0);
});
