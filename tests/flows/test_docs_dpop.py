"""The program of `docs/dpop.md`, run."""

from __future__ import annotations

from typing import Any

from codegrant import Client
from tests.support.documents import ROOT, example
from tests.support.mock_provider import CLIENT_SECRET
from tests.support.proving_provider import ProvingApi, ProvingProvider


def test_the_tokens_of_a_login_are_bound() -> None:
    provider = ProvingProvider()
    api = ProvingApi(provider)
    provider.nonce, api.nonce = "nonce-of-the-server", "nonce-of-the-api"
    text = example("bound_tokens.py", ROOT / "docs/dpop.md").text
    for written, meant in [
        ("http://127.0.0.1:8080", provider.issuer),
        ("https://api.example", api.origin),
        ("the secret of the client", CLIENT_SECRET),
    ]:
        assert written in text
        text = text.replace(written, meant)
    names: dict[str, Any] = {"__name__": "bound_tokens"}
    exec(text, names)  # noqa: S102
    assert names["finish"](provider.authorize(names["login"].url)) == ""
    assert len(api.received) == 2
    assert len(provider.verifier.seen) == 3
    client: Client = names["client"]
    client.close()
    api.close()
    provider.close()
