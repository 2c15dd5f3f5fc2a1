"""Keys of key pairs as the guest holds them (DER), and in and out of the platform's formats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from durabox.engine.ops import GuestError

PrivateKey = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey
)
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | x25519.X25519PublicKey

CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}
_CURVE_NAMES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
#: The platform takes a modulus of up to 16,384 bits; a private key of that size has about 9,400 bytes.
_LONGEST_KEY: Final = 10_240
_MOST_BITS: Final = 16_384
_LEAST_BITS: Final = 256
#: Bits of a public exponent: more make a verification as slow as a signature.
_EXPONENT_BITS: Final = 33

#: What a guest is told of a key: is it private, its DER, its curve (or ``RSA``, ``Ed25519``, ``X25519``), the bits of its
#: modulus, its public exponent.
Description = tuple[bool, bytes, str, int, bytes]


def _bad() -> GuestError:
    return GuestError("DataError", "Invalid key data.")


def curve_size(curve: ec.EllipticCurve) -> int:
    """Bytes of one coordinate."""
    return -(-curve.key_size // 8)


def load_private(der: bytes) -> PrivateKey:
    """
    A private key from PKCS #8.

    Raises:
        GuestError: DataError.
    """
    if len(der) > _LONGEST_KEY:
        raise _bad()
    try:
        # The library would search for primes' flaws, for a quarter of a second: `_check_rsa` looks at what can hurt us.
        key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad() from None
    if isinstance(key, rsa.RSAPrivateKey):
        _check_rsa(key)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        _check_curve(key.curve)
    elif not isinstance(key, ed25519.Ed25519PrivateKey | x25519.X25519PrivateKey):
        raise _bad()
    return key


def load_public(der: bytes) -> PublicKey:
    """
    A public key from SubjectPublicKeyInfo.

    Raises:
        GuestError: DataError.
    """
    if len(der) > _LONGEST_KEY:
        raise _bad()
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _bad() from None
    if isinstance(key, rsa.RSAPublicKey):
        _check_modulus(key.public_numbers())
    elif isinstance(key, ec.EllipticCurvePublicKey):
        _check_curve(key.curve)
    elif not isinstance(key, ed25519.Ed25519PublicKey | x25519.X25519PublicKey):
        raise _bad()
    return key


def _check_curve(curve: ec.EllipticCurve) -> None:
    if curve.name not in _CURVE_NAMES:
        raise _bad()


def _check_modulus(numbers: rsa.RSAPublicNumbers) -> None:
    n, e = numbers.n, numbers.e
    if not _LEAST_BITS <= n.bit_length() <= _MOST_BITS or n % 2 == 0:
        raise _bad()
    if not 3 <= e < 1 << _EXPONENT_BITS or e % 2 == 0:
        raise _bad()


def _check_rsa(key: rsa.RSAPrivateKey) -> None:
    """Whether the numbers belong together. That the primes are prime is the owner's concern."""
    numbers = key.private_numbers()
    p, q, e = numbers.p, numbers.q, numbers.public_numbers.e
    _check_modulus(numbers.public_numbers)
    fit = (
        p > 2
        and q > 2
        and p * q == numbers.public_numbers.n
        and 0 < numbers.d < numbers.public_numbers.n
        and numbers.d * e % (p - 1) == 1
        and numbers.d * e % (q - 1) == 1
        and numbers.dmp1 == numbers.d % (p - 1)
        and numbers.dmq1 == numbers.d % (q - 1)
        and numbers.iqmp * q % p == 1
    )
    if not fit:
        raise _bad()


