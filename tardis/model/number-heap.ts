/** A binary heap of numbers, the least first. */
export class NumberHeap {
  readonly #items: number[] = [];

  push(item: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    for (let above = (at - 1) >> 1; at > 0; above = (at - 1) >> 1) {
      const parent = items[above] ?? 0;
      if (parent <= item) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let at = 0;
    for (let child = 1; child < items.length; child = 2 * at + 1) {
      const right = items[child + 1];
      const least = right !== undefined && right < (items[child] ?? 0) ? child + 1 : child;
      const value = items[least] ?? 0;
      if (value >= last) break;
      items[at] = value;
      at = least;
    }
    items[at] = last;
    return first;
  }
}
