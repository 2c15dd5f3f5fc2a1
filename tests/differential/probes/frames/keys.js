// Keys and helpers of the probes of Web Crypto.

export const S = crypto.subtle;
export const attempt = async (run) => { try { return await run(); } catch (error) { return `${error.name}: ${error.message}`; } };
/** Whether it fails, and how, where the words are the library's. */
export const failure = async (run) => { try { await run(); return "no error"; } catch (error) { return error.name; } };
export const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");
export const bytes = (n, from = 0) => Uint8Array.from({ length: n }, (_, i) => (from + i) & 255);
export const utf8 = (text) => new TextEncoder().encode(text);
export const aes = (name, usages = ["encrypt", "decrypt"], n = 16) => S.importKey("raw", bytes(n), name, true, usages);
export const hmac = (hash = "SHA-256", n = 20) => S.importKey("raw", bytes(n), { name: "HMAC", hash }, true, ["sign", "verify"]);
export const shown = (k) => ({ type: k.type, extractable: k.extractable, usages: [...k.usages], algorithm: { ...k.algorithm, publicExponent: k.algorithm.publicExponent && [...k.algorithm.publicExponent] } });
export const RSA = { modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: "SHA-256" };
export const P256 = { kty: "EC", crv: "P-256", x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", d: "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE" };
export const ED = { kty: "OKP", crv: "Ed25519", d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
export const RSA_KEY = { kty: "RSA",
  n: "vNnHxM2lvL5BleNcmqixmT_Q-YVSplQO_91oPhedWJcDdGSemmK20zFRwmj9PNb_QpZ2ylzMXz7HQDht4ndIAM2x0ffPJJTyPQ5XtHGnoTg3kqDcxM3RoL-qeTx9eMd09S1OQYCcZse4T4ddfPn7nDznqd9Xe4Y9f0c350TLLaM",
  e: "AQAB",
  d: "cgTKp_fBaQM1ddmfv4C6OVxeP0hPbjyyEakLlvGK_kGuxEc7utp-p2PPiSD6RBFKbFmLvwHoIlk004E-VszNmyNx821NXfqWWMj-_1iAK_tKFrmo_9K-2oeL4KzViBUplJWj2BsLNnnHrbL0xE5r8ftwDEtZlrCfVoZHQMr3vQE",
  p: "9ahb3SS5GfF4FOi8NRaw_-w2BTtaS9q-Qsw1GIVexCjFCiPZmz-vyS4XER-tfF9Kd02FDwCj97fE5NWTnEkuiQ",
  q: "xM0rXncAfrOgb87F-1pa-e_xPErQSxvBN5K_lMN7j6hBiI8KOCe0KsEJZVogoM4b5Q73MTGqddiZiGO69G9Pyw",
  dp: "4_r0Dj6nfhknnRgEmqxNZaU82QwlF6KQ0gMb_36-3QMNIgT1TWwEYotgouaoJXV18VRC-RJaGWo10z0WuYL9KQ",
  dq: "uno6VPln06a7KBaCzMfyGpA8QkgVlIXJELKRrBGK_DWPWylGoq0kb7qX_5xl_FkwX1xN6CRKg_3ohS8S0FjE_w",
  qi: "3de93k4rlUe_OidOOGLMtX3kepxkZN-yaUqcrOEMavGnaTBsVGuGz99WwxhQdDkEa7eZ-XEU-f0q53PuB_D6Xg" };
export const open = ({ d, p, q, dp, dq, qi, ...rest }) => rest;
