/** docs/configuration.md, made from the table of settings. */
import { CONFIG_FILES } from "./file.ts";
import { GROUPS, SETTING_ROWS, type SettingRow } from "./settings.ts";

/** The default as a user would write it; undefined when there is none, or when it is off or empty. */
export function defaultText({ fallback, flag }: SettingRow): string | undefined {
  if (fallback === undefined || fallback === false || flag.startsWith("--no-")) return undefined;
  if (Array.isArray(fallback)) return fallback.length === 0 ? undefined : fallback.join(",");
  return String(fallback);
}

/** The whole text of docs/configuration.md. */
export function configurationMarkdown(): string {
  return `# Configuration

Made from \`harness/config/settings.ts\`; to write it anew: \`node harness/config/reference.ts > docs/configuration.md\`.

Each setting may come from several places. The first that gives it wins: flag, \`CRUCIBLE_*\` variable, \`COMPLEMENT_*\`
variable, configuration file, default. The run header, \`run.json\` and \`crucible doctor\` tell where each value came from.

The configuration file is ${CONFIG_FILES.map(code).join(" or ")} in the current folder, or the one named by \`--config\` or
\`CRUCIBLE_CONFIG\`. It is YAML, one setting a line; repeatable flags are lists there:

\`\`\`yaml
hs: [process:synapse@1.163.2]
suite: [core]
timeout-scale: 2
\`\`\`

In variables a list is divided by spaces (\`CRUCIBLE_HS="hs1=process:synapse hs2=docker:my-image"\`); names of suites,
levels and reporters may be divided by commas too. Yes and no are \`true\` and \`false\`, in variables also \`1\` and \`0\`.
An empty variable counts as not given.

## Servers on the command line

${table(
  ["spec", "means"],
  [
    ["`process:synapse`, `embedded`", "a process, newest known version"],
    ["`process:synapse@1.163.2`", "a process, this version"],
    ["`process:<driver>=<path>`", "a process, this binary"],
    ["`docker:<image>`", "a container of an image that honours Complement's contract"],
    ["`docker:./folder`", "the same, from a folder with a Dockerfile, built first"],
    [
      "`kubernetes:<image>,gateway=<address>`",
      "a pod of such an image in the cluster of the kubeconfig ([kubernetes.md](kubernetes.md)); pods reach this machine at the address",
    ],
    ["`url:https://…`", "a server that already runs"],
  ],
)}

