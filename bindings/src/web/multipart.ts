/** Forms as bytes: multipart/form-data (RFC 7578) and application/x-www-form-urlencoded. */

import { native } from "../native";
import { bytesOf, File } from "./blob";
import { entriesOf, FormData, type FormValue } from "./form_data";
import { utf8Bytes } from "./text";
import { URLSearchParams } from "./url";

const CR = 13;
const LF = 10;
const DASH = 45;

/** A form as a body, and its Content-Type. */
export function encodeForm(form: FormData): { bytes: Uint8Array<ArrayBuffer>; type: string } {
  const boundary = randomBoundary();
  const chunks: Uint8Array[] = [];
  for (const [name, value] of entriesOf(form)) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(name)}"`;
    if (typeof value === "string") {
      chunks.push(utf8Bytes(`${head}\r\n\r\n${value}\r\n`));
      continue;
    }
    head += `; filename="${escape(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
    chunks.push(utf8Bytes(head), bytesOf(value), utf8Bytes("\r\n"));
  }
  chunks.push(utf8Bytes(`--${boundary}--`));
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return { bytes, type: `multipart/form-data; boundary=${boundary}` };
}

function randomBoundary(): string {
  const bytes = new Uint8Array(16);
  native.random(bytes);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function escape(name: string): string {
  return name.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
}

/** The essence of a media type in lower case, and its parameters. */
function parseMediaType(text: string): { essence: string; parameters: Map<string, string> } {
  const parameters = parseParameters(text);
  return { essence: (text.split(";", 1)[0] as string).trim().toLowerCase(), parameters };
}

const PARAMETER = /;\s*([^\s=;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;

/** `; name=value` and `; name="value"`; names in lower case, the first of a name counts. */
function parseParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name, quoted, plain] of text.matchAll(PARAMETER)) {
    const key = (name as string).toLowerCase();
    const value = quoted === undefined ? (plain as string).trim() : quoted.replace(/\\(.)/g, "$1");
    if (!parameters.has(key)) parameters.set(key, value);
  }
  return parameters;
}

/**
 * Read a body as a form.
 *
 * @param type Its Content-Type.
 * @throws TypeError when it is no form, or a broken one.
 */
export function decodeForm(bytes: Uint8Array<ArrayBuffer>, type: string | null): FormData {
  if (type === null) throw new TypeError("Parsing a Body as FormData requires a Content-Type header.");
  const { essence, parameters } = parseMediaType(type);
  const form = new FormData();
  if (essence === "application/x-www-form-urlencoded") {
    const pairs = new URLSearchParams(native.utf8Decode(bytes, false, false));
    pairs.forEach((value, name) => {
      form.append(name, value);
    });
    return form;
  }
  if (essence !== "multipart/form-data")
    throw new TypeError(
      "Unrecognized Content-Type header value. FormData can only parse the following MIME types: " +
        "multipart/form-data, application/x-www-form-urlencoded",
    );
  const boundary = parameters.get("boundary");
  if (boundary === undefined)
    throw new TypeError(
      "No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary parameter, " +
        "e.g. 'Content-Type: multipart/form-data; boundary=\"abcd\"'. See RFC 7578, section 4.",
    );
  decodeMultipart(bytes, utf8Bytes(`--${boundary}`), form);
  return form;
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  if (at + prefix.length > bytes.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}

/** A line break, CRLF or LF: where it begins and ends. */
interface Break {
  readonly start: number;
  readonly end: number;
}

/** The first line break that is followed by `line`. */
function findLine(bytes: Uint8Array, from: number, line: Uint8Array): Break | undefined {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1))
    if (startsWith(bytes, at + 1, line)) return { start: at > from && bytes[at - 1] === CR ? at - 1 : at, end: at + 1 };
  return undefined;
}

const NO_LINE = new Uint8Array();

function decodeMultipart(bytes: Uint8Array<ArrayBuffer>, delimiter: Uint8Array, form: FormData): void {
  let at = 0;
  if (!startsWith(bytes, 0, delimiter)) {
    const first = findLine(bytes, 0, delimiter);
    if (first === undefined) throw new TypeError("No initial boundary string (or you have a truncated message).");
    at = first.end;
  }
  for (;;) {
    at += delimiter.length;
    if (bytes[at] === DASH && bytes[at + 1] === DASH) return;
    const head = findLine(bytes, at, NO_LINE);
    if (head === undefined) throw new TypeError("Boundary string is not followed by a line break.");
    const headEnd = endOfHead(bytes, head.end);
    const end = findLine(bytes, headEnd.end, delimiter);
    if (end === undefined) throw new TypeError("No subsequent boundary string after multipart message.");
    append(form, native.utf8Decode(bytes.subarray(head.end, headEnd.start), false, true), bytes.subarray(headEnd.end, end.start));
    at = end.end;
  }
}

/** The empty line that ends a part's head, with the line break before it. */
function endOfHead(bytes: Uint8Array, from: number): Break {
  for (let line = findLine(bytes, from, NO_LINE); line !== undefined; ) {
    const next = findLine(bytes, line.end, NO_LINE);
    if (next !== undefined && next.start === line.end) return { start: line.start, end: next.end };
    line = next;
  }
  throw new TypeError("No multipart message header termination found.");
}

function append(form: FormData, head: string, content: Uint8Array<ArrayBuffer>): void {
  let disposition: string | undefined;
  let type = "";
  for (const line of head.split(/\r?\n/)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim().toLowerCase();
    if (name === "content-disposition") disposition = line.slice(colon + 1).trim();
    else if (name === "content-type") type = line.slice(colon + 1).trim();
  }
  if (disposition === undefined) throw new TypeError("No Content-Disposition header in FormData part.");
  const parameters = parseParameters(disposition);
  const { essence } = parseMediaType(disposition);
  if (essence !== "form-data")
    throw new TypeError(
      'Content-Disposition header for FormData part must have the value "form-data", possibly followed by parameters. ' +
        `Got: "${essence}"`,
    );
  const name = parameters.get("name");
  if (name === undefined) throw new TypeError("Content-Disposition header in FormData part is missing a name.");
  const filename = parameters.get("filename");
  const value: FormValue =
    !filename
      ? native.utf8Decode(content, false, true)
      : new File([content], filename, { type });
  form.append(name, value);
}
