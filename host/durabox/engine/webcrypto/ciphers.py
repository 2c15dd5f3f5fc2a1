"""AES in the modes of the platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from durabox.engine.ops import GuestError
from durabox.engine.webcrypto.requests import CryptoRequest

_BLOCK: Final = 16


def _aes(request: CryptoRequest) -> algorithms.AES:
    if len(request.key) not in (16, 24, 32):
        raise GuestError("OperationError", "An AES key has 128, 192 or 256 bits.")
    return algorithms.AES(request.key)


def _undecipherable(request: CryptoRequest, length: int, expected: int) -> GuestError:
    return GuestError(
        "OperationError",
        "Decryption failed. This could be due to a ciphertext authentication failure, bad padding, incorrect CryptoKey, "
        f"or another algorithm-specific reason. Input length was {length}, output length expected to be {expected} for "
        f"{request.algorithm}",
    )


def _failed(algorithm: str) -> GuestError:
    return GuestError("OperationError", f"{algorithm} operation failed.")


def _gcm_mode(request: CryptoRequest, tag: bytes | None) -> modes.GCM:
    if request.number not in (32, 64, 96, 104, 112, 120, 128):
        raise GuestError("OperationError", "Invalid AES-GCM tag length.")
    if not 8 <= len(request.iv) <= 128:
        raise GuestError("OperationError", "AES-GCM IV must have 8 to 128 bytes.")
    return modes.GCM(request.iv, tag, min_tag_length=4)


def _gcm_encrypt(request: CryptoRequest) -> bytes:
    encryptor = Cipher(_aes(request), _gcm_mode(request, None)).encryptor()
    encryptor.authenticate_additional_data(request.extra)
    sealed = encryptor.update(request.data) + encryptor.finalize()
    return sealed + encryptor.tag[: request.number // 8]


def _gcm_decrypt(request: CryptoRequest) -> bytes:
    size = request.number // 8
    if len(request.data) < size:
        raise GuestError(
            "OperationError", f"Ciphertext length of {len(request.data) * 8} bits must be greater than or equal to "
            f"the size of the AES-GCM tag length of {request.number} bits."
        )  # fmt: skip
    at = len(request.data) - size
    decryptor = Cipher(_aes(request), _gcm_mode(request, request.data[at:])).decryptor()
    decryptor.authenticate_additional_data(request.extra)
    try:
        return decryptor.update(request.data[:at]) + decryptor.finalize()
    except InvalidTag:
        raise _undecipherable(request, at, at) from None


def _cbc_mode(request: CryptoRequest) -> modes.CBC:
    if len(request.iv) != _BLOCK:
        raise GuestError(
            "OperationError", f"AES-CBC IV must be 16 bytes long (provided {len(request.iv)} bytes)."
        )
    return modes.CBC(request.iv)


def _cbc_encrypt(request: CryptoRequest) -> bytes:
    padder = PKCS7(8 * _BLOCK).padder()
    encryptor = Cipher(_aes(request), _cbc_mode(request)).encryptor()
    return encryptor.update(padder.update(request.data) + padder.finalize()) + encryptor.finalize()


def _cbc_decrypt(request: CryptoRequest) -> bytes:
    decryptor = Cipher(_aes(request), _cbc_mode(request)).decryptor()
    unpadder = PKCS7(8 * _BLOCK).unpadder()
    try:
        padded = decryptor.update(request.data) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise _undecipherable(request, len(request.data), 0) from None


def _ctr(request: CryptoRequest) -> bytes:
    """The lowest ``number`` bits of the counter count and wrap; the rest stays."""
    bits = request.number
    if len(request.iv) != _BLOCK:
        raise GuestError(
            "OperationError", f"Counter must have length of 16 bytes (provided {len(request.iv)})."
        )
    if not 1 <= bits <= 128:
        raise GuestError("OperationError", f"Invalid counter of {bits} bits length provided.")
    blocks = -(-len(request.data) // _BLOCK)
    if blocks > 1 << bits:
        raise GuestError("OperationError", "Counter block values will repeat.")
    start = int.from_bytes(request.iv)
    before_wrap = (1 << bits) - start % (1 << bits)
    cut = min(blocks, before_wrap) * _BLOCK
    wrapped = (start >> bits << bits).to_bytes(_BLOCK)
    return _count(request, request.iv, request.data[:cut]) + _count(request, wrapped, request.data[cut:])


def _count(request: CryptoRequest, counter: bytes, data: bytes) -> bytes:
    if not data:
        return b""
    encryptor = Cipher(_aes(request), modes.CTR(counter)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _wrap(request: CryptoRequest) -> bytes:
    _aes(request)
    try:
        return keywrap.aes_key_wrap(request.key, request.data)
    except ValueError:
        raise _failed("AES-KW") from None


def _unwrap(request: CryptoRequest) -> bytes:
    _aes(request)
    try:
        return keywrap.aes_key_unwrap(request.key, request.data)
    except (keywrap.InvalidUnwrap, ValueError):
        raise _failed("AES-KW") from None


#: By operation and algorithm.
CIPHERS: Final[dict[tuple[str, str], Callable[[CryptoRequest], bytes]]] = {
    ("encrypt", "AES-GCM"): _gcm_encrypt,
    ("decrypt", "AES-GCM"): _gcm_decrypt,
    ("encrypt", "AES-CBC"): _cbc_encrypt,
    ("decrypt", "AES-CBC"): _cbc_decrypt,
    ("encrypt", "AES-CTR"): _ctr,
    ("decrypt", "AES-CTR"): _ctr,
    ("encrypt", "AES-KW"): _wrap,
    ("decrypt", "AES-KW"): _unwrap,
}
