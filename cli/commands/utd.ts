/** `crucible utd`: events that somebody could not decrypt, explained. Needs no server. */
import { Command, InvalidArgumentError } from "commander";
import { print, printJson } from "#cli/io";
import { StatusLine } from "#cli/status-line";
import { writeTo } from "#cli/tardis/files";
import { HarnessError } from "#harness/errors";
import type { DeviceName } from "#harness/forensics/evidence";
import type { Utd } from "#harness/forensics/explain";
import { explainFiles } from "#harness/forensics/explain-files";
import { overlayOf } from "#harness/forensics/overlay";
import { pageOf } from "#harness/forensics/page";
import { withHelp } from "./options.ts";

interface Flags {
  readonly device?: DeviceName;
  readonly code?: string;
  readonly withheld?: string;
  readonly json?: true;
  readonly output?: string;
  readonly overlay?: string;
}

export function utdCommand(): Command {
  const command = new Command("utd")
    .description("events that somebody could not decrypt: find the message that got lost")
    .addCommand(explainCommand());
  return withHelp(command, "utd", { examples: ["explain .runs/<id> '$event'"] });
}

function explainCommand(): Command {
  const command = new Command("explain")
    .description(
      "walk from an event back to its lost key: ten steps, the first bad one is the root",
    )
    .argument("<what...>", "run directory, traces, client logs or HAR files, and last the event id")
    .option(
      "--device <user/device>",
      "who can not read it; all that are seen to fail unless given",
      device,
    )
    .option("--code <code>", "what its library says, where no log tells: MissingRoomKey, …")
    .option("--withheld <code>", "why the key is withheld, where no log tells: m.unverified, …")
    .option("--json", "an array of verdicts")
    .option("-o, --output <file>", "standard output unless given")
    .option("--overlay <file>", "the messages as records for `crucible tardis`, .replay.ndjson")
    .action(run);
  return withHelp(command, "utd explain", {
    notes:
      "Exit codes: 0 each is explained, 1 one is not (`unexplained`). Tokens are read to tell clients apart, and shown nowhere.",
    examples: [
      ".runs/<id> '$event'",
      ".runs/<id>/trace/main.ndjson '$event' --device @bob:hs1/BOBDEVICE --json",
      "alice.har bob.har '$event' --device @bob:example.org/BOBDEVICE --code MissingRoomKey",
    ],
  });
}

function device(value: string): DeviceName {
  const [, user, name] = /^(@[^/]+:[^/]+)\/(.+)$/.exec(value) ?? [];
  if (user === undefined || name === undefined)
    throw new InvalidArgumentError("it is @user:server/DEVICE");
  return { user, device: name };
}

async function run(what: readonly string[], flags: Flags): Promise<void> {
  const event = what.at(-1);
  const given = what.slice(0, -1);
  if (event === undefined || !event.startsWith("$") || given.length === 0) {
    throw new HarnessError("BAD_USAGE", {
      what: `${event ?? "nothing"} is no event id`,
      next: "name the records and, last and in single quotes, the event: crucible utd explain .runs/<id> '$event'",
    });
  }
  using status = new StatusLine();
  const native = {
    ...(flags.code === undefined ? {} : { code: flags.code }),
    ...(flags.withheld === undefined ? {} : { withheld: flags.withheld }),
  };
  const question = {
    event,
    ...(flags.device === undefined ? {} : { target: flags.device }),
    ...(Object.keys(native).length === 0 ? {} : { native }),
  };
  const utds = await explainFiles(given, [question], (count, bytes) =>
    status.show(() => `${count} exchanges read, of ${Math.ceil(bytes / 1024 ** 2)} MB`),
  );
  status.clear();
  if (flags.overlay !== undefined) {
    const lines = overlayOf(utds, "crucible utd explain");
    writeTo(flags.overlay, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
  if (flags.output !== undefined) {
    const text = flags.json ? `${JSON.stringify(utds, null, 2)}\n` : pages(utds);
    writeTo(flags.output, text);
  } else if (flags.json) printJson(utds);
  else print(pages(utds).trimEnd());
  process.exitCode = utds.some(({ root }) => root === "unexplained") ? 1 : 0;
}

function pages(utds: readonly Utd[]): string {
  return utds.map(pageOf).join("\n");
}
