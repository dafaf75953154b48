import { Unsupported } from "#harness/errors";
import { median } from "#harness/results/measurement";
import { check } from "#harness/world/check";
import { expectThat } from "#harness/world/expect";
import type { World } from "#harness/world/world";
import { inEachDialect } from "../sync.ts";
import { accountOf } from "./accounts.ts";
import { oldSync, repeat, report, roomList, V3 } from "./measure.ts";

const WINDOW = 20;
const SAMPLES = 7;
/** /v3/sync of a large account takes seconds. */
const OLD_SAMPLES = 3;
/** From which factor on times depend on the size of the account. */
const MAX_GROWTH = 3;
/** The fewest rooms of a large account, as far as verdicts are concerned. */
const LARGE = 200;

check(
  "MSC4186.perf.initial-window",
  "the server gives the first rooms of a large account as fast as those of a small one",
  { kind: "measurement" },
  async (world) => {
    const name = "M1 first list";
    for (const rooms of world.accountSizes) {
      const { reader } = await accountOf(world, rooms);
      const responses = await repeat(OLD_SAMPLES, (salt) => oldSync(reader, salt));
      report(world, { name, subject: V3, rooms }, responses);
    }

    await inEachDialect(world, async (sync) => {
      const medians = new Map<number, number>();
      for (const rooms of world.accountSizes) {
        const { reader } = await accountOf(world, rooms);
        const responses = await repeat(SAMPLES, async (index) => {
          const connection = sync.connection(reader, `first-${index}`);
          return (await connection.initial(roomList(WINDOW))).http;
        });
        const subject = `sliding sync (${sync.dialect.name})`;
        medians.set(rooms, median(report(world, { name, subject, rooms }, responses)));
      }
      expectNoGrowth(world, medians);
    });
  },
);

/** @throws Unsupported when the accounts do not differ enough for a verdict. */
function expectNoGrowth(world: World, medians: ReadonlyMap<number, number>): void {
  const [smallest = 0, largest = 0] = [world.accountSizes[0], world.accountSizes.at(-1)];
  if (smallest * MAX_GROWTH > largest || largest < LARGE)
    throw new Unsupported("perf", `no verdict without accounts of 20 and ${LARGE} rooms`);
  const [base = Number.NaN, grown = Number.NaN] = [medians.get(smallest), medians.get(largest)];
  expectThat(
    grown <= MAX_GROWTH * base,
    `at most ${MAX_GROWTH} times the ${base.toFixed(1)} ms of an account of ${smallest} rooms`,
    `${grown.toFixed(1)} ms for one of ${largest} rooms`,
  );
}
