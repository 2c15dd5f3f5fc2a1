/** `fetch()` of `data:` URLs, which are their own answer. */

import { native } from "../native";
import { Response } from "./response";

const TYPE_AND_DATA = /^data:([^,]*),(.*)$/s;
const BASE64 = /; *base64$/i;

/** Bytes as text of one character each. */
function unescape(text: string): string {
  const bytes = native.utf8EncodeReplacing(text);
  let out = "";
  for (let i = 0; i < bytes.length; i++) {
    const hex = bytes[i] === 0x25 ? String.fromCharCode(bytes[i + 1] ?? 0, bytes[i + 2] ?? 0) : "";
    if (/^[0-9a-f]{2}$/i.test(hex)) {
      out += String.fromCharCode(Number.parseInt(hex, 16));
      i += 2;
    } else out += String.fromCharCode(bytes[i] as number);
  }
  return out;
}

/** @throws TypeError when it is malformed. */
export function fetchData(url: string, method: string): Response {
  const hash = url.indexOf("#");
  const parts = TYPE_AND_DATA.exec(hash < 0 ? url : url.slice(0, hash));
  if (parts === null) throw new TypeError(`Fetch API cannot load: ${url}`);
  let type = (parts[1] as string).trim();
  let data: string | null = unescape(parts[2] as string);
  if (BASE64.test(type)) {
    type = type.replace(BASE64, "");
    data = native.base64Decode(data);
    if (data === null) throw new TypeError(`Fetch API cannot load: ${url}`);
  }
  if (type.startsWith(";")) type = `text/plain${type}`;
  const body = method === "HEAD" ? null : Uint8Array.from(data, (c) => c.charCodeAt(0));
  return new Response(body, { headers: { "Content-Type": type === "" ? "text/plain;charset=US-ASCII" : type } });
}
