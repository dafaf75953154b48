/** The one call for whoever has a message that could not be read: a story, a chaos run, the command. */
import { Evidence } from "./evidence.ts";
import { explain, type Question, type Utd } from "./explain.ts";
import { openSources } from "./sources.ts";

/**
 * Verdicts of all questions, from one reading of the records.
 *
 * @param given run directories, traces, logs of clients, HAR files
 * @param onRead called with how many exchanges have been read so far, and the size of all traces in bytes
 * @throws HarnessError BAD_FILE, BAD_USAGE as `openSources` and `explain` do
 */
export async function explainFiles(
  given: readonly string[],
  questions: readonly Question[],
  onRead: (count: number, bytes: number) => void = () => undefined,
): Promise<readonly Utd[]> {
  const { exchanges, entries, bytes } = openSources(given);
  const evidence = await Evidence.gather(exchanges, entries, (count) => onRead(count, bytes));
  return questions.flatMap((question) => explain(evidence, question));
}
