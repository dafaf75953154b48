/** What a reader has chosen, from one time to the next. A page from a file may have no storage: then until it is closed. */

export function remembered(name: string): { value: string } {
  const key = `crucible-site-${name}`;
  let here = "";
  return {
    get value(): string {
      try {
        return localStorage.getItem(key) ?? here;
      } catch {
        return here;
      }
    },
    set value(value: string) {
      here = value;
      try {
        localStorage.setItem(key, value);
      } catch {
        // Known here, and nowhere else.
      }
    },
  };
}
