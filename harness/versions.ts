/** Release versions as dotted numbers; a suffix such as `rc1` sorts before the release itself. */

/** Negative when left is older, 0 when equal, positive when newer. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [parts(left), parts(right)];
  for (let index = 0; index < Math.max(a.numbers.length, b.numbers.length); index++) {
    const difference = (a.numbers[index] ?? 0) - (b.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.suffix === b.suffix) return 0;
  if (a.suffix === "") return 1;
  if (b.suffix === "") return -1;
  return a.suffix < b.suffix ? -1 : 1;
}

/** True when every comparison of the range holds: `>=1.150 <1.160`, `1.114.0` (equal). */
export function isInRange(version: string, range: string): boolean {
  return range
    .trim()
    .split(/\s+/)
    .every((comparison) => {
      const match = /^(>=|<=|>|<|=)?(\d.*)$/.exec(comparison);
      if (match === null) throw new TypeError(`not a version range: ${range}`);
      const order = compareVersions(version, match[2] ?? "");
      switch (match[1]) {
        case ">=":
          return order >= 0;
        case "<=":
          return order <= 0;
        case ">":
          return order > 0;
        case "<":
          return order < 0;
        default:
          return order === 0;
      }
    });
}

function parts(version: string): { numbers: number[]; suffix: string } {
  const match = /^v?(\d+(?:\.\d+)*)(.*)$/.exec(version.trim());
  if (match === null) return { numbers: [], suffix: version };
  return { numbers: (match[1] ?? "").split(".").map(Number), suffix: match[2] ?? "" };
}
