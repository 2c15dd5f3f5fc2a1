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
  getterTrap() {
    const trap = { get x() { for (;;); } };
    return { ...trap };
  },
  proxyTrap() {
    const trap = new Proxy({}, { ownKeys() { for (;;); } });
    return Object.keys(trap);
  },
  toStringTrap() {
    return `${{ toString() { for (;;); } }}`;
  },
  valueOfTrap() {
    return 1 + { [Symbol.toPrimitive]() { for (;;); } };
  },
  thenable() {
    return { then(resolve) { resolve({ then: this.then }); } };
  },
  comparator() {
    return [3, 2, 1].sort(() => { for (;;); });
  },
  longSort() {
    let seed = 1;
    return Array.from({ length: 3_000_000 }, () => (seed = (seed * 48271) % 2147483647)).sort((a, b) => Math.sin(a) - Math.sin(b));
  },
  jsonBomb() {
    return JSON.parse(`[${"[1,2,3,4,5,6,7,8],".repeat(3_000_000)}0]`);
  },
  stringifyBomb() {
    let bomb = ["x".repeat(1000)];
    for (let i = 0; i < 40; i++) bomb = [bomb, bomb];
    return JSON.stringify(bomb);
  },
  cloneBomb() {
    const list = Array.from({ length: 1000 }, (_, index) => ({ index }));
    for (;;) list.push(structuredClone(list));
  },
  join() {
    return Array(1e9).join("x");
  },
  repeat() {
    const text = "x".repeat(2 ** 29);
    return [text, text].join(text).length;
  },
  replacement() {
    return "a".repeat(1 << 20).replaceAll("a", "a".repeat(1 << 20)).length;
  },
  bigPower() {
    return 2n ** (10n ** 9n);
  },
  bigText() {
    return (3n ** 3_000_000n).toString().length;
  },
  registries() {
    const registry = new FinalizationRegistry(() => {});
    const kept = [];
    for (;;) {
      const target = {};
      kept.push(target);
      registry.register(target, 1, target);
    }
  },
  weakRefs() {
    const kept = [];
    for (;;) kept.push(new WeakRef({}));
  },
  timers() {
    for (;;) setTimeout(() => {}, 1e6);
  },
  timerLoop() {
    const again = () => { for (let i = 0; i < 1e6; i++); setTimeout(again); for (;;); };
    again();
    return never;
  },
  logs() {
    for (;;) console.log("x".repeat(10_000));
  },
  stubs() {
    const kept = [];
    for (;;) kept.push(this.env.QUIET.get(this.env.QUIET.newUniqueId()).fetch("http://x/"));
  },
  puts() {
    for (let i = 0; ; i++) this.ctx.storage.put(`key ${i}`, "x".repeat(100_000));
  },
  headers() {
    const headers = new Headers();
    for (let i = 0; ; i++) headers.append(`name-${i}`, "x".repeat(10_000));
  },
  response() {
    const text = "x".repeat(1 << 26);
    return new Response(text + text);
  },
  generator() {
    return [...(function* () { for (;;) yield 1; })()];
  },
  asyncGenerator: async () => {
    for await (const _ of (async function* () { for (;;) yield 1; })());
  },
  url() {
    for (let text = "http://x/"; ; text += "../a".repeat(1000)) new URL(text);
  },
  decode() {
    const bytes = new Uint8Array(1 << 24);
    for (;;) new TextDecoder("utf-16le").decode(bytes);
  },
  classes() {
    let Base = class {};
    for (;;) Base = class extends Base {};
  },
  symbols() {
    const kept = {};
    for (;;) kept[Symbol()] = 1;
  },
  catastrophe() {
    return "x".repeat(100_000).match(/(x*)*y/);
  },
  lookbehind() {
    return /(?<=(?:a|aa)+)b/.test(`${"a".repeat(50_000)}c`);
  },
};

export class Runaway extends DurableObject {
  async fetch(request) {
    const way = ways[new URL(request.url).pathname.slice(1)];
    if (way) {
      const answer = await way.call(this);
      if (answer instanceof Response) return answer;
    }
    return new Response("came back");
  }
}

export class Quiet extends DurableObject {
  async fetch() {
    return new Response(String((await this.ctx.storage.get("value")) ?? 0));
  }
}
