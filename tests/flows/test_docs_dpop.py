"""The program of `docs/dpop.md`, run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codegrant import Client
from codegrant.jose import PrivateKey
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


def test_one_name_turns_the_profile_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("key.pem").write_bytes(PrivateKey.generate("ES256").to_pem())
    names: dict[str, Any] = {"__name__": "fapi_client"}
    exec(example("fapi_client.py", ROOT / "docs/dpop.md").text, names)  # noqa: S102
    client: Client = names["client"]
    assert client.flows.config.iss_required
    client.close()
