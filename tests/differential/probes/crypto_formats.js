// Web Crypto by format, algorithm and usage: what may be imported, exported, wrapped, derived, and how the rest fails. Served by durabox and by workerd.
import { ED, P256, RSA_KEY, S, aes, attempt, bytes, failure, hex, hmac, open, shown } from "./frames/keys.js";
import { asking, probe } from "./frames/together.js";

const RS = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, PS = { name: "RSA-PSS", hash: "SHA-256" }, OA = { name: "RSA-OAEP", hash: "SHA-256" }, EC = { name: "ECDSA", namedCurve: "P-256" }, DH = { name: "ECDH", namedCurve: "P-256" };
const N = { name: "NODE-ED25519", namedCurve: "NODE-ED25519" };
const { alg: _a, ...R } = RSA_KEY;
const imp = (jwk, alg, usages) => attempt(async () => shown(await S.importKey("jwk", jwk, alg, true, usages)));
const wait = (ms) => scheduler.wait(ms);

const cases = {};
const ALGS = {
  "AES-GCM": { p: { name: "AES-GCM", length: 128 }, secret: ["encrypt", "decrypt", "wrapKey", "unwrapKey"] },
  "AES-CBC": { p: { name: "AES-CBC", length: 256 }, secret: ["encrypt", "decrypt", "wrapKey", "unwrapKey"] },
  "AES-CTR": { p: { name: "AES-CTR", length: 192 }, secret: ["encrypt", "decrypt", "wrapKey", "unwrapKey"] },
  "AES-KW": { p: { name: "AES-KW", length: 128 }, secret: ["wrapKey", "unwrapKey"] },
  "HMAC": { p: { name: "HMAC", hash: "SHA-256" }, secret: ["sign", "verify"] },
  "ECDSA": { p: { name: "ECDSA", namedCurve: "P-256" }, pub: ["verify"], priv: ["sign"], jwk: P256 },
  "ECDH": { p: { name: "ECDH", namedCurve: "P-256" }, pub: [], priv: ["deriveBits", "deriveKey"], jwk: P256 },
  "Ed25519": { p: { name: "Ed25519" }, pub: ["verify"], priv: ["sign"], jwk: ED },
  "NODE-ED25519": { p: { name: "NODE-ED25519", namedCurve: "NODE-ED25519" }, pub: ["verify"], priv: ["sign"], jwk: ED },
  "X25519": { p: { name: "X25519" }, pub: [], priv: ["deriveBits", "deriveKey"] },
  "RSA-PSS": { p: { name: "RSA-PSS", hash: "SHA-256" }, pub: ["verify"], priv: ["sign"], jwk: RSA_KEY },
  "RSA-OAEP": { p: { name: "RSA-OAEP", hash: "SHA-256" }, pub: ["encrypt", "wrapKey"], priv: ["decrypt", "unwrapKey"], jwk: RSA_KEY },
  "RSASSA-PKCS1-v1_5": { p: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, pub: ["verify"], priv: ["sign"], jwk: RSA_KEY },
  "PBKDF2": { p: { name: "PBKDF2" }, raw: ["deriveBits", "deriveKey"] },
  "HKDF": { p: { name: "HKDF" }, raw: ["deriveBits", "deriveKey"] },
};
const FORMATS = ["raw", "pkcs8", "spki", "jwk"];
const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];
const X = { kty: "OKP", crv: "X25519", d: "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo", x: "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo" };
ALGS.X25519.jwk = X;
const rawSecret = { "AES-GCM": 16, "AES-CBC": 32, "AES-CTR": 24, "AES-KW": 16, HMAC: 20 };
const keysOf = async (name) => {
  const a = ALGS[name];
  if (a.secret) return { secret: await S.importKey("raw", bytes(rawSecret[name]), a.p, true, a.secret) };
  if (a.raw) return { secret: await S.importKey("raw", bytes(20), a.p, false, a.raw) };
  return { priv: await S.importKey("jwk", a.jwk, a.p, true, a.priv), pub: await S.importKey("jwk", open(a.jwk), a.p, true, a.pub) };
};
for (const name of Object.keys(ALGS)) {
  cases[`export ${name}`] = async () => { const out = {}; for (const [k, key] of Object.entries(await keysOf(name))) for (const f of FORMATS) out[`${k} ${f}`] = await attempt(async () => { const d = await S.exportKey(f, key); return f === "jwk" ? d : hex(d); }); return out; };
  cases[`import garbage ${name}`] = async () => { const a = ALGS[name]; const out = {}; for (const f of ["raw", "spki"]) out[f] = await failure(() => S.importKey(f, bytes(7), a.p, true, a.secret ?? a.raw ?? a.pub)); out.empty = await failure(() => S.importKey("raw", bytes(0), a.p, true, a.secret ?? a.raw ?? a.pub)); out.jwk = await failure(() => S.importKey("jwk", {}, a.p, true, a.secret ?? a.raw ?? a.pub)); out.jwk2 = await failure(() => S.importKey("jwk", { kty: "oct", k: "%%" }, a.p, true, a.secret ?? a.raw ?? a.pub)); out.jwk3 = await failure(() => S.importKey("jwk", null, a.p, true, a.secret ?? a.raw ?? a.pub)); return out; };
  cases[`usages ${name}`] = async () => { const a = ALGS[name]; const out = {}; for (const u of USAGES) out[u] = await attempt(async () => [...(a.jwk ? await S.importKey("jwk", a.jwk, a.p, true, [u]) : await S.importKey("raw", bytes(rawSecret[name] ?? 20), a.p, false, [u])).usages]); return out; };
  cases[`usages public ${name}`] = async () => { const a = ALGS[name]; if (!a.jwk) return 0; const out = {}; for (const u of USAGES) out[u] = await attempt(async () => [...(await S.importKey("jwk", open(a.jwk), a.p, true, [u])).usages]); return out; };
  cases[`usage order ${name}`] = async () => { const a = ALGS[name]; const u = [...(a.secret ?? a.raw ?? a.priv)].reverse(); return shown(a.jwk ? await S.importKey("jwk", a.jwk, a.p, true, [...u, ...u]) : await S.importKey("raw", bytes(rawSecret[name] ?? 20), a.p, false, [...u, ...u])); };
  cases[`operations ${name}`] = async () => { const out = {}; for (const [k, key] of Object.entries(await keysOf(name))) { const p = { ...ALGS[name].p, hash: "SHA-256", iv: bytes(name === "AES-GCM" ? 12 : 16), counter: bytes(16), length: 64, saltLength: 8, salt: bytes(4), info: bytes(2), iterations: 5, public: key };
    for (const [op, f] of Object.entries({ encrypt: () => S.encrypt(p, key, bytes(5)), decrypt: () => S.decrypt(p, key, bytes(5)), sign: () => S.sign(p, key, bytes(5)), verify: () => S.verify(p, key, bytes(name.endsWith("25519") ? 64 : 5), bytes(5)), deriveBits: () => S.deriveBits(p, key, 64), deriveKey: () => S.deriveKey(p, key, { name: "AES-GCM", length: 128 }, true, ["encrypt"]) })) out[`${k} ${op}`] = await failure(f); } return out; };
  cases[`mismatch ${name}`] = async () => { const other = name === "HMAC" ? "ECDSA" : "HMAC"; const out = []; for (const key of Object.values(await keysOf(name))) out.push(await attempt(() => S.sign({ name: other, hash: "SHA-256" }, key, bytes(3))), await attempt(() => S.encrypt({ name: name === "AES-GCM" ? "AES-CBC" : "AES-GCM", iv: bytes(16) }, key, bytes(3)))); return out; };
  cases[`case ${name}`] = async () => { const a = ALGS[name]; const p = { ...a.p, name: name.toLowerCase() }; return attempt(async () => shown(a.jwk ? await S.importKey("jwk", a.jwk, p, true, a.priv) : await S.importKey("raw", bytes(rawSecret[name] ?? 20), p, false, a.secret ?? a.raw))); };
  cases[`wrap ${name}`] = async () => { const out = {}; const w = await S.importKey("raw", bytes(16), "AES-GCM", true, ["wrapKey", "unwrapKey"]); const p = { name: "AES-GCM", iv: bytes(12) }; const a = ALGS[name]; for (const [k, key] of Object.entries(await keysOf(name))) for (const f of FORMATS) out[`${k} ${f}`] = await attempt(async () => { const c = await S.wrapKey(f, key, w, p); return shown(await S.unwrapKey(f, c, w, p, a.p, true, a.secret ?? a.raw ?? a[k])); }); return out; };
}
Object.assign(cases, {
  "derive no usage": async () => { const k = await S.importKey("raw", bytes(20), "HKDF", false, ["deriveBits"]); return S.deriveKey({ name: "HKDF", salt: bytes(8), info: bytes(3), hash: "SHA-256" }, k, { name: "AES-GCM", length: 256 }, true, ["encrypt"]); },
  "derive empty usages": async () => { const k = await S.importKey("raw", bytes(20), "HKDF", false, ["deriveKey"]); return S.deriveKey({ name: "HKDF", salt: bytes(8), info: bytes(3), hash: "SHA-256" }, k, { name: "AES-GCM", length: 256 }, true, []); },
  "derive bits lengths": async () => { const k = await S.importKey("raw", bytes(20), "HKDF", false, ["deriveBits"]); const out = []; for (const n of [0, 8, 12, null, undefined, -8, "16", NaN]) out.push(await attempt(async () => hex(await S.deriveBits({ name: "HKDF", salt: bytes(8), info: bytes(3), hash: "SHA-256" }, k, n)))); return out; },
  "derive pbkdf2 lengths": async () => { const k = await S.importKey("raw", bytes(20), "PBKDF2", false, ["deriveBits"]); const out = []; for (const n of [0, 8, 12, null, -8]) out.push(await attempt(async () => hex(await S.deriveBits({ name: "PBKDF2", salt: bytes(8), iterations: 3, hash: "SHA-256" }, k, n)))); return out; },
  "derive ecdh lengths": async () => { const k = await S.importKey("jwk", P256, ALGS.ECDH.p, true, ["deriveBits"]); const pub = await S.importKey("jwk", open(P256), ALGS.ECDH.p, true, []); const out = []; for (const n of [0, 8, 12, 250, 256, 257, null, undefined]) out.push(await attempt(async () => hex(await S.deriveBits({ name: "ECDH", public: pub }, k, n)))); return out; },
  "derive x25519 lengths": async () => { const k = await S.importKey("jwk", X, "X25519", true, ["deriveBits"]); const pub = await S.importKey("jwk", open(X), "X25519", true, []); const out = []; for (const n of [0, 8, 250, 256, 264, null]) out.push(await attempt(async () => hex(await S.deriveBits({ name: "X25519", public: pub }, k, n)))); return out; },
  "derive ecdh key": async () => { const k = await S.importKey("jwk", P256, ALGS.ECDH.p, true, ["deriveKey"]); const pub = await S.importKey("jwk", open(P256), ALGS.ECDH.p, true, []); const d = await S.deriveKey({ name: "ECDH", public: pub }, k, { name: "AES-GCM", length: 128 }, true, ["encrypt"]); return hex(await S.exportKey("raw", d)); },
  "derive ecdh hmac": async () => { const k = await S.importKey("jwk", P256, ALGS.ECDH.p, true, ["deriveKey"]); const pub = await S.importKey("jwk", open(P256), ALGS.ECDH.p, true, []); return attempt(async () => { const d = await S.deriveKey({ name: "ECDH", public: pub }, k, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]); return [shown(d), hex(await S.exportKey("raw", d))]; }); },
  "derive other curve": async () => { const k = await S.importKey("jwk", P256, ALGS.ECDH.p, true, ["deriveBits"]); const o = await S.generateKey({ name: "ECDH", namedCurve: "P-384" }, true, ["deriveBits"]); return S.deriveBits({ name: "ECDH", public: o.publicKey }, k, 256); },
  "derive public is ecdsa": async () => { const k = await S.importKey("jwk", P256, ALGS.ECDH.p, true, ["deriveBits"]); const o = await S.importKey("jwk", open(P256), ALGS.ECDSA.p, true, ["verify"]); return S.deriveBits({ name: "ECDH", public: o }, k, 256); },
  "derive public not key": async () => { const k = await S.importKey("jwk", P256, ALGS.ECDH.p, true, ["deriveBits"]); return S.deriveBits({ name: "ECDH", public: {} }, k, 256); },
  "x25519 zero point": async () => { const k = await S.importKey("jwk", X, "X25519", true, ["deriveBits"]); const pub = await S.importKey("raw", new Uint8Array(32), "X25519", true, []); return failure(() => S.deriveBits({ name: "X25519", public: pub }, k, 256)); },
  "wrap no usage": async () => S.wrapKey("raw", await aes("AES-GCM"), await aes("AES-GCM"), { name: "AES-GCM", iv: bytes(12) }),
  "wrap hmac by hmac": async () => failure(async () => S.wrapKey("raw", await hmac(), await hmac(), "HMAC")),
  "rsa hash sha512 oaep": async () => failure(async () => S.encrypt("RSA-OAEP", await S.importKey("jwk", open(RSA_KEY), { name: "RSA-OAEP", hash: "SHA-512" }, true, ["encrypt"]), bytes(5))),
  "oaep empty": async () => { const k = await S.importKey("jwk", RSA_KEY, ALGS["RSA-OAEP"].p, true, ["decrypt"]); const p = await S.importKey("jwk", open(RSA_KEY), ALGS["RSA-OAEP"].p, true, ["encrypt"]); return (await S.decrypt("RSA-OAEP", k, await S.encrypt("RSA-OAEP", p, bytes(0)))).byteLength; },
  "oaep label differs": async () => { const k = await S.importKey("jwk", RSA_KEY, ALGS["RSA-OAEP"].p, true, ["decrypt"]); const p = await S.importKey("jwk", open(RSA_KEY), ALGS["RSA-OAEP"].p, true, ["encrypt"]); return failure(async () => S.decrypt({ name: "RSA-OAEP", label: bytes(1) }, k, await S.encrypt("RSA-OAEP", p, bytes(3)))); },
  "ecdsa wrong signature length": async () => { const p = await S.importKey("jwk", open(P256), ALGS.ECDSA.p, true, ["verify"]); return [await S.verify({ name: "ECDSA", hash: "SHA-256" }, p, bytes(10), bytes(3)), await S.verify({ name: "ECDSA", hash: "SHA-256" }, p, new Uint8Array(64), bytes(3))]; },
  "gcm tags": async () => { const k = await aes("AES-GCM"); const out = []; for (const t of [32, 64, 96, 104, 112, 120, 128, 0, 8, 136, "128", null]) out.push(await attempt(async () => (await S.encrypt({ name: "AES-GCM", iv: bytes(12), tagLength: t }, k, bytes(3))).byteLength)); return out; },
  "gcm empty data": async () => { const k = await aes("AES-GCM"); const p = { name: "AES-GCM", iv: bytes(12) }; const c = await S.encrypt(p, k, bytes(0)); return [hex(c), (await S.decrypt(p, k, c)).byteLength]; },
  "cbc empty": async () => { const k = await aes("AES-CBC"); const p = { name: "AES-CBC", iv: bytes(16) }; const c = await S.encrypt(p, k, bytes(0)); return [hex(c), (await S.decrypt(p, k, c)).byteLength, await attempt(() => S.decrypt(p, k, bytes(0)))]; },
  "ctr lengths": async () => { const k = await aes("AES-CTR"); const out = []; for (const n of [1, 8, 127, 128, 129, -1]) out.push(await attempt(async () => hex(await S.encrypt({ name: "AES-CTR", counter: bytes(16), length: n }, k, bytes(5))))); return out; },
  "hmac long key": async () => hex(await S.sign("HMAC", await hmac("SHA-256", 200), bytes(3))),
  "hmac generate lengths": async () => { const out = []; for (const length of [1, 7, 9, 8, 1000, undefined]) out.push(await attempt(async () => shown(await S.generateKey({ name: "HMAC", hash: "SHA-256", length }, true, ["sign"])))); return out; },
  "hmac import lengths": async () => { const out = []; for (const length of [20, 24, 25, 17, 0, 16]) out.push(await attempt(async () => { const k = await S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1", length }, true, ["sign"]); return [shown(k), hex(await S.exportKey("raw", k))]; })); return out; },
  "hmac jwk alg": async () => { const out = []; for (const alg of ["HS256", "HS1", "HS512", "none", undefined]) out.push(await attempt(async () => shown(await S.importKey("jwk", { kty: "oct", k: "AAEC", alg }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])))); return out; },
  "jwk padded": async () => attempt(async () => hex(await S.exportKey("raw", await S.importKey("jwk", { kty: "oct", k: "AAECAwQFBgcICQoLDA0ODw==" }, "AES-GCM", true, ["encrypt"])))),
  "jwk base64 not url": async () => attempt(async () => hex(await S.exportKey("raw", await S.importKey("jwk", { kty: "oct", k: "++++////AAAAAAAAAAAAAA" }, "AES-GCM", true, ["encrypt"])))),
  "jwk rsa wrong alg": () => S.importKey("jwk", { ...RSA_KEY, alg: "RS512" }, ALGS["RSASSA-PKCS1-v1_5"].p, true, ["sign"]),
  "jwk ec d too short": () => failure(() => S.importKey("jwk", { ...P256, d: "AQ" }, ALGS.ECDSA.p, true, ["sign"])),
  "jwk ec d other key": () => failure(() => S.importKey("jwk", { ...P256, d: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE" }, ALGS.ECDSA.p, true, ["sign"])),
  "jwk ed no x": () => failure(() => S.importKey("jwk", { kty: "OKP", crv: "Ed25519", d: ED.d }, "Ed25519", true, ["sign"])),
  "raw compressed point": async () => attempt(async () => { const p = await S.importKey("jwk", open(P256), ALGS.ECDSA.p, true, ["verify"]); const raw = new Uint8Array(await S.exportKey("raw", p)); const c = new Uint8Array(33); c[0] = 2 + (raw[64] & 1); c.set(raw.subarray(1, 33), 1); return hex(await S.exportKey("raw", await S.importKey("raw", c, ALGS.ECDSA.p, true, ["verify"]))); }),
  "generate rsa exponents": async () => { const out = []; for (const e of [[3], [1, 0, 1], [0, 0, 1, 0, 1], [1], [2], [], [0, 1, 0, 1]]) out.push(await attempt(async () => [...(await S.generateKey({ name: "RSA-PSS", hash: "SHA-256", publicExponent: new Uint8Array(e), modulusLength: 1024 }, true, ["sign"])).publicKey.algorithm.publicExponent])); return out; },
  "generate not extractable": async () => { const p = await S.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]); return [p.publicKey.extractable, p.privateKey.extractable, await attempt(() => S.exportKey("jwk", p.privateKey)), typeof await attempt(() => S.exportKey("jwk", p.publicKey))]; },
  "generate usages": async () => { const out = {}; for (const [n, a] of Object.entries(ALGS)) for (const u of USAGES) { if (n.startsWith("RSA")) continue; out[`${n} ${u}`] = await failure(() => S.generateKey(a.p, true, [u])); } return out; },
  "getRandomValues": () => [new Uint8Array(0), new Int8Array(3), new BigUint64Array(1), new Uint8ClampedArray(1)].map((v) => crypto.getRandomValues(v) === v),
  "getRandomValues float": () => crypto.getRandomValues(new Float32Array(1)),
  "getRandomValues view": () => crypto.getRandomValues(new DataView(new ArrayBuffer(1))),
  "getRandomValues large": () => crypto.getRandomValues(new Uint8Array(65537)),
  "getRandomValues largest": () => crypto.getRandomValues(new Uint8Array(65536)).length,
  "getRandomValues buffer": () => crypto.getRandomValues(new ArrayBuffer(4)),
  "getRandomValues nothing": () => crypto.getRandomValues(),
  "randomUUID": () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
  "timingSafeEqual kinds": async () => [await attempt(() => S.timingSafeEqual(bytes(4), new Uint32Array(1))), await attempt(() => S.timingSafeEqual(new DataView(new ArrayBuffer(2)), new Uint8Array(2))), await attempt(() => S.timingSafeEqual(bytes(0), bytes(0))), await attempt(() => S.timingSafeEqual(bytes(3))), await attempt(() => S.timingSafeEqual()), await attempt(() => S.timingSafeEqual(null, bytes(1)))],
  "digest stream numbers": async () => { const d = new crypto.DigestStream("SHA-256"); const w = d.getWriter(); return attempt(() => w.write(5)); },
  "digest stream object name": async () => { const d = new crypto.DigestStream({ name: "SHA-512" }); await d.getWriter().close(); return hex(await d.digest); },
  "digest stream before close": async () => { const d = new crypto.DigestStream("SHA-1"); return Promise.race([d.digest, wait(5).then(() => "waits")]); },
  "digest stream bytes": async () => { const d = new crypto.DigestStream("SHA-1"); const w = d.getWriter(); await w.write(bytes(3).buffer); await w.write(new Uint16Array(2)); return [typeof d.bytesWritten, String(d.bytesWritten)]; },
  "digest stream view": async () => { const d = new crypto.DigestStream("SHA-1"); const w = d.getWriter(); await w.write(bytes(9).subarray(2, 5)); await w.close(); return hex(await d.digest); },
  "digest stream tag": () => [Object.prototype.toString.call(new crypto.DigestStream("MD5")), typeof DigestStream],
  "digest stream same": () => { const d = new crypto.DigestStream("MD5"); return d.digest === d.digest; },
  "digest stream dispose": async () => { const d = new crypto.DigestStream("MD5"); d[Symbol.dispose]?.(); return attempt(() => d.digest); },
  "digest stream no name": () => new crypto.DigestStream(),
  "sign copies": async () => { const k = await hmac(); const b = bytes(4); const p = S.sign("HMAC", k, b); b.fill(9); return hex(await p); },
  "key getters": async () => { const k = await hmac(); return [k.algorithm === k.algorithm, k.usages === k.usages, Object.isFrozen(k.usages)]; },
  "errors are DOMException": async () => { try { await S.importKey("raw", bytes(3), "AES-GCM", true, ["encrypt"]); } catch (e) { return [e instanceof DOMException, e.code, e.name, e.constructor.name]; } },
  "derive to each": async () => { const k = await S.importKey("raw", bytes(20), "HKDF", false, ["deriveKey"]); const p = { name: "HKDF", salt: bytes(8), info: bytes(3), hash: "SHA-256" }; const out = {}; for (const t of [{ name: "AES-GCM", length: 256 }, { name: "AES-CTR", length: 128 }, { name: "AES-KW", length: 192 }, { name: "HMAC", hash: "SHA-256" }, { name: "HMAC", hash: "SHA-512" }, { name: "HMAC", hash: "SHA-1", length: 64 }, { name: "HKDF" }, "PBKDF2", { name: "ECDSA", namedCurve: "P-256" }]) out[JSON.stringify(t)] = await attempt(async () => { const d = await S.deriveKey(p, k, t, true, t.name === "HMAC" ? ["sign"] : t.name === "AES-KW" ? ["wrapKey"] : t.name?.startsWith("AES") ? ["encrypt"] : ["deriveBits"]); return [shown(d), d.extractable && hex(await S.exportKey("raw", d))]; }); return out; },
  "gcm iv lengths": async () => { const k = await aes("AES-GCM"); const out = []; for (const n of [8, 12, 16, 100, 128]) out.push(hex(await S.encrypt({ name: "AES-GCM", iv: bytes(n) }, k, bytes(3)))); return out; },
  "gcm iv short": async () => hex(await S.encrypt({ name: "AES-GCM", iv: bytes(7) }, await aes("AES-GCM"), bytes(3))),
  "ed25519 wrong length": async () => S.verify("Ed25519", await S.importKey("jwk", open(ED), "Ed25519", true, ["verify"]), bytes(10), bytes(3)),
  "jwk ed d other key": () => failure(() => S.importKey("jwk", { ...ED, d: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE" }, "Ed25519", true, ["sign"])),
  "jwk rsa without primes": async () => failure(() => S.importKey("jwk", { kty: "RSA", n: RSA_KEY.n, e: RSA_KEY.e, d: RSA_KEY.d }, RS, true, ["sign"])),
  "wrap jwk by kw": async () => failure(async () => S.wrapKey("jwk", await aes("AES-GCM"), await aes("AES-KW", ["wrapKey"]), "AES-KW")),
  "rsa algs": async () => { const out = {}; for (const alg of ["RS256", "RS512", "PS256", "RSA-OAEP-256", "RSA-OAEP", "RS1", "XX", "", "ES256"]) out[alg] = [typeof await imp({ ...R, alg }, RS, ["sign"]), await imp({ ...R, alg }, RS, ["sign"]), await imp({ ...R, alg }, PS, ["sign"]), await imp({ ...R, alg }, OA, ["decrypt"])].slice(1).map((x) => typeof x === "string" ? x : "ok"); return out; },
  "rsa use": async () => { const out = {}; for (const use of ["sig", "enc", "x"]) out[use] = [await imp({ ...R, use }, RS, ["sign"]), await imp({ ...R, use }, OA, ["decrypt"])].map((x) => typeof x === "string" ? x : "ok"); return out; },
  "ec algs": async () => { const out = {}; for (const alg of ["ES256", "ES384", "XX", "ECDH-ES"]) out[alg] = [await imp({ ...P256, alg }, EC, ["sign"]), await imp({ ...P256, alg }, DH, ["deriveBits"])].map((x) => typeof x === "string" ? x : "ok"); return out; },
  "ec use": async () => { const out = {}; for (const use of ["sig", "enc", "x"]) out[use] = [await imp({ ...P256, use }, EC, ["sign"]), await imp({ ...P256, use }, DH, ["deriveBits"])].map((x) => typeof x === "string" ? x : "ok"); return out; },
  "ed algs": async () => { const out = {}; for (const alg of ["EdDSA", "Ed25519", "XX", "ES256"]) out[alg] = [await imp({ ...ED, alg }, "Ed25519", ["sign"])].map((x) => typeof x === "string" ? x : "ok"); return out; },
  "ed use": async () => { const out = {}; for (const use of ["sig", "enc", "x"]) out[use] = [await imp({ ...ED, use }, "Ed25519", ["sign"])].map((x) => typeof x === "string" ? x : "ok"); return out; },
  "k forms": async () => { const out = {}; for (const k of ["AA", "AAA", "AAAA", "AA==", "A", "AA AA", "A+_-", "\u00e9AAA", "", 5]) out[k] = await attempt(async () => hex(await S.exportKey("raw", await S.importKey("jwk", { kty: "oct", k }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])))); return out; },
  "rsa n padded": async () => (await imp({ ...open(R), n: R.n + "=" }, RS, ["verify"])).type ?? "no",
  "ec padded": async () => [await imp({ ...open(P256), x: P256.x + "=" }, EC, ["verify"]), await imp({ ...open(P256), y: P256.y.replaceAll("-", "+").replaceAll("_", "/") + "=" }, EC, ["verify"])],
  "node ed25519 raw": async () => { const p = await S.importKey("jwk", open(ED), "Ed25519", true, ["verify"]); const raw = await S.exportKey("raw", p); const k = await S.importKey("raw", raw, N, true, ["verify"]); const priv = await S.importKey("jwk", ED, "Ed25519", true, ["sign"]); const s = await S.sign("Ed25519", priv, bytes(3)); return [shown(k), await S.verify("NODE-ED25519", k, s, bytes(3)), await S.verify(N, k, s, bytes(4)), await attempt(() => S.verify("Ed25519", k, s, bytes(3)))]; },
  "node ed25519 jwk": async () => S.exportKey("jwk", await S.importKey("jwk", ED, N, true, ["sign"])),
  "node ed25519 generate": async () => { const p = await S.generateKey(N, true, ["sign", "verify"]); return [shown(p.publicKey), shown(p.privateKey), (await S.sign("NODE-ED25519", p.privateKey, bytes(1))).byteLength]; },
  "node ed25519 no curve": async () => [await attempt(async () => shown((await S.generateKey("NODE-ED25519", true, ["sign", "verify"])).publicKey)), await imp(ED, "NODE-ED25519", ["sign"]), await imp(ED, { name: "NODE-ED25519", namedCurve: "Ed25519" }, ["sign"]), await attempt(async () => shown((await S.generateKey({ name: "NODE-ED25519", namedCurve: "x" }, true, ["sign", "verify"])).publicKey))],
  "node ed25519 formats": async () => { const p = await S.importKey("jwk", open(ED), N, true, ["verify"]); const k = await S.importKey("jwk", ED, N, true, ["sign"]); return [hex(await S.exportKey("spki", p)), hex(await S.exportKey("raw", p)), hex(await S.exportKey("pkcs8", k)), shown(await S.importKey("spki", await S.exportKey("spki", p), N, true, ["verify"])), shown(await S.importKey("pkcs8", await S.exportKey("pkcs8", k), N, true, ["sign"]))]; },
  "dispose digest": async () => { const d = new crypto.DigestStream("MD5"); const out = [typeof d[Symbol.dispose], await attempt(() => d[Symbol.dispose]()), await attempt(() => d.digest)]; return [...out, await attempt(() => d.getWriter().write(bytes(1)))]; },
  "dispose digest done": async () => { const d = new crypto.DigestStream("MD5"); await d.getWriter().close(); d[Symbol.dispose]?.(); return hex(await d.digest); },
  "crv of another": async () => failure(() => S.importKey("jwk", { ...P256, crv: "P-384" }, EC, true, ["sign"])),
  "key_ops of another, secret": async () => failure(() => S.importKey("jwk", { kty: "oct", k: "AAAA", key_ops: ["verify"] }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])),
  "key_ops of another, private": async () => failure(() => S.importKey("jwk", { ...P256, key_ops: ["verify"] }, EC, true, ["sign"])),
  "use of another, secret": async () => failure(() => S.importKey("jwk", { kty: "oct", k: "AAAA", use: "enc" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"])),
});

export class Probe extends probe(cases, attempt, 10_000) {}
export default asking;
