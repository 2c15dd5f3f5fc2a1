"""RSA, elliptic curves and Edwards curves: signatures, encryption, agreement, new keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from durabox.engine.ops import GuestError
from durabox.engine.webcrypto.keys import (
    CURVES,
    PrivateKey,
    curve_size,
    load_private,
    load_public,
    private_der,
)
from durabox.engine.webcrypto.requests import CryptoRequest

#: Larger ones take seconds to find.
_MOST_BITS: Final = 4096
_LEAST_BITS: Final = 1024
_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "SHA-1": hashes.SHA1,
    "SHA-256": hashes.SHA256,
    "SHA-384": hashes.SHA384,
    "SHA-512": hashes.SHA512,
}
_TRUE: Final = b"\1"
_FALSE: Final = b"\0"


def _hash(request: CryptoRequest) -> hashes.HashAlgorithm:
    found = _HASHES.get(request.hash)
    if found is None:
        raise GuestError("NotSupportedError", f'Unrecognized hash algorithm "{request.hash[:64]}" requested.')
    return found()


def _failed(request: CryptoRequest) -> GuestError:
    return GuestError("OperationError", f"{request.algorithm} {request.operation} failed.")


def _rsa_private(request: CryptoRequest) -> rsa.RSAPrivateKey:
    key = load_private(request.key)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _failed(request)
    return key


def _rsa_public(request: CryptoRequest) -> rsa.RSAPublicKey:
    key = load_public(request.key)
    if not isinstance(key, rsa.RSAPublicKey):
        raise _failed(request)
    return key


def _signature_padding(request: CryptoRequest) -> padding.AsymmetricPadding:
    if request.algorithm == "RSASSA-PKCS1-v1_5":
        return padding.PKCS1v15()
    if request.number < 0:
        raise _failed(request)
    return padding.PSS(padding.MGF1(_hash(request)), request.number)


def _rsa_sign(request: CryptoRequest) -> bytes:
    try:
        return _rsa_private(request).sign(request.data, _signature_padding(request), _hash(request))
    except (ValueError, OverflowError, UnsupportedAlgorithm):
        raise _failed(request) from None


def _rsa_verify(request: CryptoRequest) -> bytes:
    key = _rsa_public(request)
    try:
        key.verify(request.extra, request.data, _signature_padding(request), _hash(request))
    except (InvalidSignature, ValueError, OverflowError):
        return _FALSE
    return _TRUE


def _oaep(request: CryptoRequest) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(_hash(request)), _hash(request), request.extra or None)


def _rsa_encrypt(request: CryptoRequest) -> bytes:
    try:
        return _rsa_public(request).encrypt(request.data, _oaep(request))
    except ValueError:
        raise _failed(request) from None


def _rsa_decrypt(request: CryptoRequest) -> bytes:
    try:
        return _rsa_private(request).decrypt(request.data, _oaep(request))
    except ValueError:
        raise _failed(request) from None


def _ecdsa_sign(request: CryptoRequest) -> bytes:
    key = load_private(request.key)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _failed(request)
    r, s = decode_dss_signature(key.sign(request.data, ec.ECDSA(_hash(request))))
    size = curve_size(key.curve)
    return r.to_bytes(size) + s.to_bytes(size)


def _ecdsa_verify(request: CryptoRequest) -> bytes:
    key = load_public(request.key)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise _failed(request)
    size = curve_size(key.curve)
    if len(request.extra) != 2 * size:
        return _FALSE
    halves = int.from_bytes(request.extra[:size]), int.from_bytes(request.extra[size:])
    try:
        key.verify(encode_dss_signature(*halves), request.data, ec.ECDSA(_hash(request)))
    except InvalidSignature:
        return _FALSE
    return _TRUE


def _ed25519_sign(request: CryptoRequest) -> bytes:
    key = load_private(request.key)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise _failed(request)
    return key.sign(request.data)


def _ed25519_verify(request: CryptoRequest) -> bytes:
    key = load_public(request.key)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise _failed(request)
    try:
        key.verify(request.extra, request.data)
    except InvalidSignature:
        return _FALSE
    return _TRUE


def _agree(request: CryptoRequest) -> bytes:
    private, public = load_private(request.key), load_public(request.extra)
    try:
        if isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(public, ec.EllipticCurvePublicKey):
            return private.exchange(ec.ECDH(), public)
        if isinstance(private, x25519.X25519PrivateKey) and isinstance(public, x25519.X25519PublicKey):
            return private.exchange(public)
    except ValueError:  # curves that differ, a point of small order
        pass
    raise _failed(request)


def _generate(request: CryptoRequest) -> bytes:
    key: PrivateKey
    match request.algorithm:
        case "RSA":
            bits, exponent = request.number, request.length
            if exponent not in (3, 65537) or not _LEAST_BITS <= bits <= _MOST_BITS or bits % 8:
                raise GuestError(
                    "NotSupportedError",
                    f"The modulus length must be a multiple of 8 and between {_LEAST_BITS} and {_MOST_BITS}, but "
                    f"{bits} was requested.",
                )
            key = rsa.generate_private_key(exponent, bits)
        case "Ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
        case "X25519":
            key = x25519.X25519PrivateKey.generate()
        case _:
            curve = CURVES.get(request.hash)
            if curve is None:
                raise _failed(request)
            key = ec.generate_private_key(curve())
    return private_der(key)


#: By operation and algorithm.
KEY_PAIRS: Final[dict[tuple[str, str], Callable[[CryptoRequest], bytes]]] = {
    ("sign", "RSASSA-PKCS1-v1_5"): _rsa_sign,
    ("verify", "RSASSA-PKCS1-v1_5"): _rsa_verify,
    ("sign", "RSA-PSS"): _rsa_sign,
    ("verify", "RSA-PSS"): _rsa_verify,
    ("encrypt", "RSA-OAEP"): _rsa_encrypt,
    ("decrypt", "RSA-OAEP"): _rsa_decrypt,
    ("sign", "ECDSA"): _ecdsa_sign,
    ("verify", "ECDSA"): _ecdsa_verify,
    ("sign", "Ed25519"): _ed25519_sign,
    ("verify", "Ed25519"): _ed25519_verify,
    ("derive", "ECDH"): _agree,
    ("derive", "X25519"): _agree,
    ("generate", "RSA"): _generate,
    ("generate", "EC"): _generate,
    ("generate", "Ed25519"): _generate,
    ("generate", "X25519"): _generate,
}
