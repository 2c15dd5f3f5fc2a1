/** How many elements of each name are open: an end tag of none costs nothing, however many others are. */

export class Counts {
  readonly #of = new Map<string, number>();

  has(name: string): boolean {
    return this.#of.has(name);
  }

  add(name: string): void {
    this.#of.set(name, (this.#of.get(name) ?? 0) + 1);
  }

  remove(name: string): void {
    const left = (this.#of.get(name) as number) - 1;
    if (left > 0) this.#of.set(name, left);
    else this.#of.delete(name);
  }
}
