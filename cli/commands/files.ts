/** Where commands write reports, and the names of what they write. */
import { writeFileSync } from "node:fs";
import { remark } from "#cli/io";
import { HarnessError } from "#harness/errors";
import { didYouMean } from "#harness/suggest";

/** To a file, which is told, or to standard output. @throws HarnessError BAD_FILE */
export function writeReport(file: string | undefined, text: string): void {
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new HarnessError("BAD_FILE", {
      what: `the report ${file} can not be written`,
      facts: [String(cause)],
      next: "name a file in a folder that exists and can be written",
      cause,
    });
  }
  remark(`written: ${file}`);
}

/** Parser of an option that takes one of some names, for commander. @throws HarnessError BAD_USAGE */
export function nameParser<Name extends string>(
  kind: string,
  names: readonly Name[],
): (word: string) => Name {
  return (word) => {
    const name = names.find((known) => known === word);
    if (name !== undefined) return name;
    throw new HarnessError("BAD_USAGE", {
      what: `there is no ${kind} ${word}`,
      next: didYouMean(word, names),
    });
  };
}
