"""Routing: which path is whose, which methods it takes, what the rest gets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codegrant.accounts.effects import FindSession
from codegrant.errors import StoreError
from codegrant.http import Headers, Request, Response
from codegrant.server.effects import FindClient
from tests.flows.house import FORM_TYPE, Browser, House, read_page


@pytest.fixture(params=["https://issuer.test", "https://issuer.test/tenant/one"], ids=["", "path"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    made = House(request.param)
    yield made
    made.close()


def ask(house: House, method: str, path: str, query: str = "") -> Response:
    return house.respond(Request(method=method, url="https://x", path=path, query=query))


PAGES = ("login", "consent", "account", "logout")


@pytest.mark.parametrize("name", ["login", "logout"])
def test_a_page_is_under_the_issuer(house: House, name: str) -> None:
    assert ask(house, "GET", f"{house.policy.path}/{name}").status == 200


def test_the_account_page_leads_to_the_login_under_the_issuer(house: House) -> None:
    answer = ask(house, "GET", f"{house.policy.path}/account")
    assert answer.status == 303
    assert answer.headers.get("location") == house.policy.endpoint("login")


@pytest.mark.parametrize(
    ("name", "query"),
    [("login", "transaction=unknown"), ("consent", "transaction=unknown"), ("consent", "")],
)
def test_a_page_of_a_transaction_needs_one(house: House, name: str, query: str) -> None:
    answer = ask(house, "GET", f"{house.policy.path}/{name}", query)
    assert answer.status == 400
    assert read_page(answer).by_id["error-code"] == "invalid_request"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("/", id="the root"),
        pytest.param("/nothing", id="another name"),
        pytest.param("/login/", id="a slash after"),
        pytest.param("//login", id="two slashes"),
        pytest.param("/LOGIN", id="another case"),
        pytest.param("/account/../login", id="dots"),
        pytest.param("/login\0", id="NUL"),
        pytest.param("/style.css/", id="a slash after a file"),
        pytest.param("/templates/login.html", id="a template"),
        pytest.param("/<script>", id="markup"),
        pytest.param("/login\r\nx: y", id="a header"),
    ],
)
def test_any_other_path_is_a_404_page(house: House, path: str) -> None:
    answer = ask(house, "GET", f"{house.policy.path}{path}")
    page = read_page(answer)
    assert answer.status == 404
    assert page.by_id["error-code"] == "not_found"
    assert "<script" not in page.text


def test_pages_of_an_issuer_with_a_path_are_nowhere_else() -> None:
    house = House("https://issuer.test/tenant")
    for name in PAGES:
        assert ask(house, "GET", f"/{name}").status == 404
        assert ask(house, "GET", f"/other/{name}").status == 404
    house.close()


@pytest.mark.parametrize(
    ("name", "method", "allow"),
    [
        pytest.param("login", "PUT", "GET, POST", id="PUT"),
        pytest.param("consent", "DELETE", "GET, POST", id="DELETE"),
        pytest.param("logout", "HEAD", "GET, POST", id="HEAD"),
        pytest.param("account", "HEAD", "GET, POST", id="HEAD of the account"),
        pytest.param("account", "DELETE", "GET, POST", id="DELETE of the account"),
        pytest.param("style.css", "POST", "GET, HEAD", id="POST of a file"),
        pytest.param("login", "OPTIONS", "GET, POST", id="OPTIONS"),
        pytest.param("login", "get", "GET, POST", id="lower case"),
    ],
)
def test_another_method_is_a_405_that_names_the_right_ones(
    house: House, name: str, method: str, allow: str
) -> None:
    answer = ask(house, method, f"{house.policy.path}/{name}")
    assert answer.status == 405
    assert answer.headers.get("allow") == allow
    assert not [name for name, _ in answer.headers.pairs() if name.startswith("access-control")]


def test_endpoints_of_the_server_are_served_beside_the_pages(house: House) -> None:
    path = house.policy.path
    assert ask(house, "GET", f"{path}/.well-known/openid-configuration").status == 200
    assert ask(house, "GET", f"{path}/jwks").status == 200
    refused = ask(house, "GET", f"{path}/authorize")
    assert refused.status == 400
    assert read_page(refused).by_id["error-code"] == "invalid_request"


def test_the_stylesheet_that_pages_name_is_there(house: House) -> None:
    page = Browser(house).get(f"{house.policy.path}/account")
    (address,) = (address for address in page.addresses if ".css" in address)
    answer = Browser(house).send("GET", address)
    assert answer.status == 200
    assert "immutable" in answer.headers.get("cache-control")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_healthy_process_says_so_at_the_root(house: House, method: str, path: str) -> None:
    assert ask(house, method, path).status == 200


def test_a_process_without_its_database_is_alive_and_not_ready(house: House) -> None:
    house.broken[FindClient] = StoreError("gone", code="store_failed")
    assert ask(house, "GET", "/healthz").status == 200
    answer = ask(house, "GET", "/readyz")
    assert answer.status == 503
    assert b"gone" not in answer.body


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("store_failed", 500, id="failed"),
        pytest.param("store_busy", 503, id="busy"),
    ],
)
def test_a_page_whose_store_fails_is_a_calm_page_and_an_event(
    house: House, code: str, status: int
) -> None:
    browser = Browser(house)
    browser.log_in(browser.start())
    house.broken[FindSession] = StoreError("disk /dev/sda is on fire", code=code)
    page = browser.get(f"{house.policy.path}/account")
    assert page.status == status
    assert "/dev/sda" not in page.text
    assert page.by_id["error-code"] in {"server_error", "temporarily_unavailable"}
    assert house.last_event("request_failed").facts["status"] == status


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(b"a=1", [], id="no type"),
        pytest.param(b"{}", [("content-type", "application/json")], id="JSON"),
        pytest.param(b"a=1", [("content-type", "multipart/form-data; boundary=x")], id="parts"),
        pytest.param(b"a=1", [FORM_TYPE, FORM_TYPE], id="two types"),
        pytest.param(b"csrf=%zz", [FORM_TYPE], id="bad escape"),
        pytest.param(b"csrf=%ff", [FORM_TYPE], id="not UTF-8"),
        pytest.param(b"csrf=%00", [FORM_TYPE], id="NUL"),
        pytest.param(b"csrf=1&csrf=2&transaction=1&transaction=1", [FORM_TYPE], id="repeated"),
        pytest.param(b"&".join(b"a%d=1" % n for n in range(2000)), [FORM_TYPE], id="many"),
        pytest.param(b"password=" + b"a" * 2**20, [FORM_TYPE], id="1 MiB"),
        pytest.param(b"\xff" * 100, [FORM_TYPE], id="bytes"),
        pytest.param(b"", [FORM_TYPE], id="nothing"),
    ],
)
@pytest.mark.parametrize("name", ["login", "consent", "logout", "account"])
def test_no_form_is_bad_enough_for_a_5xx(
    house: House, name: str, body: bytes, headers: list[tuple[str, str]]
) -> None:
    answer = house.respond(
        Request(
            method="POST",
            url="https://x",
            path=f"{house.policy.path}/{name}",
            headers=Headers(headers),
            body=body,
        )
    )
    assert 300 <= answer.status < 500
    assert house.passwords_hashed() == 0


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        pytest.param("login", "transaction=unknown", "expired", id="ended"),
        pytest.param("consent", "x=%zz", "malformed_encoding", id="malformed"),
    ],
)
def test_what_a_page_refuses_is_an_event(house: House, name: str, query: str, reason: str) -> None:
    ask(house, "GET", f"{house.policy.path}/{name}", query)
    (event,) = house.events
    assert event.name == "page_refused"
    assert event.facts["endpoint"] == f"{house.policy.path}/{name}"
    assert reason in str(event.facts["reason"])
    assert event.facts["error"] == "invalid_request"


def test_a_page_that_is_shown_is_no_event(house: House) -> None:
    for name in ("login", "logout", "account"):
        ask(house, "GET", f"{house.policy.path}/{name}")
    assert house.events == []
