import { DurableObject } from "cloudflare:workers";
import * as jose from "jose";

/** One key pair and what is signed with it; the private key never leaves. */
export class Keys extends DurableObject {
  async #pair(alg) {
    const stored = await this.ctx.storage.get(alg);
    if (stored) return stored;
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const pair = { publicKey: await jose.exportJWK(publicKey), privateKey: await jose.exportJWK(privateKey) };
    pair.publicKey.kid = await jose.calculateJwkThumbprint(pair.publicKey);
    pair.publicKey.alg = alg;
    await this.ctx.storage.put(alg, pair);
    return pair;
  }

  async sign(alg, claims) {
    const { privateKey, publicKey } = await this.#pair(alg);
    return new jose.SignJWT(claims)
      .setProtectedHeader({ alg, kid: publicKey.kid })
      .setIssuer("urn:durabox:test")
      .setAudience("guests")
      .setIssuedAt()
      .setExpirationTime("2h")
      .sign(await jose.importJWK(privateKey, alg));
  }

  async set() {
    return { keys: [...(await this.ctx.storage.list()).values()].map(({ publicKey }) => publicKey) };
  }
}

const secret = new TextEncoder().encode("0123456789abcdef0123456789abcdef");

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const keys = env.KEYS.getByName("main");
    const text = await request.text();
    try {
      switch (url.pathname) {
        case "/sign":
          return new Response(await keys.sign(url.searchParams.get("alg"), JSON.parse(text)));
        case "/verify": {
          const set = jose.createLocalJWKSet(await keys.set());
          const { payload, protectedHeader } = await jose.jwtVerify(text, set, { issuer: "urn:durabox:test", audience: "guests" });
          return Response.json({ payload, alg: protectedHeader.alg });
        }
        case "/secret/sign":
          return new Response(await new jose.SignJWT(JSON.parse(text)).setProtectedHeader({ alg: "HS256" }).sign(secret));
        case "/secret/verify":
          return Response.json((await jose.jwtVerify(text, secret)).payload);
        case "/secret/encrypt":
          return new Response(
            await new jose.EncryptJWT(JSON.parse(text)).setProtectedHeader({ alg: "dir", enc: "A256GCM" }).encrypt(secret),
          );
        case "/secret/decrypt":
          return Response.json((await jose.jwtDecrypt(text, secret)).payload);
      }
    } catch (error) {
      return Response.json({ code: error.code, message: error.message }, { status: 401 });
    }
    return new Response("nothing here", { status: 404 });
  },
};
