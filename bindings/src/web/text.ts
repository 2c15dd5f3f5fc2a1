/** Strings and their UTF-8 bytes. */

import { native } from "../native";

const BOM = 0xfeff;

/** UTF-8 bytes of a string; lone surrogates become U+FFFD. */
export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return native.utf8EncodeReplacing(text);
}

/** What a reader of the string's UTF-8 bytes sees: no byte order mark, no lone surrogates. */
export function asDecoded(text: string): string {
  const content = text.charCodeAt(0) === BOM ? text.slice(1) : text;
  return content.isWellFormed() ? content : content.toWellFormed();
}
