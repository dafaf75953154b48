/** What a user can do about a feature that is missing, where it is theirs to do something about it. */
const HINTS: Readonly<Record<string, string>> = {
  sfu: "see --sfu",
  media:
    "participants with media need --sfu, @livekit/rtc-node, which npm install --include=optional brings, and UDP on loopback; see crucible doctor --sfu livekit",
};

/** For a reason that begins with `unsupported: `. */
export function missingText(needs: readonly string[]): string {
  const hints = needs.flatMap((need) => HINTS[need] ?? []);
  return [needs.join(", "), ...hints].join("; ");
}
