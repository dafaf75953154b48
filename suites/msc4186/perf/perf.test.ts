import { STABLE_PATH, UNSTABLE_PATH } from "#harness/clients/sliding-sync/dialect";
import { median } from "#harness/results/measurement";
import { check, type Mutant } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import { answers, inEachDialect } from "../sync.ts";
import { accountOf } from "./accounts.ts";
import { launchWarm, wake } from "./changes.ts";
import { idle, longConnection, wholeList } from "./idle.ts";
import {
  canJudge,
  endWithoutVerdict,
  expectAlike,
  expectNoGrowth,
  oldSync,
  repeat,
  report,
  roomList,
  sample,
  sizeName,
  subjectOf,
  V3,
  WINDOW,
} from "./measure.ts";

const SAMPLES = 7;
/** /v3/sync of a large account takes seconds. */
const OLD_SAMPLES = 3;
/** Far above what an idle answer needs, far below a list of all rooms. */
const MAX_IDLE_BYTES = 2_000;

const SLOW: Mutant = {
  name: "takes two seconds for the largest account",
  rules: [STABLE_PATH, UNSTABLE_PATH].map((path) => ({
    match: { path, contains: '"conn_id":"largest-' },
    phase: "processed",
    action: { kind: "delay", ms: 2_000 },
  })),
};

check(
  "MSC4186.perf.initial-window",
  "the server gives the first rooms of a large account as fast as those of a small one",
  { kind: "measurement", mutant: SLOW },
  async (world) => {
    for (const rooms of world.accountSizes) {
      const { reader } = await accountOf(world, rooms);
      const responses = await repeat(OLD_SAMPLES, (salt) => oldSync(reader, salt));
      // There is no other way to the first rooms than by all of them.
      for (const name of ["M1 first list", "M3 whole list"])
        report(world, { name, subject: V3, rooms }, responses);
    }

    await inEachDialect(world, async (sync) => {
      const medians = new Map<number, number>();
      for (const rooms of world.accountSizes) {
        const { reader } = await accountOf(world, rooms);
        const series = { name: "M1 first list", subject: subjectOf(sync), rooms };
        const responses = await sample(world, series, SAMPLES, async (index) => {
          const connection = sync.connection(reader, `${sizeName(world, rooms)}-${index}`);
          return (await connection.initial(roomList(WINDOW))).http;
        });
        medians.set(rooms, median(responses.map(({ durationMs }) => durationMs)));
      }
      expectNoGrowth(world, medians);
    });
    endWithoutVerdict(world);
  },
);

check(
  "MSC4186.perf.idle-incremental",
  "the server tells of changes in a large account as fast as in a small one",
  { kind: "measurement", mutant: SLOW },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      const one = new Map<number, number>();
      let [few, all] = [Number.NaN, Number.NaN];
      for (const rooms of world.accountSizes) {
        const account = await accountOf(world, rooms);
        await wake(sync, account);
        one.set(rooms, await launchWarm(sync, account, 1));
        if (rooms > WINDOW) few = await launchWarm(sync, account, WINDOW);
        all = await launchWarm(sync, account, rooms);
      }
      expectNoGrowth(world, one);
      // Of the largest account: in a small one the rooms of the window are known to the connection.
      if (canJudge(world)) expectAlike(few, "a full window", all, "all rooms changed");
    });
    endWithoutVerdict(world);
  },
);

check(
  "MSC4186.perf.idle-bytes",
  "the server does not name the rooms of a list in which nothing is new",
  {
    kind: "measurement",
    mutant: answers("pads each answer", { set: { "/org.example.pad": "x".repeat(4_000) } }),
  },
  async (world) => {
    await inEachDialect(world, async (sync) => {
      let bytes = 0;
      for (const rooms of world.accountSizes) {
        const account = await accountOf(world, rooms);
        const connection = await wholeList(sync, account);
        bytes = await idle(sync, connection, account);
        await longConnection(sync, connection, account);
      }
      // Of the largest account. Few rooms would not show.
      expectThat(
        !canJudge(world) || bytes < MAX_IDLE_BYTES,
        `less than ${MAX_IDLE_BYTES} bytes when nothing is new`,
        `${bytes} bytes with ${world.accountSizes.at(-1)} rooms`,
      );
    });
    endWithoutVerdict(world);
  },
);
