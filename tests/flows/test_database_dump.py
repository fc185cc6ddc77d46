"""Whoever reads the whole database holds nothing that works: no value is any credential."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from codegrant.http import Headers, Request, Response
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient, AddResource
from codegrant.server.policy import Limits
from codegrant.server.records import ClientRecord, ResourceRecord
from tests.flows.authorization_server import SECRET, VERIFIER, basic
from tests.flows.house import FORM_TYPE, Browser, House, parameters_of

pytestmark = pytest.mark.not_watched("what is public is tried as a secret")

RESOURCE_SECRET = "the secret of the resource server, long enough"
CALLBACK = "https://a.test/cb"
MACHINE = ClientRecord(
    client_id="machine",
    secret_digest=digest_of(SECRET),
    grant_types=("client_credentials",),
    scope=("read",),
)


@dataclass
class Burgled:
    """A house in full use, and every value of its database as a thief may spell it."""

    house: House
    values: list[str]
    live: dict[str, str]


@pytest.fixture(params=["jwt", "opaque"])
def burgled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Burgled]:
    file = tmp_path / "house.db"
    house = House(database=file, access_format=request.param, limits=Limits(enabled=False))
    resource = ResourceRecord(
        audience="https://api.test", resource_id="api", secret_digest=digest_of(RESOURCE_SECRET)
    )
    house.perform(AddResource(resource))
    house.perform(AddClient(MACHINE))
    live = use(house)
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as dump:
        values = list(spelled(dump))
    dump.close()
    yield Burgled(house, values, live)
    house.close()


def use(house: House) -> dict[str, str]:
    """Leave one of everything behind, and return what works."""
    browser = Browser(house)
    consent = browser.log_in(browser.start(scope="openid email offline_access"))
    code = parameters_of(browser.submit(consent, "consent-allow"))["code"]
    tokens = json.loads(redeem(house, code).body)
    unused = parameters_of(browser.start(scope="openid email offline_access"))["code"]
    Browser(house).start()  # a login that waits
    other = Browser(house)
    other.log_in(other.start(prompt="consent"))  # a consent that waits
    client = token(house, ("machine", SECRET), grant_type="client_credentials", scope="read")
    assert browser.session_cookie is not None
    return {
        "code": unused,
        "access token": tokens["access_token"],
        "refresh token": tokens["refresh_token"],
        "client's access token": json.loads(client.body)["access_token"],
        "session": browser.session_cookie,
    }


def spelled(dump: sqlite3.Connection) -> Iterator[str]:
    """Yield every value of every column, and each part of a structured one, in each spelling."""
    seen: set[str] = set()
    tables = [name for (name,) in dump.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    assert len(tables) > 12
    for table in tables:
        for row in dump.execute(f"SELECT * FROM {table}"):  # noqa: S608 - its own table
            for value in row:
                for text in spellings_of(value):
                    if text and text not in seen:
                        seen.add(text)
                        yield text


def spellings_of(value: object) -> Iterator[str]:
    match value:
        case bytes():
            yield value.hex()
            yield b64encode(value).decode()
            yield urlsafe_b64encode(value).rstrip(b"=").decode()
        case str():
            yield value
            if value.startswith(("[", "{")):
                for part in flat(json.loads(value)):
                    yield from spellings_of(part)
        case _:
            yield str(value)


def flat(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for part in value:
            yield from flat(part)
    else:
        yield value


def token(house: House, auth: tuple[str, str] = ("a", SECRET), **form: str) -> Response:
    return post(house, "/token", form, basic(*auth))


def post(house: House, path: str, form: dict[str, str], *headers: tuple[str, str]) -> Response:
    return house.respond(
        Request(
            method="POST",
            url=f"https://issuer.test{path}",
            path=path,
            headers=Headers([FORM_TYPE, *headers]),
            body=urlencode(form).encode("utf-8", "surrogatepass"),
            peer="192.0.2.9",
        )
    )


def redeem(house: House, code: str) -> Response:
    return token(
        house,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


def works_as_code(house: House, value: str) -> bool:
    return redeem(house, value).status == 200


def works_as_refresh_token(house: House, value: str) -> bool:
    return token(house, grant_type="refresh_token", refresh_token=value).status == 200


def works_as_access_token(house: House, value: str) -> bool:
    asked = [
        post(house, "/introspect", {"token": value}, basic(client, SECRET))
        for client in ("a", "machine")
    ]
    answer = post(house, "/userinfo", {}, ("authorization", f"Bearer {ascii_of(value)}"))
    active = any(json.loads(each.body).get("active") for each in asked)
    return answer.status == 200 or active


def works_as_session(house: House, value: str) -> bool:
    browser = Browser(house)
    name = next(name for name in used_names(house) if "session" in name)
    browser.cookies[name] = ascii_of(value)
    page = browser.get("/account")
    return "Alice" in page.text


def works_as_client_secret(house: House, value: str) -> bool:
    asked = post(house, "/introspect", {"token": "x"}, basic("a", value))
    resource = post(house, "/introspect", {"token": "x"}, basic("api", value))
    return 200 in {asked.status, resource.status}


def works_as_password(house: House, value: str) -> bool:
    browser = Browser(house)
    browser.log_in(browser.start(), "alice", value)
    return browser.session_cookie is not None


def works_as_waiting_login(house: House, value: str) -> bool:
    """Whether it opens somebody else's transaction, with what stands beside it as the cookie."""
    page = Browser(house).get(f"/consent?{urlencode({'transaction': value})}")
    login = Browser(house).get(f"/login?{urlencode({'transaction': value})}")
    return page.status == 200 or login.status == 200


def ascii_of(value: str) -> str:
    return value.encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")


def used_names(house: House) -> set[str]:
    browser = Browser(house)
    browser.log_in(browser.start())
    return set(browser.cookies)


KINDS = {
    "code": works_as_code,
    "refresh token": works_as_refresh_token,
    "access token": works_as_access_token,
    "client's access token": works_as_access_token,
    "session": works_as_session,
    "client secret": works_as_client_secret,
    "password": works_as_password,
    "waiting login": works_as_waiting_login,
}


@pytest.mark.requirement("CO-SEC-05")
@pytest.mark.parametrize("kind", KINDS)
def test_no_value_of_any_column_works_as(burgled: Burgled, kind: str) -> None:
    works = KINDS[kind]
    house = burgled.house
    assert len(burgled.values) > 100
    # Passwords are slow on purpose: of each kind of value a few are tried.
    values = burgled.values if kind != "password" else burgled.values[::10]
    assert [value for value in values if works(house, value)] == []
    real = burgled.live | {"client secret": SECRET, "password": "wonderland"}
    if kind in real:
        assert works(house, real[kind]), "the test itself could not tell"
