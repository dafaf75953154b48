/** Words as a shell divides them, near enough: quotes hold together, and stay. */
export function shellWords(line: string): readonly string[] {
  return line.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
}
