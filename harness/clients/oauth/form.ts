/** Parameters of a form post or a query, in the order given; a name may stand twice, as in requests that break the rules. */
export type Parameters =
  | Readonly<Record<string, string | undefined>>
  | readonly (readonly [string, string])[];

export function encodeForm(parameters: Parameters): string {
  return new URLSearchParams(pairsOf(parameters)).toString();
}

export function pairsOf(parameters: Parameters): [string, string][] {
  if (Array.isArray(parameters)) return parameters.map(([name, value]) => [name, value]);
  return Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, value]],
  );
}
