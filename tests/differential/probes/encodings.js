// TextDecoder under every label of the Encoding Standard, whole and in pieces. Served by durabox and by workerd; the two answers must be equal.
import { DurableObject } from "cloudflare:workers";

const LABELS = ("unicode-1-1-utf-8 utf-8 utf8 x-unicode20utf8 866 cp866 csibm866 ibm866 csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 l2 latin2 " +
  "csisolatin3 iso-8859-3 latin3 iso-8859-4 latin4 csisolatincyrillic cyrillic iso-8859-5 arabic asmo-708 iso-8859-6 greek greek8 iso-8859-7 sun_eu_greek " +
  "hebrew iso-8859-8 visual iso-8859-8-i logical iso-8859-10 latin6 iso-8859-13 iso-8859-14 iso-8859-15 latin9 iso-8859-16 koi koi8 koi8-r koi8_r koi8-u koi8-ru " +
  "macintosh x-mac-roman mac dos-874 windows-874 tis-620 iso-8859-11 cp1250 windows-1250 windows-1251 ascii us-ascii latin1 l1 iso-8859-1 iso8859-1 windows-1252 " +
  "windows-1253 windows-1254 iso-8859-9 latin5 windows-1255 windows-1256 windows-1257 windows-1258 x-mac-cyrillic x-mac-ukrainian gbk chinese gb2312 csgb2312 gb_2312 " +
  "gb18030 big5 big5-hkscs cn-big5 x-x-big5 euc-jp x-euc-jp iso-2022-jp csiso2022jp shift_jis sjis ms_kanji windows-31j x-sjis euc-kr korean ks_c_5601-1987 windows-949 " +
  "unicode ucs-2 utf-16 utf-16le utf-16be unicodefffe x-user-defined hz-gb-2312 replacement iso-2022-kr utf-7 utf-32 nonsense").split(" ");
const attempt = (run) => { try { return run(); } catch (error) { return `${error.name}: ${error.message}`; } };
const HIGH = Uint8Array.from({ length: 256 }, (_, byte) => byte);
/** Text in each encoding whose characters take several bytes; what becomes of malformed bytes in them is not compared. */
const SAMPLES = {
  gbk: [0xd6, 0xd0, 0x41, 0xce, 0xc4, 0x81, 0x30, 0x81, 0x30, 0x84, 0x31, 0xa4, 0x37],
  big5: [0xa4, 0xa4, 0x41, 0xa4, 0xe5, 0xc6, 0xe8],
  "euc-jp": [0xc6, 0xfc, 0xcb, 0xdc, 0x41, 0x8e, 0xb1, 0x8f, 0xb0, 0xa1],
  "iso-2022-jp": [0x41, 0x1b, 0x24, 0x42, 0x46, 0x7c, 0x4b, 0x5c, 0x1b, 0x28, 0x42, 0x41, 0x1b, 0x28, 0x49, 0x31],
  shift_jis: [0x93, 0xfa, 0x96, 0x7b, 0x41, 0xb1, 0x5c],
  "euc-kr": [0xc7, 0xd1, 0x41, 0xb1, 0xdb],
};
SAMPLES.gb18030 = SAMPLES.gbk;

function pieces(label, bytes, size) {
  const decoder = new TextDecoder(label);
  let text = "";
  for (let at = 0; at < bytes.length; at += size) text += decoder.decode(bytes.subarray(at, at + size), { stream: true });
  return [text + decoder.decode(), decoder.decode()];
}

const cases = {};
for (const label of LABELS) {
  const bytes = () => { const { encoding } = new TextDecoder(label); return SAMPLES[encoding] ? Uint8Array.from(SAMPLES[encoding]) : HIGH; };
  cases[`${label} properties`] = () => { const d = new TextDecoder(label); return [d.encoding, d.fatal, d.ignoreBOM]; };
  cases[`${label} whole`] = () => new TextDecoder(label).decode(bytes());
  cases[`${label} fatal`] = () => new TextDecoder(label, { fatal: true }).decode(bytes());
  cases[`${label} pieces`] = () => [pieces(label, bytes(), 1), pieces(label, bytes(), 3)];
}
cases["label with space"] = () => new TextDecoder(" \tUTF-8\n").encoding;

export class Probe extends DurableObject {
  async fetch() {
    const out = {};
    for (const [name, run] of Object.entries(cases)) out[name] = attempt(run);
    return Response.json(out);
  }
}

export default { fetch: (request, env) => env.PROBE.getByName("probe").fetch(request) };