Options follow after commas (\`process:synapse,database=postgres\`, \`url:https://…,shared-secret=…\`); with \`disk=256M\` a
process keeps its data on a disk of that size, which chaos can fill (root only). A role in front gives one server its own
spec (\`--hs hs1=process:synapse --hs hs2=docker:my-image\`); a spec without a role is for all others.
On Linux a release of Synapse is forked from a process that has read its modules, one for each role, as Synapse's own image for
Complement does it; \`process:synapse=<python>\` starts that Python as it is.
With \`--auth oidc\` each homeserver leaves accounts and tokens to an auth service of its own, \`as1\` for \`hs1\` (MSC3861). That takes
a \`process:synapse\` of 1.136 or newer: images and running servers bring a configuration of their own. With \`--mas\` that service is
matrix-authentication-service:

${table(
  ["spec", "means"],
  [
    [
      "`process:mas=<mas-cli>`",
      "a process; the folder `share` of the release archive lies beside it, or is named by `share=`",
    ],
    [
      "`docker:<image>`",
      "a container on this machine's network; the engine has to be on this machine, and Linux",
    ],
    ["`url:<issuer>`", "one that already runs, beside a homeserver given by `--hs url:…`"],
  ],
)}

The first two get a configuration of ours and a PostgreSQL of this machine's packages; with \`token-lifetime=60\` access tokens live
that many seconds. A running one is asked by its admin API, as the client in \`CRUCIBLE_MAS_ADMIN_CLIENT\` and
\`CRUCIBLE_MAS_ADMIN_SECRET\`. MAS's known failures are in \`drivers/mas/expectations.yaml\`.

With \`--sfu\` each homeserver gets an SFU, \`sfu1\` for \`hs1\`, and with \`--rtc-auth\` a service that gives tokens for it, \`rtc1\`
(MSC4195). What neither needs an SFU nor media runs without one.

${table(
  ["spec", "means"],
  [
    [
      "`--sfu livekit`",
      "LiveKit 1.11.0, built from its Go module at first use (Go 1.25 or newer; some minutes), then from the cache",
    ],
    ["`--sfu process:livekit=<livekit-server>`", "this program"],
    [
      "`--sfu docker:<image>`",
      "a container on this machine's network; the engine has to be on this machine, and Linux",
    ],
    [
      "`--sfu url:<ws url>`",
      "one that already runs, with the key in `CRUCIBLE_SFU_KEY` and `CRUCIBLE_SFU_SECRET`; it needs `room.auto_create: false`",
    ],
    [
      "`--rtc-auth embedded`",
      "our own: the OpenID form of lk-jwt-service, and behind a `process:synapse` the endpoints of MSC4195 (by MSC4512)",
    ],
    [
      "`--rtc-auth process:lk-jwt-service=<binary>`",
      "lk-jwt-service in its OpenID form, beside an SFU; it is built from its sources with `go build`, since its module has no path",
    ],
    ["`--rtc-auth docker:<image>`", "an image of it, on this machine's network as the SFU's"],
    [
      "`--rtc-auth url:<url>`",
      "one that already runs, of which the OpenID form is asked; it has to reach the homeserver by its name",
    ],
  ],
)}

Checks of media need, besides an SFU, the optional package \`@livekit/rtc-node\` and UDP on loopback: \`crucible doctor --sfu livekit\` tells
whether participants of ours can send and hear here.

Values of options whose name contains secret, token or password are not shown.

${GROUPS.map(groupSection).join("\n\n")}

## Complement's variables

\`COMPLEMENT_BASE_IMAGE\` stands for \`--hs docker:<image>\`, \`COMPLEMENT_BASE_IMAGE_<hs>\` for one role, in any case of
letters. The others, by setting:

${table(["variable", "setting"], complementRows())}

\`COMPLEMENT_KEEP_BLUEPRINTS\` is accepted and has no meaning here. Any other \`COMPLEMENT_*\` variable is remarked on and
ignored.
`;
}

function groupSection(group: (typeof GROUPS)[number]): string {
  const rows = SETTING_ROWS.filter((row) => row.group === group).map((row) => [
    [row.flag.replace(/\[\]$/, ""), ...(row.alsoFlag?.slice(0, 1) ?? [])].map(code).join(", "),
    code(row.env),
    code(row.key),
    code(defaultText(row) ?? String(row.fallback === true)).replace("`false`", ""),
    `${row.help.replaceAll("<", "&lt;")}${row.flag.endsWith("[]") ? "; repeatable" : ""}`,
  ]);
  return `## Settings: ${group}\n\n${table(["flag", "variable", "in the file", "default", "what"], rows)}`;
}

function complementRows(): string[][] {
  return SETTING_ROWS.flatMap(({ key, complement }) =>
    (complement?.env ?? []).map((variable) => [code(variable), code(key)]),
  );
}

/** Padded as the formatter would, so that formatting the repository does not make the page out of date. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = [head, ...rows].map((cells) => cells.map(escapeCell));
  const widths = head.map((_, at) =>
    Math.max(3, ...escaped.map((cells) => cells[at]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (cells[at] ?? "").padEnd(width)).join(" | ")} |`;
  const [first = [], ...others] = escaped;
  const rule = widths.map((width) => "-".repeat(width));
  return [first, rule, ...others].map(line).join("\n");
}

function escapeCell(cell: string): string {
  return cell.replaceAll("|", "\\|");
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) process.stdout.write(configurationMarkdown());
