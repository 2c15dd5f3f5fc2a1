"""Tokens of jose: signed, verified and encrypted by WebCrypto, with keys that an object keeps."""

from __future__ import annotations

import base64
import json
import time

import pytest

from tests.packages.packages import Serve
from tests.served import Server


def _ask(server: Server, path: str, body: str) -> str:
    answer = server.request("POST", path, body.encode())
    assert answer.status == 200, answer.text
    return answer.text


def _changed(token: str) -> str:
    """The token with another claim in it."""
    head, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    encoded = base64.urlsafe_b64encode(json.dumps({**decoded, "sub": "eve"}).encode()).decode().rstrip("=")
    return f"{head}.{encoded}.{signature}"


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
def test_a_signed_token_is_verified_after_a_restart(serve: Serve, alg: str) -> None:
    with serve("tokens") as server:
        token = _ask(server, f"/sign?alg={alg}", '{"sub": "ann"}')
    with serve("tokens") as server:
        seen = json.loads(_ask(server, "/verify", token))
        assert (seen["alg"], seen["payload"]["sub"], seen["payload"]["aud"]) == (alg, "ann", "guests")
        assert seen["payload"]["exp"] - seen["payload"]["iat"] == 7200
        assert abs(seen["payload"]["iat"] - time.time()) < 600
        refused = server.request("POST", "/verify", _changed(token).encode())
        assert json.loads(refused.body) == {
            "code": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
            "message": "signature verification failed",
        }


def test_tokens_with_a_shared_secret(serve: Serve) -> None:
    with serve("tokens") as server:
        signed = _ask(server, "/secret/sign", '{"a": [1, "ü"]}')
        assert signed == _ask(server, "/secret/sign", '{"a": [1, "ü"]}')
        assert json.loads(_ask(server, "/secret/verify", signed)) == {"a": [1, "ü"]}
        assert server.request("POST", "/secret/verify", _changed(signed).encode()).status == 401
        expired = _ask(server, "/secret/sign", '{"exp": 1000}')
        answer = json.loads(server.request("POST", "/secret/verify", expired.encode()).body)
        assert answer["code"] == "ERR_JWT_EXPIRED"
        sealed = _ask(server, "/secret/encrypt", '{"b": 2}')
        assert sealed != _ask(server, "/secret/encrypt", '{"b": 2}')
        assert json.loads(_ask(server, "/secret/decrypt", sealed)) == {"b": 2}
        answer = json.loads(server.request("POST", "/secret/decrypt", (sealed[:-4] + "AAAA").encode()).body)
        assert answer["code"] == "ERR_JWE_DECRYPTION_FAILED"
