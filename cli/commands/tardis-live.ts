/** `crucible tardis live`: a room of a real server, recorded as it goes on. */
import { Command } from "commander";
import { adminSource } from "#cli/tardis/live/admin";
import { databaseSource } from "#cli/tardis/live/database";
import { type PeerSettings, peerSource } from "#cli/tardis/live/peer";
import { type RecordOptions, record } from "#cli/tardis/live/record";
import { TOKEN_VARIABLE, tokenOf } from "#cli/tardis/live/source";
import { userSource } from "#cli/tardis/live/user";
import { HarnessError } from "#harness/errors";
import { withHelp } from "./options.ts";

interface TokenOptions extends RecordOptions {
  readonly tokenFile?: string;
}

interface DatabaseOptions extends RecordOptions {
  readonly serverName: string;
  readonly postgres?: true;
}

const TOKEN_NOTE = `The access token is read from --token-file, else from ${TOKEN_VARIABLE}; it is kept in memory and written nowhere.`;

export function liveCommand(): Command {
  const command = new Command("live")
    .description("record a room of a real server as a replay, and show it as it goes on")
    .addCommand(userCommand())
    .addCommand(adminCommand())
    .addCommand(peerCommand())
    .addCommand(databaseCommand());
  return withHelp(command, "tardis live", {
    examples: ["user https://matrix.example.org --room '!id:example.org' --token-file t --serve"],
  });
}

function userCommand(): Command {
  const command = recording(
    new Command("user")
      .description("by /sync and /messages of a joined user: needs no rights of an admin")
      .argument("<url>", "client address of the server"),
  )
    .option("--token-file <file>", "with the user's access token")
    .action((url: string, options: TokenOptions) =>
      record(options, (wanted) => userSource(url, tokenOf(options.tokenFile), wanted)),
    );
  return withHelp(command, "tardis live user", {
    notes: TOKEN_NOTE,
    examples: ["https://matrix.example.org --room '!id:example.org' -o room.replay.ndjson --once"],
  });
}

function adminCommand(): Command {
  const command = recording(
    new Command("admin")
      .description("by Synapse's admin API, from the forward extremities back")
      .argument("<url>", "address of the server with /_synapse/admin"),
  )
    .option("--token-file <file>", "with an admin's access token")
    .action((url: string, options: TokenOptions) =>
      record(options, (wanted) => adminSource(url, tokenOf(options.tokenFile), wanted)),
    );
  return withHelp(command, "tardis live admin", {
    notes: TOKEN_NOTE,
    examples: ["http://127.0.0.1:8008 --room '!id:example.org' --serve 8081"],
  });
}

function peerCommand(): Command {
  const command = recording(
    new Command("peer")
      .description("as a server of its own that joins the room, and leaves it at the end")
      .argument("<server>", "name of a server in the room, host:port where its federation listens"),
  )
    .requiredOption(
      "--name <host>",
      "our own server is <host>:8448, which that server has to reach",
    )
    .requiredOption("--key-file <file>", "what our name signs by; made unless it is there")
    .option(
      "--listen <[host:]port>",
      "HTTP, on loopback unless a host is given: what ends TLS for our name passes on to it",
      "8448",
    )
    .option(
      "--proxy <url>",
      "requests go out by this HTTP proxy, as those of servers that we start do",
    )
    .option("--ca <file>", "certificates to trust, PEM; those of Node unless given")
    .action((server: string, options: PeerSettings & RecordOptions) =>
      record(options, (wanted) => peerSource({ ...options, server }, wanted)),
    );
  return withHelp(command, "tardis live peer", {
    notes:
      "The room has to be public, or to have invited @recorder:<host>:8448. Unlike the other sources this one takes part: others see\n" +
      "its user join and leave. No well-known file or SRV record is looked up.",
    examples: [
      "matrix.example.org:8448 --room '!id:example.org' --name peer.example.net --key-file peer.key --serve",
    ],
  });
}

function databaseCommand(): Command {
  const command = recording(
    new Command("database")
      .description("from a Synapse's database, with what was rejected and soft-failed")
      .argument("[file]", "SQLite database; it is only read"),
  )
    .requiredOption("--server-name <name>", "whose database it is")
    .option("--postgres", "by psql, which takes where and who from PGHOST, PGUSER, PGPASSFILE, …")
    .action((file: string | undefined, options: DatabaseOptions) => {
      if ((file === undefined) !== (options.postgres === true)) {
        throw new HarnessError("BAD_USAGE", {
          what: "a database is a file or --postgres",
          next: "name one of the two",
        });
      }
      const database = { file, serverName: options.serverName };
      return record(options, (wanted) => databaseSource(database, wanted));
    });
  return withHelp(command, "tardis live database", {
    notes:
      "One server's view; record each server's own and give all files to tardis serve, which merges them.\n" +
      "The queries lie in scenarios/stories/rooms: their output is read by every command here, too.",
    examples: [
      "homeserver.db --server-name example.org --room '!id:example.org' -o one.replay.ndjson --once",
      "--postgres --server-name example.org --room '!id:example.org' --serve",
    ],
  });
}

/** With what all sources have. */
function recording(command: Command): Command {
  return command
    .requiredOption("--room <id>", "which")
    .option("-o, --output <file>", "replay; standard output unless given, or --serve")
    .option("--serve [port]", "show it on a page on loopback, with what comes as it comes")
    .option("--once", "end when what there is has been told")
    .option("--limit <n>", "at most so many events of what there is", "10000")
    .option("--every <seconds>", "between two looks, where there is no waiting for news", "2");
}
