"""One piece of work of ``crypto.subtle``: what is asked for, whether it takes long, and by whom it is done."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from durabox.engine.ops import GuestError

#: More bytes than this are worked on in a thread; what is below takes about a millisecond.
AT_ONCE: Final = 256 << 10
#: More iterations of PBKDF2 than this take longer than about a millisecond.
_FEW_ITERATIONS: Final = 1_000
#: The platform's limit.
_MOST_ITERATIONS: Final = 100_000
#: Most bytes that PBKDF2 derives; each block of the hash's length costs all iterations.
_MOST_DERIVED: Final = 1024
#: Of scrypt: block size, parallelization, bytes of memory.
_SCRYPT: Final = struct.Struct(">III")
#: The platform's limit to its cost.
_MOST_COST: Final = 1 << 20
#: Cost, block size and parallelization together: some seconds.
_MOST_WORK: Final = 1 << 23
#: Bytes that it may take for as long as it runs.
_MOST_MEMORY: Final = 128 << 20
#: Bytes of the shortest hash.
_SHORTEST_BLOCK: Final = 16
#: A private key of RSA with up to 4,096 bits is shorter than this.
_LARGE_KEY: Final = 2_600

_HASHES: Final = {
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "MD5": "md5",
}


class CryptoRequest(Struct, frozen=True):
    """
    A row of op ``crypto``.

    Args:
        operation: ``encrypt``, ``decrypt``, ``sign``, ``verify``, ``derive`` or ``generate``.
        algorithm: The platform's name.
        hash: Of a hash, or of a curve when a key is generated.
        number: Length of the tag, counter or salt; iterations; bits of a modulus.
        length: Bytes to derive; a public exponent.
        key: Raw, or DER (PKCS #8 or SubjectPublicKeyInfo).
        iv: Initialization vector, counter or salt.
        extra: Additional data, label or info; a signature; a public key.
        data: The data.
    """

    operation: str
    algorithm: str
    hash: str
    number: int
    length: int
    key: bytes
    iv: bytes
    extra: bytes
    data: bytes

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.data) + len(self.key) + len(self.iv) + len(self.extra)

    @property
    def is_long(self) -> bool:
        """Whether it takes much longer than a turn may stay away from the event loop."""
        if self.size > AT_ONCE:
            return True
        match self.operation, self.algorithm:
            case "derive", "scrypt":
                return True
            case "derive", "PBKDF2":
                return self.number * self.length > _FEW_ITERATIONS * _SHORTEST_BLOCK
            case "generate", algorithm:
                return algorithm.startswith("RSA")
            case _, algorithm:
                return algorithm.startswith("RSA") and len(self.key) > _LARGE_KEY


def hash_name(name: str) -> str:
    """
    `hashlib`'s name of a hash.

    Raises:
        GuestError: NotSupportedError.
    """
    known = _HASHES.get(name)
    if known is None:
        raise GuestError("NotSupportedError", f'Unrecognized hash algorithm "{name[:64]}" requested.')
    return known


def perform(request: CryptoRequest) -> bytes:
    """
    Do it; in any thread.

    Returns:
        The result; of a verification one byte, 1 for a signature that fits.
    Raises:
        GuestError: ``OperationError`` or whatever the platform throws.
    """
    handler = _SIMPLE.get((request.operation, request.algorithm))
    if handler is not None:
        return handler(request)
    from durabox.engine.webcrypto.ciphers import CIPHERS
    from durabox.engine.webcrypto.key_pairs import KEY_PAIRS

    name = (request.operation, request.algorithm)
    handler = CIPHERS.get(name) or KEY_PAIRS.get(name)
    if handler is None:
        raise GuestError("NotSupportedError", "The requested operation is not supported.")
    return handler(request)


def _hmac_sign(request: CryptoRequest) -> bytes:
    return hmac.digest(request.key, request.data, hash_name(request.hash))


def _hmac_verify(request: CryptoRequest) -> bytes:
    return bytes([hmac.compare_digest(_hmac_sign(request), request.extra)])


def _pbkdf2(request: CryptoRequest) -> bytes:
    if request.number > _MOST_ITERATIONS:
        raise GuestError(
            "NotSupportedError",
            f"Pbkdf2 failed: iteration counts above {_MOST_ITERATIONS} are not supported (requested {request.number}).",
        )
    if request.number < 1 or not 0 < request.length <= _MOST_DERIVED:
        raise GuestError("OperationError", "PBKDF2 failed: iterations or length out of range.")
    name = hash_name(request.hash)
    return hashlib.pbkdf2_hmac(name, request.key, request.iv, request.number, request.length)


def _scrypt(request: CryptoRequest) -> bytes:
    """RFC 7914; of `node:crypto`. The cost is the number, block size, parallelization and most bytes of memory are the extra."""
    failure = GuestError("Error", "Scrypt failed")
    if len(request.extra) != _SCRYPT.size:
        raise failure
    block, lanes, memory = _SCRYPT.unpack(request.extra)
    cost = request.number
    if not 1 < cost <= _MOST_COST:
        raise (
            GuestError("RangeError", f"Scrypt failed: cost exceeds maximum ({_MOST_COST}).")
            if cost > 1
            else failure
        )
    if not 0 < request.length <= _MOST_DERIVED or cost * block * lanes > _MOST_WORK:
        raise failure
    try:
        return hashlib.scrypt(
            request.key,
            salt=request.iv,
            n=cost,
            r=block,
            p=lanes,
            maxmem=min(memory, _MOST_MEMORY),
            dklen=request.length,
        )
    except (ValueError, OverflowError):
        raise failure from None


def _hkdf(request: CryptoRequest) -> bytes:
    """RFC 5869."""
    name = hash_name(request.hash)
    size = hashlib.new(name).digest_size
    if not 0 <= request.length <= 255 * size:
        raise GuestError("OperationError", "HKDF deriveBits failed.")
    secret = hmac.digest(request.iv or bytes(size), request.key, name)
    block = derived = b""
    for count in range(1, -(-request.length // size) + 1):
        block = hmac.digest(secret, block + request.extra + bytes([count]), name)
        derived += block
    return derived[: request.length]


_SIMPLE: Final[dict[tuple[str, str], Callable[[CryptoRequest], bytes]]] = {
    ("sign", "HMAC"): _hmac_sign,
    ("verify", "HMAC"): _hmac_verify,
    ("derive", "PBKDF2"): _pbkdf2,
    ("derive", "HKDF"): _hkdf,
    ("derive", "scrypt"): _scrypt,
    ("digest", ""): lambda request: hashlib.new(hash_name(request.hash), request.data).digest(),
}
