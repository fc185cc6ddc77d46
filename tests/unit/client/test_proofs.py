from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jwt
import pytest

from codegrant.client.proofs import ProofNonces, post, send_with_token
from codegrant.client.tokens import Tokens
from codegrant.flow import Effect, Flow
from codegrant.http import Headers, Request, Response
from codegrant.jose import PrivateKey
from codegrant.remote.posts import ClientAuthentication
from codegrant.secret import Secret
from tests.support.scripted import Script

NOW = 1_800_000_000
URL = "https://server.example/me"
KEY = PrivateKey.generate("ES256")
TOKENS = Tokens(
    access_token=Secret("t"), token_type="DPoP", expires_at=None, scope=frozenset(), dpop_key=KEY
)
CLIENT = ClientAuthentication(client_id="app", method="none")
WANTED = b'{"error":"use_dpop_nonce"}'
Make: TypeAlias = Callable[[ProofNonces], Flow[Response]]

both = pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda nonces: post(nonces, KEY, URL, [], client=CLIENT, stage="token", now=NOW),
            id="an endpoint",
        ),
        pytest.param(
            lambda nonces: send_with_token(
                Request(method="GET", url=URL), TOKENS, nonces, now=NOW, stage="x", guarded=False
            ),
            id="an API",
        ),
    ],
)


class Asking(Script):
    """A server that takes the newest nonce alone; `answers` are what it wants then."""

    def __init__(self, *wanted: Sequence[str]) -> None:
        super().__init__({URL: self.answer})
        self.wanted = list(wanted)
        self.nonces: list[str | None] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def perform(self, effect: Effect[Any]) -> Any:
        if self.nonces:
            self.meanwhile()
        return super().perform(effect)

    def answer(self, request: Request) -> Response:
        proof = jwt.decode(request.headers.get("dpop"), options={"verify_signature": False})
        self.nonces.append(proof.get("nonce"))
        if not self.wanted:
            return Response(status=200)
        headers = [("www-authenticate", 'DPoP error="use_dpop_nonce"')]
        headers += [("dpop-nonce", nonce) for nonce in self.wanted.pop(0)]
        return Response(status=401, headers=Headers(headers), body=WANTED)


@both
def test_a_repeat_has_the_nonce_of_its_refusal_whatever_others_have_noted_meanwhile(
    make: Make,
) -> None:
    """The late answer to the request of another thread brings the nonce that was good before."""
    nonces, server = ProofNonces(), Asking(["newer"])
    server.meanwhile = lambda: nonces.note(URL, "older")
    nonces.note(URL, "older")
    assert server.run(make(nonces)).status == 200
    assert server.nonces == ["older", "newer"]


@both
@pytest.mark.parametrize(
    ("wanted", "sent", "noted"),
    [
        pytest.param([["a"]], [None, "a"], "a", id="one"),
        pytest.param([["a"], ["b"], ["c"]], [None, "a"], "b", id="another one each time"),
        pytest.param([["a"], ["a"]], [None, "a"], "a", id="the same one again"),
        pytest.param([[]], [None], "", id="none"),
        pytest.param([["a", "b"]], [None], "", id="two"),
        pytest.param([["a", "a"]], [None], "", id="one twice"),
        pytest.param([[""]], [None], "", id="an empty one"),
        pytest.param([["ä"]], [None], "", id="no ASCII"),
        pytest.param([["n" * 1024]], [None, "n" * 1024], "n" * 1024, id="long"),
        pytest.param([["n" * 1025]], [None], "", id="too long"),
        pytest.param([["n" * 1_000_000]], [None], "", id="a million characters"),
    ],
)
def test_a_request_is_repeated_once_and_with_a_nonce_that_may_be_one(
    make: Make, wanted: list[list[str]], sent: list[str | None], noted: str
) -> None:
    nonces, server = ProofNonces(), Asking(*wanted)
    assert server.run(make(nonces)).status == (200 if len(sent) > len(wanted) else 401)
    assert server.nonces == sent
    assert nonces.find(URL) == noted


def test_a_nonce_is_for_its_origin_and_their_number_has_an_end() -> None:
    nonces = ProofNonces()
    nonces.note("https://SERVER.example:443/token?a", "n")
    assert nonces.find(URL) == "n"
    for other in ("http://server.example/", "https://server.example:8443/", "https://a.example/"):
        assert nonces.find(other) == ""
    for number in range(1000):
        nonces.note(f"https://server{number}.example/", str(number))
    assert nonces.find("https://server999.example/") == "999"
    known = [number for number in range(1000) if nonces.find(f"https://server{number}.example/")]
    assert 0 < len(known) <= 256
    assert repr(nonces) == f"ProofNonces({len(known)} origins)"
