import { isInRange as inRange } from "#harness/versions";

/** True when the text is a version range such as `>=1.150 <1.160`. */
export function isRange(text: string): boolean {
  return (
    text.trim() !== "" &&
    text
      .trim()
      .split(/\s+/)
      .every((part) => /^(>=|<=|>|<|=)?\d+(\.\d+)*\S*$/.test(part))
  );
}

export { inRange };
