/** How others see a story again. */

/** What a story was told with, beside its plan. */
export interface ToldWith {
  /** As `--hs` names them; none: the default. */
  readonly hs: readonly string[];
  /** Flags that give servers their auth services: `--auth oidc`; none: they have none. */
  readonly auth?: readonly string[];
  /** Names; undefined: all. */
  readonly checkers: readonly string[] | undefined;
  /** What servers were broken with on purpose. */
  readonly mutant: string | undefined;
}

/** @param file a plan or a journal */
export function retellCommand(
  file: string,
  { hs, auth = [], checkers = [], mutant }: ToldWith,
): string {
  return [
    "crucible replay",
    file,
    ...hs.flatMap((spec) => ["--hs", spec]),
    ...auth,
    ...checkers.flatMap((name) => ["--check", name]),
    ...(mutant === undefined ? [] : ["--mutant", mutant]),
  ]
    .map(forShell)
    .join(" ");
}

function forShell(word: string, at: number): string {
  return at === 0 || /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