def private_der(key: PrivateKey) -> bytes:
    """PKCS #8."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_der(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def import_key(family: str, form: str, curve: str, parts: Sequence[bytes]) -> Description:
    """
    Read a key.

    Args:
        family: ``RSA``, ``EC``, ``Ed25519`` or ``X25519``; a key of another is refused.
        form: ``raw``, ``spki``, ``pkcs8``, ``jwk`` or, for the public key of a private one, ``public``.
        curve: Of an EC key.
        parts: The bytes; of a JWK its numbers, public ones first: n, e, d, p, q, dp, dq, qi; x, y, d; x, d.
    Raises:
        GuestError: DataError.
    """
    try:
        key = _read(family, form, curve, parts)
    except (ValueError, TypeError, IndexError, OverflowError, UnsupportedAlgorithm):
        raise _bad() from None
    described = _describe(key)
    if _family(described[2]) != family or (family == "EC" and described[2] != curve):
        raise _bad()
    return described


def _read(family: str, form: str, curve: str, parts: Sequence[bytes]) -> PrivateKey | PublicKey:
    match form, family:
        case "pkcs8", _:
            return load_private(parts[0])
        case "spki", _:
            return load_public(parts[0])
        case "public", _:
            return load_private(parts[0]).public_key()
        case "raw", "EC":
            return ec.EllipticCurvePublicKey.from_encoded_point(_curve(curve), parts[0])
        case "jwk", "EC":
            return _ec_from_numbers(_curve(curve), parts)
        case "jwk", "RSA":
            return _rsa_from_numbers(parts)
        case (("raw" | "jwk"), "Ed25519"):
            if len(parts) == 1:
                return ed25519.Ed25519PublicKey.from_public_bytes(parts[0])
            edwards = ed25519.Ed25519PrivateKey.from_private_bytes(parts[1])
            if edwards.public_key().public_bytes_raw() != parts[0]:
                raise _bad()
            return edwards
        case (("raw" | "jwk"), "X25519"):
            if len(parts) == 1:
                return x25519.X25519PublicKey.from_public_bytes(parts[0])
            montgomery = x25519.X25519PrivateKey.from_private_bytes(parts[1])
            if montgomery.public_key().public_bytes_raw() != parts[0]:
                raise _bad()
            return montgomery
    raise _bad()


def _curve(name: str) -> ec.EllipticCurve:
    if name not in CURVES:
        raise _bad()
    return CURVES[name]()


def _numbers(parts: Sequence[bytes]) -> list[int]:
    if any(len(part) > _MOST_BITS // 8 + 1 for part in parts):
        raise _bad()
    return [int.from_bytes(part) for part in parts]


def _ec_from_numbers(curve: ec.EllipticCurve, parts: Sequence[bytes]) -> PrivateKey | PublicKey:
    if any(len(part) != curve_size(curve) for part in parts):
        raise _bad()
    x, y, *secret = _numbers(parts)
    public = ec.EllipticCurvePublicNumbers(x, y, curve)
    if secret:
        return ec.EllipticCurvePrivateNumbers(secret[0], public).private_key()
    return public.public_key()


def _rsa_from_numbers(parts: Sequence[bytes]) -> PrivateKey | PublicKey:
    numbers = _numbers(parts)
    public = rsa.RSAPublicNumbers(numbers[1], numbers[0])
    _check_modulus(public)
    if len(numbers) == 2:
        return public.public_key()
    d, p, q, dp, dq, qi = numbers[2:]
    key = rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key(unsafe_skip_rsa_key_validation=True)
    _check_rsa(key)
    return key


def _family(kind: str) -> str:
    return "EC" if kind in CURVES else kind


def _describe(key: PrivateKey | PublicKey) -> Description:
    match key:
        case rsa.RSAPrivateKey():
            return True, private_der(key), "RSA", key.key_size, _exponent(key.public_key())
        case rsa.RSAPublicKey():
            return False, public_der(key), "RSA", key.key_size, _exponent(key)
        case ec.EllipticCurvePrivateKey():
            return True, private_der(key), _CURVE_NAMES[key.curve.name], 0, b""
        case ec.EllipticCurvePublicKey():
            return False, public_der(key), _CURVE_NAMES[key.curve.name], 0, b""
        case ed25519.Ed25519PrivateKey():
            return True, private_der(key), "Ed25519", 0, b""
        case x25519.X25519PrivateKey():
            return True, private_der(key), "X25519", 0, b""
        case ed25519.Ed25519PublicKey():
            return False, public_der(key), "Ed25519", 0, b""
        case _:
            return False, public_der(key), "X25519", 0, b""


def _exponent(key: rsa.RSAPublicKey) -> bytes:
    return _bytes(key.public_numbers().e)


def _bytes(number: int) -> bytes:
    return number.to_bytes(-(-number.bit_length() // 8))


def export_key(form: str, der: bytes) -> Any:
    """
    A key in another format.

    Args:
        form: ``raw`` (public keys), ``jwk-public`` or ``jwk-private``.
        der: PKCS #8 of a private key, else SubjectPublicKeyInfo.
    Returns:
        Bytes; the numbers of a JWK in the order of `import_key`.
    Raises:
        GuestError: DataError.
    """
    key = load_private(der) if form == "jwk-private" else load_public(der)
    match key:
        case rsa.RSAPrivateKey():
            secret = key.private_numbers()
            numbers = (secret.d, secret.p, secret.q, secret.dmp1, secret.dmq1, secret.iqmp)
            return [*_rsa_public(key.public_key()), *map(_bytes, numbers)]
        case rsa.RSAPublicKey():
            return _rsa_public(key)
        case ec.EllipticCurvePrivateKey():
            private = key.private_numbers().private_value.to_bytes(curve_size(key.curve))
            return [*_point(key.public_key()), private]
        case ec.EllipticCurvePublicKey():
            if form == "raw":
                return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            return _point(key)
        case ed25519.Ed25519PrivateKey() | x25519.X25519PrivateKey():
            return [key.public_key().public_bytes_raw(), key.private_bytes_raw()]
        case _:
            return key.public_bytes_raw() if form == "raw" else [key.public_bytes_raw()]


def _rsa_public(key: rsa.RSAPublicKey) -> list[bytes]:
    numbers = key.public_numbers()
    return [_bytes(numbers.n), _bytes(numbers.e)]


def _point(key: ec.EllipticCurvePublicKey) -> list[bytes]:
    numbers, size = key.public_numbers(), curve_size(key.curve)
    return [numbers.x.to_bytes(size), numbers.y.to_bytes(size)]
