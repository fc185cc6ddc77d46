"""`web.fastapi.Login`: what only it has. What all logins share is in `test_every_login`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from codegrant import AsyncClient
from codegrant.client.memory import MemoryTokenStore
from tests.support.login_sites import FastApiLogin, SiteBrowser

CLIENT = ("https://issuer.example", "app")


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[list[FastApiLogin]]:
    client = AsyncClient(CLIENT[0], client_id=CLIENT[1])
    made = [
        FastApiLogin(tmp_path, client, store=MemoryTokenStore(), public_url=public_url)
        for public_url in (None, "https://app.example", "http://localhost:8000")
    ]
    yield made
    for site in made:
        site.close()


def test_the_document_of_the_api_names_the_session_and_fetches_nothing(
    sites: list[FastApiLogin],
) -> None:
    prefixes = ("cg-app", "__Host-cg-app-", "cg-app-")
    for site, prefix in zip(sites, prefixes, strict=True):
        document = site.app.openapi()
        scheme = document["components"]["securitySchemes"]["Login"]
        assert (scheme["type"], scheme["in"]) == ("apiKey", "cookie")
        assert scheme["name"].startswith(prefix)
        assert document["paths"]["/profile"]["get"]["security"] == [{"Login": []}]
        assert "security" not in document["paths"]["/for-all"]["get"]
        assert not {"/login", "/callback", "/logout"} & set(document["paths"])


def test_the_named_cookie_is_the_one_that_counts(sites: list[FastApiLogin]) -> None:
    named = sites[1].app.openapi()["components"]["securitySchemes"]["Login"]["name"]
    browser = SiteBrowser(sites[1])
    browser.cookies[named] = "no-session"
    answer = browser.post("/logout", {"Sec-Fetch-Site": "same-origin"})
    assert answer.headers.get("set-cookie").startswith(f"{named}=;")


def test_a_script_is_told_and_a_page_is_sent_to_log_in(sites: list[FastApiLogin]) -> None:
    browser = SiteBrowser(sites[0])
    assert browser.get("/profile", {"Sec-Fetch-Mode": "cors"}).status == 401
    assert browser.get("/profile").location == "/login?return_to=%2Fprofile"
