import { DurableObject } from "cloudflare:workers";

const never = new Promise(() => {});

/** Ways in which JavaScript does not come to an end; the path names one. */
const ways = {
  loop() {
    for (;;);
  },
  caughtLoop() {
    try {
      for (;;);
    } finally {
      for (;;);
    }
  },
  async awaitLoop() {
    for (;;) await null;
  },
  microtasks() {
    const again = () => queueMicrotask(again);
    again();
    return never;
  },
  promiseFlood() {
    const flood = () => {
      Promise.resolve().then(flood);
      Promise.resolve().then(flood);
    };
    flood();
    return never;
  },
  allocations() {
    const kept = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  },
  caughtAllocations() {
    const kept = [];
    for (;;) {
      try {
        kept.push(new Uint8Array(1 << 20).fill(1));
      } catch {
        // Going on is what is being tried.
      }
    }
  },
  objects() {
    let list = null;
    for (;;) list = { list };
  },
  recursion() {
    const deeper = () => deeper() + 1;
    return deeper();
  },
  caughtRecursion() {
    const deeper = () => {
      try {
        deeper();
      } catch {
        deeper();
      }
    };
    return deeper();
  },
  nestedJson() {
    return JSON.parse("[".repeat(10_000_000));
  },
  nestedValue() {
    let value = [];
    for (let depth = 0; depth < 1_000_000; depth++) value = [value];
    return structuredClone(value);
  },
  string() {
    let text = "x";
    for (;;) text += text;
  },
  padding() {
    return "x".padEnd(2 ** 30 - 2).length;
  },
  regexp() {
    return /^(a+)+$/.test(`${"a".repeat(64)}b`);
  },
  sort() {
    return Array.from({ length: 5_000_000 }, (_, index) => -index).sort((a, b) => a - b);
  },
  bigint() {
    let number = 3n;
    for (;;) number *= number;
  },
};

export class Runaway extends DurableObject {
  async fetch(request) {
    const way = ways[new URL(request.url).pathname.slice(1)];
    if (way) {
      await way();
    }
    return new Response("came back");
  }
}

export class Quiet extends DurableObject {
  async fetch() {
    return new Response(String((await this.ctx.storage.get("value")) ?? 0));
  }
}
