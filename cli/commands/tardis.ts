/** `crucible tardis`: recorded rooms, shown, converted, checked and explained. Needs no server, but to record one. */
import { Command } from "commander";
import { check } from "#cli/tardis/check";
import { compareSides } from "#cli/tardis/compare";
import { convert, TARGETS } from "#cli/tardis/convert";
import { explain } from "#cli/tardis/explain";
import { exportPage } from "#cli/tardis/export";
import { serve } from "#cli/tardis/serve";
import { shrink } from "#cli/tardis/shrink";
import { withHelp } from "./options.ts";
import { liveCommand } from "./tardis-live.ts";

const FILES =
  "events as NDJSON or JSON array, scenarios, replays, HAR, streams and logs of Chaos, go test output, exports of Synapse, " +
  "answers of servers, DAG files, share links; told by their content";
const VERSION = "--room-version <id>";

export function tardisCommand(): Command {
  const command = new Command("tardis")
    .description(
      "recorded rooms: show, convert, check, explain, compare and shrink them, and record those of real servers",
    )
    .addCommand(serveCommand())
    .addCommand(exportCommand())
    .addCommand(convertCommand())
    .addCommand(checkCommand())
    .addCommand(explainCommand())
    .addCommand(compareCommand())
    .addCommand(shrinkCommand())
    .addCommand(liveCommand());
  return withHelp(command, "tardis", {
    examples: ["check scenarios/stories/rooms/*.json5", "explain room.ndjson --key m.room.topic"],
  });
}

function serveCommand(): Command {
  const command = new Command("serve")
    .description("show files in a browser: a page on loopback, until Ctrl-C")
    .argument("[file...]", "files, folders or run directories; the tutorials unless given")
    .option("--port <n>", "0 takes a free one", "0")
    .action(serve);
  return withHelp(command, "tardis serve", {
    notes: "The page holds its file and asks for nothing else; others may be dropped on it.",
    examples: ["", "run.replay.ndjson", ".runs/<id>"],
  });
}

function exportCommand(): Command {
  const command = new Command("export")
    .description("the page and files in one HTML file, that opens without a server or network")
    .argument("<file...>", `${FILES}; of a folder of a run its replays`)
    .requiredOption(
      "-o, --output <file>",
      "what to write; a folder gets a page for each file, and a list",
    )
    .option("--redact-content", "without what people wrote; rules, members and ids stay")
    .option("--disclose", "with recordings of sensitive checks that failed")
    .option(
      "--limit <MiB>",
      "of data, compressed (20): above it, a window of events about the failure",
    )
    .action(exportPage);
  return withHelp(command, "tardis export", {
    notes:
      "Several files are merged in one page. It opens where something failed. Tokens, passwords, keys and Authorization are never in it.",
    examples: [
      "tardis/examples/reset-class-a.json5 -o room.html",
      ".runs/<id> -o pages/",
      "story-1.replay.ndjson -o story.html --redact-content",
    ],
  });
}

function convertCommand(): Command {
  const command = new Command("convert")
    .description("merge files by event id, and write them in one format")
    .argument("<file...>", FILES)
    .option("-o, --output <file>", "standard output unless given; its ending tells the format")
    .option("--format <name>", `${TARGETS.join(", ")}`)
    .option(VERSION, "of rooms whose version no file tells")
    .action(convert);
  return withHelp(command, "tardis convert", {
    notes:
      "Endings: .replay.ndjson replay, .json5 and .json scenario, .ndjson room (events alone), .link share link, .svg picture of its events.",
    examples: [
      "hs1-export.ndjson hs2-export.ndjson chaos.log -o run.replay.ndjson",
      "federation.har --room-version 11 --format room",
    ],
  });
}

function checkCommand(): Command {
  const command = new Command("check")
    .description("exit code 1 when event ids do not match, or a state is not as a file expects")
    .argument("<file...>", FILES)
    .option(VERSION, "of rooms whose version no file tells")
    .option(
      "--json",
      "an array of {file, isOk, rooms, events, ids, expected, differences, problems, gaps, servers}",
    )
    .action(check);
  return withHelp(command, "tardis check", { examples: ["tardis/examples/*.json5"] });
}

function explainCommand(): Command {
  const command = new Command("explain")
    .description("tell why a key of the state has its value after an event, step by step")
    .argument("<file...>", FILES)
    .requiredOption("--key <type|state_key>", "which; without a bar its state key is empty")
    .option(
      "--at <event>",
      "id, beginning of one, or name in a scenario; the newest events unless given",
    )
    .option(VERSION, "by the rules of this version; ids stay as they are")
    .option("--markdown", "as Markdown, for issues and reports")
    .option("--json", "an object {roomVersion, algorithm, at, key, value, verdict, steps}")
    .action(explain);
  return withHelp(command, "tardis explain", {
    examples: [
      "tardis/examples/bob-wins-by-being-weaker.json5 --at '$MERGE' --key m.room.join_rules",
      "run.replay.ndjson --key 'm.room.member|@bob:hs2' --room-version 12",
    ],
  });
}

function compareCommand(): Command {
  const command = new Command("compare")
    .description("lay the state by other room versions and as servers told it side by side")
    .argument("<file...>", FILES)
    .option("--at <event>", "as of explain; where the page opens unless given")
    .option(
      "--sides <names>",
      "by commas: 10, 12* (with new ids), told:<server>, ours:<server>, and all for equal keys too",
    )
    .option("--key <type|state_key>", "which is explained; the first that differs unless given")
    .option(VERSION, "of rooms whose version no file tells")
    .option("--json", "an object {at, sides, isAll, rows, same, key, why}")
    .action(compareSides);
  return withHelp(command, "tardis compare", {
    notes:
      "Without --sides: what servers told, beside ours; else the room's version beside one of each algorithm. A version with a star\n" +
      "has all events hashed anew; without it ids stay, and decide ties.",
    examples: [
      "tardis/examples/reset-class-a.json5 --at '$MERGE' --sides 11,12",
      "story-1.replay.ndjson --sides told:hs1,told:hs2,ours:hs1",
      "run.replay.ndjson --sides 10,12* --key m.room.topic --json",
    ],
  });
}

function shrinkCommand(): Command {
  const command = new Command("shrink")
    .description("leave events out for as long as a key of the state stays what it is")
    .argument("<file...>", FILES)
    .requiredOption("--key <type|state_key>", "what stays; without a bar its state key is empty")
    .option("--at <event>", "after which; where the page opens unless given")
    .option("--edits <json>", "what stays is what these change, as `edits=` of the page has them")
    .option("--versions <ids>", "what stays is what each of these room versions makes of it")
    .option("--seconds <n>", "end after so long with the smallest so far")
    .option(
      "-o, --output <file>",
      "a replay for .ndjson, else a scenario with what it expects; standard output unless given",
    )
    .option(VERSION, "of rooms whose version no file tells")
    .option(
      "--json",
      "an object {key, events, left, tried, isDone, out, edits, output or scenario}",
    )
    .action(shrink);
  return withHelp(command, "tardis shrink", {
    notes:
      "Without --edits and --versions, the same event wins against the same others. Ctrl-C ends it with the smallest room so far,\n" +
      "which is written all the same, and exit code 130.",
    examples: [
      "run.replay.ndjson --at '$MERGE' --key m.room.topic -o small.json5",
      "room.ndjson --key 'm.room.member|@bob:hs2' --versions 11,12 --seconds 60 -o small.json5",
      'room.ndjson --key m.room.name --edits \'[{"kind":"drop","event":"$…"}]\' --json',
    ],
  });
}
