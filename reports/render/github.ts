/** What GitHub's runner takes from a job: annotations on its output, and a summary that is not too long. */
import { isAbout } from "#reports/expectations/apply";
import type { Manifest } from "#reports/expectations/manifest";
import { describeFinding, type RenderOptions, tameLine } from "#reports/finding";
import type { Finding } from "#reports/summarise";

export interface AnnotationOptions extends RenderOptions {
  /** Of the homeserver's repository: annotations on files of ours would not show in its pull requests. */
  readonly manifest: Manifest | undefined;
}

/** GitHub shows ten errors a step, and fifty a job. */
const MOST = 10;
/** A summary over 1 MiB is refused whole. */
const SUMMARY_BYTES = 1_000_000;

/**
 * One workflow command for each requirement, at its entry in the manifest, else at the manifest's first line.
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions#setting-an-error-message
 */
export function annotations(
  findings: readonly Finding[],
  options: AnnotationOptions,
): readonly string[] {
  const groups = [...Map.groupBy(findings, ({ result }) => result.requirement).values()];
  const lines = groups.slice(0, MOST).flatMap((group) => annotation(group, options));
  const rest = groups.length - MOST;
  return rest <= 0
    ? lines
    : [...lines, command("notice", {}, `${rest} more requirements regressed: see the summary`)];
}

function annotation(group: readonly Finding[], options: AnnotationOptions): readonly string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { id, level, rule, reason, expected, actual, more } = describeFinding(first, options);
  const seen =
    expected === undefined
      ? tameLine(reason ?? "")
      : `expected ${tameLine(expected)}, got ${tameLine(actual ?? "")}`;
  const places = [...new Set(group.map(({ result }) => tameLine(result.deployment)))];
  const message = [
    rule,
    seen,
    `on ${places.join(", ")}${group.length === 1 ? "" : `, ${group.length} checks`}`,
    `more: ${more}`,
  ];
  const place = placeOf(first, options);
  return [command("error", { ...place, title: `${id} (${level}) regressed` }, message.join("\n"))];
}

function placeOf({ result }: Finding, { manifest }: AnnotationOptions): Record<string, string> {
  if (manifest === undefined) return {};
  const entry = manifest.entries.find((candidate) => isAbout(candidate, result));
  return { file: entry?.file ?? manifest.file, line: String(entry?.line ?? 1) };
}

/** Nothing in a value can end it, or begin another command: line ends, and what divides properties, are escaped. */
function command(
  name: "error" | "notice",
  properties: Readonly<Record<string, string>>,
  message: string,
): string {
  const given = Object.entries(properties).map(([key, value]) => `${key}=${property(value)}`);
  return `::${[name, given.join(",")].filter((part) => part !== "").join(" ")}::${escaped(message)}`;
}

function escaped(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return escaped(tameLine(text)).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** Markdown that a job's summary has room for: cut where a finding ends. */
export function fitted(markdown: string, most = SUMMARY_BYTES): string {
  const size = Buffer.byteLength(markdown);
  if (size <= most) return markdown;
  const head = Buffer.from(markdown).subarray(0, most).toString();
  const end = "\n</details>\n";
  const at = head.lastIndexOf(end);
  const kept = at < 0 ? `${head.slice(0, head.indexOf("\n\n"))}\n` : head.slice(0, at + end.length);
  const left = Math.round((size - Buffer.byteLength(kept)) / 1024);
  return `${kept}\n${left} KB more are in summary.md of the run directory.\n`;
}
