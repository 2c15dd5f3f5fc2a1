// Web Crypto as a Worker sees it, case by case. Served by durabox and by workerd; the two answers must be equal.
import { ED, P256, RSA_KEY, S, aes, attempt, bytes, failure, hex, hmac, open, shown, utf8 } from "./frames/keys.js";
import { asking, probe } from "./frames/together.js";

const pair = async (algorithm, usages) => { const p = await S.generateKey(algorithm, true, usages); return { public: shown(p.publicKey), private: shown(p.privateKey) }; };
const present = (jwk) => Object.keys(jwk).filter((k) => jwk[k] !== undefined).sort();
const cases = {};
for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5", "sha-256"]) cases[`digest ${hash}`] = async () => hex(await S.digest(hash, utf8("abc")));
for (const hash of ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5"]) cases[`hmac ${hash}`] = async () => hex(await S.sign("HMAC", await hmac(hash), utf8("abc")));
for (const [name, p] of Object.entries({
  "gcm": { name: "AES-GCM", iv: bytes(12) }, "gcm aad": { name: "AES-GCM", iv: bytes(12), additionalData: bytes(5) }, "gcm long iv": { name: "AES-GCM", iv: bytes(20) },
  "gcm tag 96": { name: "AES-GCM", iv: bytes(12), tagLength: 96 }, "cbc": { name: "AES-CBC", iv: bytes(16) },
  "ctr": { name: "AES-CTR", counter: bytes(16), length: 64 }, "ctr wraps": { name: "AES-CTR", counter: new Uint8Array(16).fill(255), length: 8 }, "ctr 128": { name: "AES-CTR", counter: new Uint8Array(16).fill(255), length: 128 },
})) cases[`aes ${name}`] = async () => { const k = await aes(p.name); const c = await S.encrypt(p, k, bytes(50)); return [hex(c), hex(await S.decrypt(p, k, c))]; };
for (const n of [16, 24, 32]) cases[`aes key ${n}`] = async () => [shown(await aes("AES-GCM", ["encrypt"], n)), hex(await S.encrypt({ name: "AES-CBC", iv: bytes(16) }, await aes("AES-CBC", ["encrypt"], n), bytes(3)))];
for (const name of ["AES-GCM", "AES-CBC", "AES-CTR", "AES-KW"]) cases[`jwk ${name}`] = async () => S.exportKey("jwk", await aes(name, name === "AES-KW" ? ["wrapKey"] : ["encrypt"], 32));
for (const hash of ["SHA-1", "SHA-256", "SHA-512"]) cases[`jwk hmac ${hash}`] = async () => S.exportKey("jwk", await hmac(hash));
for (const curve of ["P-256", "P-384", "P-521"]) for (const name of ["ECDSA", "ECDH"]) {
  cases[`pair ${name} ${curve}`] = () => pair({ name, namedCurve: curve }, name === "ECDSA" ? ["sign", "verify"] : ["deriveBits", "deriveKey"]);
  cases[`formats ${name} ${curve}`] = async () => {
    const p = await S.generateKey({ name, namedCurve: curve }, true, name === "ECDSA" ? ["sign", "verify"] : ["deriveBits"]);
    const out = [];
    for (const [f, k, usages] of [["raw", p.publicKey, name === "ECDSA" ? ["verify"] : []], ["spki", p.publicKey, name === "ECDSA" ? ["verify"] : []], ["pkcs8", p.privateKey, name === "ECDSA" ? ["sign"] : ["deriveBits"]], ["jwk", p.publicKey, name === "ECDSA" ? ["verify"] : []], ["jwk", p.privateKey, name === "ECDSA" ? ["sign"] : ["deriveBits"]]]) {
      const data = await S.exportKey(f, k);
      const again = await S.exportKey(f, await S.importKey(f, data, { name, namedCurve: curve }, true, usages));
      out.push(f === "jwk" ? [present(data), data.alg, data.key_ops, data.ext, data.x.length, JSON.stringify(data) === JSON.stringify(again)] : [data.byteLength, hex(data) === hex(again)]);
    }
    return out;
  };
}
for (const name of ["Ed25519", "X25519"]) {
  const usages = name === "Ed25519" ? [["verify"], ["sign"]] : [[], ["deriveBits"]];
  cases[`pair ${name}`] = () => pair(name, usages.flat());
  cases[`formats ${name}`] = async () => {
    const p = await S.generateKey(name, true, usages.flat());
    const out = [];
    for (const [f, k, u] of [["raw", p.publicKey, usages[0]], ["spki", p.publicKey, usages[0]], ["pkcs8", p.privateKey, usages[1]], ["jwk", p.publicKey, usages[0]], ["jwk", p.privateKey, usages[1]]]) {
      const data = await S.exportKey(f, k);
      const again = await S.exportKey(f, await S.importKey(f, data, name, true, u));
      out.push(f === "jwk" ? [present(data), data.alg, data.crv, JSON.stringify(data) === JSON.stringify(again)] : [data.byteLength, hex(data) === hex(again)]);
    }
    return out;
  };
}
for (const name of ["RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP"]) for (const hash of ["SHA-1", "SHA-256", "SHA-384"]) {
  const usages = name === "RSA-OAEP" ? [["encrypt"], ["decrypt"]] : [["verify"], ["sign"]];
  cases[`formats ${name} ${hash}`] = async () => {
    const out = [];
    const secret = await S.importKey("jwk", RSA_KEY, { name, hash }, true, usages[1]);
    const known = await S.importKey("jwk", open(RSA_KEY), { name, hash }, true, usages[0]);
    for (const [f, k, u] of [["spki", known, usages[0]], ["pkcs8", secret, usages[1]], ["jwk", known, usages[0]], ["jwk", secret, usages[1]]]) {
      const data = await S.exportKey(f, k);
      out.push(f === "jwk" ? data : hex(data), shown(await S.importKey(f, data, { name, hash }, true, u)));
    }
    return out;
  };
  cases[`works ${name} ${hash}`] = async () => {
    const secret = await S.importKey("jwk", RSA_KEY, { name, hash }, true, usages[1]);
    const known = await S.importKey("jwk", open(RSA_KEY), { name, hash }, true, usages[0]);
    if (name === "RSA-OAEP") return hex(await S.decrypt({ name, label: bytes(3) }, secret, await S.encrypt({ name, label: bytes(3) }, known, bytes(20))));
    const signature = await S.sign({ name, saltLength: 20 }, secret, utf8("x"));
    return [name === "RSA-PSS" ? signature.byteLength : hex(signature), await S.verify({ name, saltLength: 20 }, known, signature, utf8("x")), await S.verify({ name, saltLength: 20 }, known, signature, utf8("y"))];
  };
}
Object.assign(cases, {
  "pair rsa": () => pair({ ...RSA, name: "RSA-PSS" }, ["sign", "verify"]),
  "pair rsa oaep": () => pair({ ...RSA, name: "RSA-OAEP" }, ["encrypt", "decrypt", "wrapKey", "unwrapKey"]),
  "digest object": async () => hex(await S.digest({ name: "SHA-256" }, utf8("abc").buffer)),
  "digest view": async () => hex(await S.digest("SHA-256", bytes(10).subarray(2, 4))),
  "digest large": async () => hex(await S.digest("SHA-256", new Uint8Array(1 << 20))),
  "digest unknown": () => S.digest("SHA-3", bytes(1)),
  "digest no data": () => S.digest("SHA-256"),
  "digest text": () => S.digest("SHA-256", "text"),
  "digest nothing": () => S.digest(),
  "digest no name": () => S.digest({}, bytes(1)),
  "digest detached": () => { const { digest } = S; return digest("SHA-256", bytes(1)); },
  "hmac verify": async () => { const k = await hmac(); const s = await S.sign("HMAC", k, bytes(3)); return [await S.verify("HMAC", k, s, bytes(3)), await S.verify("HMAC", k, s, bytes(4)), await S.verify("HMAC", k, new Uint8Array(3), bytes(3))]; },
  "hmac key": async () => shown(await hmac()),
  "hmac generate": async () => { const k = await S.generateKey({ name: "HMAC", hash: "SHA-512" }, true, ["sign"]); return [shown(k), (await S.exportKey("raw", k)).byteLength]; },
  "hmac generate length": async () => { const k = await S.generateKey({ name: "HMAC", hash: "SHA-1", length: 80 }, true, ["verify", "sign"]); return [shown(k), (await S.exportKey("raw", k)).byteLength]; },
  "hmac length 0": () => S.generateKey({ name: "HMAC", hash: "SHA-1", length: 0 }, true, ["sign"]),
  "hmac no hash": () => S.importKey("raw", bytes(3), "HMAC", true, ["sign"]),
  "hmac bad hash": () => S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA" }, true, ["sign"]),
  "hmac bad usage": () => S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1" }, true, ["encrypt"]),
  "hmac unknown usage": () => S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1" }, true, ["fly"]),
  "hmac no usages": () => S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1" }, true, []),
  "hmac wrong length": () => S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1", length: 3 }, true, ["sign"]),
  "hmac empty": () => S.importKey("raw", bytes(0), { name: "HMAC", hash: "SHA-1" }, true, ["sign"]),
  "usage not allowed": async () => S.sign("HMAC", await S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1" }, true, ["verify"]), bytes(1)),
  "wrong algorithm": async () => S.sign("ECDSA", await hmac(), bytes(1)),
  "encrypt with hmac": async () => S.encrypt("HMAC", await hmac(), bytes(1)),
  "sign without key": () => S.sign("HMAC", null, bytes(1)),
  "sign without data": async () => S.sign("HMAC", await hmac()),
  "not extractable": async () => S.exportKey("raw", await S.importKey("raw", bytes(16), "AES-GCM", false, ["encrypt"])),
  "export pkcs8 of secret": async () => S.exportKey("pkcs8", await aes("AES-GCM")),
  "export unknown format": async () => S.exportKey("pem", await aes("AES-GCM")),
  "export raw of private": async () => { const p = await S.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]); return S.exportKey("raw", p.privateKey); },
  "export pkdf2": async () => S.exportKey("raw", await S.importKey("raw", bytes(3), "PBKDF2", false, ["deriveBits"])),
  "import unknown algorithm": () => S.importKey("raw", bytes(3), "ROT13", true, []),
  "import unknown format": () => S.importKey("pem", bytes(16), "AES-GCM", true, ["encrypt"]),
  "import not bytes": () => S.importKey("raw", "text", "AES-GCM", true, ["encrypt"]),
  "import jwk bytes": () => S.importKey("jwk", bytes(16), "AES-GCM", true, ["encrypt"]),
  "generate unknown": () => S.generateKey("ROT13", true, []),
  "generate pbkdf2": () => S.generateKey("PBKDF2", true, ["deriveBits"]),
  "generate no usages": () => S.generateKey({ name: "AES-GCM", length: 128 }, true, []),
  "generate pair no usages": () => S.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]),
  "generate bad usage": () => S.generateKey({ name: "AES-GCM", length: 128 }, true, ["sign"]),
  "generate aes 100": () => S.generateKey({ name: "AES-GCM", length: 100 }, true, ["encrypt"]),
  "generate aes no length": () => S.generateKey("AES-GCM", true, ["encrypt"]),
  "generate curve": () => S.generateKey({ name: "ECDSA", namedCurve: "P-1" }, true, ["sign"]),
  "generate no curve": () => S.generateKey("ECDSA", true, ["sign"]),
  "generate rsa exponent": () => S.generateKey({ ...RSA, name: "RSA-PSS", publicExponent: new Uint8Array([5]) }, true, ["sign"]),
  "generate rsa bits": () => S.generateKey({ ...RSA, name: "RSA-PSS", modulusLength: 100 }, true, ["sign"]),
  "aes key length": () => aes("AES-GCM", ["encrypt"], 15),
  "aes no iv": async () => S.encrypt("AES-GCM", await aes("AES-GCM"), bytes(3)),
  "aes bad iv": async () => S.encrypt({ name: "AES-GCM", iv: "text" }, await aes("AES-GCM"), bytes(3)),
  "gcm empty iv": async () => S.encrypt({ name: "AES-GCM", iv: bytes(0) }, await aes("AES-GCM"), bytes(3)),
  "gcm tag length": async () => S.encrypt({ name: "AES-GCM", iv: bytes(12), tagLength: 7 }, await aes("AES-GCM"), bytes(3)),
  "gcm short": async () => S.decrypt({ name: "AES-GCM", iv: bytes(12) }, await aes("AES-GCM"), bytes(3)),
  "gcm changed": async () => S.decrypt({ name: "AES-GCM", iv: bytes(12) }, await aes("AES-GCM"), bytes(30)),
  "cbc iv": async () => S.encrypt({ name: "AES-CBC", iv: bytes(12) }, await aes("AES-CBC"), bytes(3)),
  "cbc padding": async () => S.decrypt({ name: "AES-CBC", iv: bytes(16) }, await aes("AES-CBC"), bytes(16)),
  "cbc length": async () => S.decrypt({ name: "AES-CBC", iv: bytes(16) }, await aes("AES-CBC"), bytes(15)),
  "ctr counter": async () => S.encrypt({ name: "AES-CTR", counter: bytes(15), length: 64 }, await aes("AES-CTR"), bytes(3)),
  "ctr length": async () => S.encrypt({ name: "AES-CTR", counter: bytes(16), length: 0 }, await aes("AES-CTR"), bytes(3)),
  "ctr too many": async () => S.encrypt({ name: "AES-CTR", counter: bytes(16), length: 1 }, await aes("AES-CTR"), bytes(33)),
  "pbkdf2": async () => hex(await S.deriveBits({ name: "PBKDF2", salt: bytes(8), iterations: 2000, hash: "SHA-256" }, await S.importKey("raw", utf8("pw"), "PBKDF2", false, ["deriveBits"]), 256)),
  "pbkdf2 key": async () => { const k = await S.deriveKey({ name: "PBKDF2", salt: bytes(8), iterations: 10, hash: "SHA-1" }, await S.importKey("raw", utf8("pw"), "PBKDF2", false, ["deriveKey"]), { name: "AES-GCM", length: 256 }, true, ["encrypt"]); return [shown(k), hex(await S.exportKey("raw", k))]; },
  "pbkdf2 0": async () => S.deriveBits({ name: "PBKDF2", salt: bytes(8), iterations: 0, hash: "SHA-256" }, await S.importKey("raw", utf8("pw"), "PBKDF2", false, ["deriveBits"]), 256),
  "pbkdf2 bits": async () => S.deriveBits({ name: "PBKDF2", salt: bytes(8), iterations: 1, hash: "SHA-256" }, await S.importKey("raw", utf8("pw"), "PBKDF2", false, ["deriveBits"]), 7),
  "pbkdf2 null": async () => S.deriveBits({ name: "PBKDF2", salt: bytes(8), iterations: 1, hash: "SHA-256" }, await S.importKey("raw", utf8("pw"), "PBKDF2", false, ["deriveBits"]), null),
  "pbkdf2 no salt": async () => S.deriveBits({ name: "PBKDF2", iterations: 1, hash: "SHA-256" }, await S.importKey("raw", utf8("pw"), "PBKDF2", false, ["deriveBits"]), 8),
  "hkdf": async () => hex(await S.deriveBits({ name: "HKDF", salt: bytes(8), info: bytes(3), hash: "SHA-256" }, await S.importKey("raw", bytes(20), "HKDF", false, ["deriveBits"]), 600)),
  "hkdf long": async () => S.deriveBits({ name: "HKDF", salt: bytes(8), info: bytes(3), hash: "SHA-256" }, await S.importKey("raw", bytes(20), "HKDF", false, ["deriveBits"]), 8 * 256 * 32),
  "hkdf no info": async () => S.deriveBits({ name: "HKDF", salt: bytes(8), hash: "SHA-256" }, await S.importKey("raw", bytes(20), "HKDF", false, ["deriveBits"]), 8),
  "hkdf extractable": () => S.importKey("raw", bytes(20), "HKDF", true, ["deriveBits"]).then(shown),
  "pbkdf2 extractable": () => S.importKey("raw", bytes(20), "PBKDF2", true, ["deriveBits"]).then(shown),
  "ecdh": async () => { const k = await S.importKey("jwk", P256, { name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]); const p = await S.importKey("jwk", open(P256), { name: "ECDH", namedCurve: "P-256" }, true, []); return [hex(await S.deriveBits({ name: "ECDH", public: p }, k, 256)), hex(await S.deriveBits({ name: "ECDH", public: p }, k, null)), hex(await S.deriveBits({ name: "ECDH", public: p }, k, 64))]; },
  "ecdh private": async () => { const k = await S.importKey("jwk", P256, { name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]); return S.deriveBits({ name: "ECDH", public: k }, k, 256); },
  "ecdh too long": async () => { const k = await S.importKey("jwk", P256, { name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]); const p = await S.importKey("jwk", open(P256), { name: "ECDH", namedCurve: "P-256" }, true, []); return S.deriveBits({ name: "ECDH", public: p }, k, 512); },
  "ecdh no public": async () => { const k = await S.importKey("jwk", P256, { name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]); return S.deriveBits("ECDH", k, 256); },
  "x25519": async () => { const [a, b] = await Promise.all([1, 2].map(() => S.generateKey("X25519", true, ["deriveBits"]))); return [await S.deriveBits({ name: "X25519", public: b.publicKey }, a.privateKey, 256), await S.deriveBits({ name: "X25519", public: a.publicKey }, b.privateKey, 256)].map(hex).reduce((x, y) => x === y); },
  "ecdsa": async () => { const k = await S.importKey("jwk", P256, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]); const p = await S.importKey("jwk", open(P256), { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]); const s = await S.sign({ name: "ECDSA", hash: "SHA-256" }, k, bytes(3)); return [s.byteLength, await S.verify({ name: "ECDSA", hash: "SHA-256" }, p, s, bytes(3)), await S.verify({ name: "ECDSA", hash: "SHA-384" }, p, s, bytes(3)), await S.verify({ name: "ECDSA", hash: "SHA-256" }, p, bytes(3), bytes(3))]; },
  "ecdsa no hash": async () => S.sign("ECDSA", await S.importKey("jwk", P256, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]), bytes(3)),
  "ed25519": async () => { const k = await S.importKey("jwk", ED, "Ed25519", true, ["sign"]); const p = await S.importKey("jwk", open(ED), "Ed25519", true, ["verify"]); const s = await S.sign("Ed25519", k, bytes(0)); return [hex(s), await S.verify("Ed25519", p, s, bytes(0)), await S.verify("Ed25519", p, s, bytes(1))]; },
  "jwk export ec": async () => S.exportKey("jwk", await S.importKey("jwk", P256, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"])),
  "jwk export ed": async () => S.exportKey("jwk", await S.importKey("jwk", ED, "Ed25519", true, ["sign"])),
  "jwk wrong kty": () => S.importKey("jwk", { ...P256, kty: "RSA" }, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]),
  "jwk wrong curve": () => failure(() => S.importKey("jwk", P256, { name: "ECDSA", namedCurve: "P-384" }, true, ["sign"])),
  "jwk not extractable": () => S.importKey("jwk", { kty: "oct", k: "AAECAwQFBgcICQoLDA0ODw", ext: false }, "AES-GCM", true, ["encrypt"]),
  "jwk key_ops": () => S.importKey("jwk", { kty: "oct", k: "AAECAwQFBgcICQoLDA0ODw", key_ops: ["decrypt"] }, "AES-GCM", true, ["encrypt"]),
  "jwk wrong alg": () => S.importKey("jwk", { kty: "oct", k: "AAECAwQFBgcICQoLDA0ODw", alg: "A256GCM" }, "AES-GCM", true, ["encrypt"]),
  "jwk wrong use": () => S.importKey("jwk", { kty: "oct", k: "AAECAwQFBgcICQoLDA0ODw", use: "sig" }, "AES-GCM", true, ["encrypt"]),
  "jwk no k": () => S.importKey("jwk", { kty: "oct" }, "AES-GCM", true, ["encrypt"]),
  "jwk point off curve": () => failure(() => S.importKey("jwk", { ...open(P256), x: P256.y }, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"])),
  "pkcs8 garbage": () => failure(() => S.importKey("pkcs8", bytes(50), { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"])),
  "spki garbage": () => failure(() => S.importKey("spki", bytes(50), { ...RSA, name: "RSA-PSS" }, true, ["verify"])),
  "raw point garbage": () => failure(() => S.importKey("raw", bytes(65), { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"])),
  "ec public wrong usage": () => S.importKey("jwk", open(P256), { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]),
  "ec private no usage": () => S.importKey("jwk", P256, { name: "ECDSA", namedCurve: "P-256" }, true, []),
  "ec public no usage": () => S.importKey("jwk", open(P256), { name: "ECDSA", namedCurve: "P-256" }, true, []).then(shown),
  "rsa raw": () => failure(() => S.importKey("raw", bytes(50), { ...RSA, name: "RSA-PSS" }, true, ["verify"])),
  "oaep too long": async () => failure(async () => S.encrypt("RSA-OAEP", await S.importKey("jwk", open(RSA_KEY), { name: "RSA-OAEP", hash: "SHA-256" }, true, ["encrypt"]), bytes(250))),
  "oaep garbage": async () => failure(async () => S.decrypt("RSA-OAEP", await S.importKey("jwk", RSA_KEY, { name: "RSA-OAEP", hash: "SHA-256" }, true, ["decrypt"]), bytes(256))),
  "wrap raw": async () => { const w = await aes("AES-KW", ["wrapKey", "unwrapKey"]); const c = await S.wrapKey("raw", await aes("AES-GCM"), w, "AES-KW"); return [hex(c), shown(await S.unwrapKey("raw", c, w, "AES-KW", "AES-GCM", true, ["encrypt"]))]; },
  "wrap jwk gcm": async () => { const w = await aes("AES-GCM", ["wrapKey", "unwrapKey"]); const a = { name: "AES-GCM", iv: bytes(12) }; const c = await S.wrapKey("jwk", await aes("AES-CBC"), w, a); return shown(await S.unwrapKey("jwk", c, w, a, "AES-CBC", true, ["encrypt"])); },
  "wrap rsa": async () => { const p = await S.generateKey({ ...RSA, name: "RSA-OAEP" }, true, ["wrapKey", "unwrapKey"]); const c = await S.wrapKey("raw", await aes("AES-CBC"), p.publicKey, "RSA-OAEP"); return hex(await S.exportKey("raw", await S.unwrapKey("raw", c, p.privateKey, "RSA-OAEP", "AES-CBC", true, ["encrypt"]))); },
  "unwrap garbage": async () => failure(async () => S.unwrapKey("raw", bytes(24), await aes("AES-KW", ["wrapKey", "unwrapKey"]), "AES-KW", "AES-GCM", true, ["encrypt"])),
  "wrap not extractable": async () => S.wrapKey("raw", await S.importKey("raw", bytes(16), "AES-GCM", false, ["encrypt"]), await aes("AES-KW", ["wrapKey"]), "AES-KW"),
  "clone key": async () => structuredClone(await hmac()),
  "key json": async () => JSON.stringify(await hmac()),
  "key tag": async () => { const k = await hmac(); return [Object.prototype.toString.call(k), Object.keys(k), k instanceof CryptoKey]; },
  "key readonly": async () => { const k = await S.importKey("raw", bytes(3), { name: "HMAC", hash: "SHA-1" }, false, ["sign"]); try { k.usages.push("verify"); k.algorithm.name = "x"; } catch {} return failure(async () => S.verify("HMAC", k, bytes(1), bytes(1))); },
  "constructors": async () => [await attempt(() => new CryptoKey()), await attempt(() => new SubtleCrypto()), await attempt(() => new Crypto())],
  "subtle": () => [S === crypto.subtle, S instanceof SubtleCrypto, Object.prototype.toString.call(S), Object.getOwnPropertyNames(SubtleCrypto.prototype).sort(), Object.keys(crypto)],
  "timingSafeEqual": () => [S.timingSafeEqual(bytes(3), bytes(3)), S.timingSafeEqual(bytes(3), bytes(3, 1)), S.timingSafeEqual(bytes(3).buffer, bytes(3))],
  "timingSafeEqual lengths": () => S.timingSafeEqual(bytes(3), bytes(4)),
  "timingSafeEqual text": () => S.timingSafeEqual("a", "a"),
  "digest stream": async () => { const d = new crypto.DigestStream("SHA-256"); const w = d.getWriter(); await w.write(utf8("a")); await w.write("bc"); await w.close(); return [hex(await d.digest), String(d.bytesWritten), d instanceof WritableStream]; },
  "digest stream pipe": async () => { const d = new crypto.DigestStream("MD5"); await new Blob(["abc"]).stream().pipeTo(d); return hex(await d.digest); },
  "digest stream abort": async () => { const d = new crypto.DigestStream("SHA-1"); await d.abort(new Error("no")); return attempt(() => d.digest); },
  "digest stream unknown": () => new crypto.DigestStream("x"),
});

export class Probe extends probe(cases, attempt, 10_000) {}
export default asking;
