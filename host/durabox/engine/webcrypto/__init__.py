"""Web Crypto for guests: what ``crypto.subtle`` asks of the host, done by `cryptography` and `hashlib`.

Nothing is kept between two calls: key material stays in the guest, as raw bytes or DER, and comes along each time.
It is hostile input like everything else; lengths and counts that cost time are bounded here. `cryptography` is imported
by the first call that needs it.
"""

from durabox.engine.webcrypto.requests import CryptoRequest, hash_name, perform

__all__ = ["CryptoRequest", "hash_name", "perform"]
