/** Where commands write reports, and the names of what they write. */
import { appendFileSync, writeFileSync } from "node:fs";
import { print, remark } from "#cli/io";
import { writing } from "#cli/writing";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";
import { readManifest } from "#reports/expectations/manifest";
import { annotations, fitted } from "#reports/render/github";
import type { Finding } from "#reports/summarise";

/** To a file, which is told, or to standard output. @throws HarnessError BAD_FILE */
export function writeReport(file: string | undefined, text: string): void {
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  writing(`the report ${file}`, "name a file in a folder that exists", () =>
    writeFileSync(file, text),
  );
  remark(`written: ${file}`);
}

interface GithubOptions {
  readonly disclose: boolean;
  /** Manifest in the homeserver's repository. */
  readonly expect: string | undefined;
  readonly out: string | undefined;
}

/** Annotations to standard output, where the runner reads them; the summary to a file, or to the job's. */
export function writeGithub(
  regressions: readonly Finding[],
  markdown: string,
  { disclose, expect, out }: GithubOptions,
): void {
  const manifest = expect === undefined ? undefined : readManifest(expect);
  for (const line of annotations(regressions, { disclose, manifest })) print(line);
  const file = process.env.GITHUB_STEP_SUMMARY;
  if (out === undefined && file !== undefined && file !== "")
    appendFileSync(file, fitted(markdown));
  else writeReport(out, fitted(markdown));
}

/** Parser of an option that takes one of some names, for commander. @throws HarnessError BAD_USAGE */
export function nameParser<Name extends string>(
  kind: string,
  names: readonly Name[],
): ((word: string) => Name) & { readonly known: readonly Name[] } {
  const parse = (word: string) => {
    const name = names.find((known) => known === word);
    if (name !== undefined) return name;
    throw new HarnessError("BAD_USAGE", {
      what: `there is no ${kind} ${word}`,
      next: didYouMean(word, names),
    });
  };
  return Object.assign(parse, { known: names });
}
