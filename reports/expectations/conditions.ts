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

/** True for a day of the calendar, written `2027-03-01`. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
