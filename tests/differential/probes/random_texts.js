// What texts and bytes made at random, from numbers, become in what parses, decodes and writes them. Served by durabox and by workerd.
import { Buffer } from "node:buffer";
import path from "node:path";
import querystring from "node:querystring";
import url from "node:url";
import util from "node:util";
import { DurableObject } from "cloudflare:workers";

/** Numbers that follow from a seed. */
class Dice {
  constructor(seed) { this.state = (seed * 2654435761 + 1) >>> 0; }
  roll(n) { this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0; return Math.floor((this.state / 2 ** 32) * n); }
  of(list) { return list[this.roll(list.length)]; }
  text(pieces, most) { return Array.from({ length: this.roll(most) }, () => this.of(pieces)).join(""); }
}

const PATHS = ["/", "..", ".", "a", "b.c", "C:", "\\", "", ".x", "//", "\u00e9"];
const QUERIES = ["a", "=", "&", "%20", "+", "%zz", "b", "\u00e9", "%E0%A4", "[]", ";", "#", "%C3%A9", "\"", ":"];
const URLS = ["http:", "https:", "//", "/", "@", ":", "80", "a.b", "?", "#", "x", "\\", " ", "\u00e9", "%41", "..", "mailto:", "user", "*", "\t"];
const CODED = ["0", "f", "z", "=", "-", "_", "A", "/", "+", " ", "\u00e9", "\ud800"];
const PATTERNS = ["/", "a", ":id", "*", "?", "+", "{", "}", "(\\d+)", ".", ":x", "-", "b"];
const NAMES = ["a", "B", "-", " ", "\t", "\n", "\0", ",", "x"];
const BYTES = [0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xa0, 0xe2, 0x82, 0xac, 0xed, 0x9f, 0xef, 0xbb, 0xbf, 0xf0, 0x90, 0x98, 0xf4, 0x8f, 0xf5, 0xff, 0xfe, 0xd8, 0xdc, 0x00];
const ENCODINGS = ["hex", "base64", "base64url", "latin1", "ascii", "utf16le", "utf8", "binary", "ucs2"];
const NUMBERS = ["Int8", "UInt8", "Int16LE", "UInt16BE", "Int32LE", "UInt32BE", "FloatLE", "FloatBE", "DoubleBE"];

/** A text in the pieces in which it came. */
function decoded(bytes, encoding, options, cuts) {
  const decoder = new TextDecoder(encoding, options);
  const parts = [0, ...cuts, bytes.length];
  return cuts.map((cut, at) => decoder.decode(bytes.subarray(parts[at], cut), { stream: true })).join("") + decoder.decode(bytes.subarray(parts.at(-2)));
}

/** Of a seed, what each of them makes of it. */
const cases = {
  paths: (d) => { const [a, b] = [d.text(PATHS, 6), d.text(PATHS, 5)]; return ["posix", "win32"].map((kind) => { const p = path[kind]; return [p.join(a, b), p.normalize(a), p.relative(a, b), p.parse(a), p.resolve(a, b), p.dirname(a), p.basename(a, ".c"), p.extname(a)]; }); },
  queries: (d) => { const text = d.text(QUERIES, 9); return [querystring.parse(text), querystring.parse(text, ";", ":"), [...new URLSearchParams(text)], querystring.escape(text), querystring.unescape(text)]; },
  legacy: (d) => { const [a, b] = [d.text(URLS, 9), d.text(URLS, 6)]; return [{ ...url.parse(a) }, url.resolve(a, b)]; },
  urls: (d) => { const [a, b] = [d.text(URLS, 9), d.text(URLS, 6)]; const u = new URL("http://base/p/q?r#h"); u.pathname = a; u.search = b; u.hash = a; u.host = b; u.port = a; u.username = b; return [u.href, URL.parse(a, "http://base/p/q?r")?.href ?? null]; },
  coded: (d) => { const text = d.text(CODED, 9); return ENCODINGS.map((encoding) => [Buffer.from(text, encoding).toString("hex"), Buffer.byteLength(text, encoding), Buffer.from(text).toString(encoding)]); },
  "coded by the web": (d) => escape(atob(d.text(CODED, 9))),
  numbers: (d) => { const whole = d.roll(2 ** 31) - 2 ** 30; const at = d.roll(9) - 1; const name = d.of(NUMBERS); const buffer = Buffer.alloc(8); return [buffer[`write${name}`](/F|D/.test(name) ? whole / 7 : whole, at), buffer.toString("hex"), buffer[`read${name}`](at)]; },
  decoded: (d) => { const bytes = Uint8Array.from({ length: d.roll(9) }, () => d.of(BYTES)); const options = { fatal: d.roll(3) === 0, ignoreBOM: d.roll(2) === 0 }; const cuts = [d.roll(bytes.length + 1), d.roll(bytes.length + 1)].sort((a, b) => a - b); return ["utf-8", "utf-16le", "utf-16be", "windows-1252"].map((encoding) => escape(decoded(bytes, encoding, options, cuts))); },
  patterns: (d) => new URLPattern({ pathname: `/${d.text(PATTERNS, 6)}` }).exec({ pathname: `/${d.text(["/", "a", "12", "b", "-", "."], 6)}` })?.pathname.groups ?? null,
  headers: (d) => { const headers = new Headers(); const [name, value] = [d.text(NAMES, 4), d.text([...NAMES, "\u00e9"], 6)]; headers.append(name, value); headers.append(name, "2"); return [...headers]; },
  decimals: (d) => { const number = [d.roll(1e9) / (1 + d.roll(1e6)), (d.roll(2e9) - 1e9) * 10 ** (d.roll(60) - 30), d.roll(100) + 0.5][d.roll(3)]; const digits = d.roll(21); return [String(number), number.toFixed(digits), number.toPrecision(digits + 1), number.toExponential(digits), util.inspect(number)]; },
};

const attempt = (run) => { try { return run(); } catch (error) { return `threw ${error.name.replace("TypeError", "Error")}`; } };

export class Probe extends DurableObject {}
export default {
  fetch(request) {
    const asked = new URL(request.url).searchParams;
    const first = Number(asked.get("first"));
    const out = {};
    for (const [name, run] of Object.entries(cases))
      for (let seed = first; seed < first + Number(asked.get("count")); seed++) out[`${name} ${seed}`] = attempt(() => run(new Dice(seed)));
    return Response.json(out);
  },
};
