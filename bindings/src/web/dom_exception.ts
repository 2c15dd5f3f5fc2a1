/** `DOMException`. */

import { exposeConstants } from "./interface";

/** Names that have a number from before there were names. */
const CODES: Readonly<Record<string, number>> = {
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InUseAttributeError: 10,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  TypeMismatchError: 17,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  InvalidNodeTypeError: 24,
  DataCloneError: 25,
  // Newer than numbers.
  DataError: 0,
  EncodingError: 0,
  NotAllowedError: 0,
  NotReadableError: 0,
  OperationError: 0,
  UnknownError: 0,
};

const CONSTANTS: Readonly<Record<string, number>> = {
  INDEX_SIZE_ERR: 1,
  DOMSTRING_SIZE_ERR: 2,
  HIERARCHY_REQUEST_ERR: 3,
  WRONG_DOCUMENT_ERR: 4,
  INVALID_CHARACTER_ERR: 5,
  NO_DATA_ALLOWED_ERR: 6,
  NO_MODIFICATION_ALLOWED_ERR: 7,
  NOT_FOUND_ERR: 8,
  NOT_SUPPORTED_ERR: 9,
  INUSE_ATTRIBUTE_ERR: 10,
  INVALID_STATE_ERR: 11,
  SYNTAX_ERR: 12,
  INVALID_MODIFICATION_ERR: 13,
  NAMESPACE_ERR: 14,
  INVALID_ACCESS_ERR: 15,
  VALIDATION_ERR: 16,
  TYPE_MISMATCH_ERR: 17,
  SECURITY_ERR: 18,
  NETWORK_ERR: 19,
  ABORT_ERR: 20,
  URL_MISMATCH_ERR: 21,
  QUOTA_EXCEEDED_ERR: 22,
  TIMEOUT_ERR: 23,
  INVALID_NODE_TYPE_ERR: 24,
  DATA_CLONE_ERR: 25,
};

/** Whether errors of that name are `DOMException`s. */
export function isDomExceptionName(name: string): boolean {
  return Object.hasOwn(CODES, name) && name !== "SyntaxError";
}

/** An error whose name says what went wrong, where `Error` has only a message. */
export class DOMException extends Error {
  readonly code!: number;

  constructor(message: unknown = "", options: unknown = "Error") {
    let name = "Error";
    if (typeof options === "object" && options !== null) {
      const { name: given, cause } = options as { name?: unknown; cause?: unknown };
      super(`${message}`, "cause" in options ? { cause } : undefined);
      if (given !== undefined) name = `${given}`;
    } else {
      super(`${message}`);
      name = `${options}`;
    }
    // Own properties, as on the platform, but not enumerable: they are no content of the error.
    Object.defineProperty(this, "code", { value: CODES[name] ?? 0, configurable: true });
    Object.defineProperty(this, "name", { value: name, configurable: true });
  }
}

exposeConstants(DOMException, CONSTANTS);
