"""Three replicas of one application share the secret and the token store, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codegrant import KeyRing
from tests.support.login_sites import SITES, SYNC, SiteBrowser, client_for
from tests.support.mock_provider import MockProvider
from tests.support.tls import SelfSigned
from tests.support.token_stores import SHARED, TokenPlace

SECRET = "r" * 40


@pytest.fixture(params=["flask", "starlette", "fastapi", "django-async"])
def framework(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=SHARED)
def replicas(
    request: pytest.FixtureRequest,
    framework: str,
    provider: MockProvider,
    certificate: SelfSigned,
    tmp_path: Path,
    services: Mapping[str, str],
) -> Iterator[list[Any]]:
    """Applications with a folder, a client and a store object of their own."""
    place = TokenPlace(request.param, tmp_path, services)
    sites: list[Any] = []
    clients: list[Any] = []
    for number in range(3):
        store = place.open()
        clients.append(client_for(framework, provider, ca_file=str(certificate.file)))
        folder = tmp_path / f"replica-{number}"
        arguments = {"store": store, "key_ring": KeyRing([SECRET])}
        sites.append(SITES[framework](folder, clients[-1], **arguments))
        sites[-1].token_store = store
    yield sites
    for site, client in zip(sites, clients, strict=True):
        if framework in SYNC:
            client.close()
        elif hasattr(site.token_store, "aclose"):
            site.wait(site.token_store.aclose())
        site.close()
    place.close()


def test_ten_tabs_over_three_replicas_log_in_ten_times(
    replicas: list[Any], provider: MockProvider
) -> None:
    browser = SiteBrowser(replicas[0])
    callbacks: list[str] = []
    for tab in range(10):
        browser.site = replicas[tab % 3]
        callbacks.append(browser.start(provider, f"/login?return_to=%2Fprofile%3Ftab%3D{tab}"))
    for tab, callback in enumerate(callbacks):
        browser.site = replicas[(tab + 1) % 3]
        assert browser.get(callback).location == f"/profile?tab={tab}"
        for browser.site in replicas:
            assert browser.who() == "person-1"
            # A reload, at any replica, leads there too.
            assert browser.get(callback).location == f"/profile?tab={tab}"
    assert provider.count("/token") == 10
    browser.post("/logout")
    for browser.site in replicas:
        assert browser.who() is None


def test_a_callback_that_two_replicas_get_at_once_is_exchanged_once(
    replicas: list[Any], provider: MockProvider
) -> None:
    browser = SiteBrowser(replicas[0])
    callbacks = [browser.start(provider, f"/login?return_to=%2F{tab}") for tab in range(10)]
    visits = [
        (tab, browser.tab(replicas[(tab + nth) % 3])) for tab in range(10) for nth in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda one: one[1].get(callbacks[one[0]]), visits))
    assert [reply.location for reply in replies] == [f"/{tab}" for tab, _ in visits]
    assert {visitor.who() for _, visitor in visits} == {"person-1"}
    assert provider.count("/token") == 10


def test_who_has_another_secret_knows_nobody(
    replicas: list[Any],
    framework: str,
    provider: MockProvider,
    certificate: SelfSigned,
    tmp_path: Path,
) -> None:
    browser = SiteBrowser(replicas[0])
    browser.log_in(provider)
    client: Any = client_for(framework, provider, ca_file=str(certificate.file))
    store = replicas[1].token_store
    stranger = SITES[framework](
        tmp_path / "stranger", client, store=store, key_ring=KeyRing(["x" * 40])
    )
    assert browser.tab(replicas[1]).who() == "person-1"
    assert browser.tab(stranger).who() is None
    if framework in SYNC:
        client.close()
    elif hasattr(store, "aclose"):
        stranger.wait(store.aclose())
    stranger.close()
