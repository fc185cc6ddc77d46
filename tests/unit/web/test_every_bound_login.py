"""Logins whose tokens are bound to a key, in every framework: the key stays with the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.application import Clock
from tests.support.proving_provider import ProvingApi, ProvingProvider, thumbprint_of
from tests.unit.web.conftest import MakeSite


@pytest.fixture
def provider() -> Iterator[ProvingProvider]:
    provider = ProvingProvider()
    yield provider
    provider.close()


def test_one_key_serves_a_session_from_its_login_to_its_refresh(
    make_site: MakeSite, provider: ProvingProvider, clock: Clock
) -> None:
    api = ProvingApi(provider)
    provider.nonce, api.nonce = "nonce-of-the-server", "nonce-of-the-api"
    browser = make_site(client={"dpop": True})
    browser.site.api_url = api.url
    assert browser.log_in(provider).status == 303
    assert browser.who() == "person-1"
    assert browser.get("/call").json["status"] == [200, 200]
    clock.ahead = 301
    assert browser.get("/call").json["status"] == [200, 200]
    requests = [r for r in [*provider.received, *api.received] if "dpop" in r.headers]
    assert len({thumbprint_of(request) for request in requests}) == 1
    assert len(provider.sent("refresh_token")) == 1
    assert b"PRIVATE KEY" not in browser.site.kept()
    api.close()
