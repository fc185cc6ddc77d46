"""Tokens of a real `codegrant serve`, at one API behind each adapter, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from codegrant.jose import parse_jwt
from codegrant.messages.bearer import parse_challenges
from tests.support.guarded_apis import (
    plain_asgi_app,
    serve_asgi,
    serve_flask,
    starlette_app,
)
from tests.support.relying_party import Answer, RelyingParty, register, send
from tests.support.serving import Serving
from tests.support.waiting import wait_until

AUDIENCE = "https://api.example"
OTHER_AUDIENCE = "https://other.example"

SERVE: Mapping[str, Callable[[str, str], AbstractContextManager[str]]] = {
    "flask": serve_flask,
    "asgi": lambda issuer, audience: serve_asgi(plain_asgi_app, issuer, audience),
    "starlette": lambda issuer, audience: serve_asgi(starlette_app, issuer, audience),
}


@dataclass
class House:
    """A server that knows alice, and one client that may name two APIs."""

    server: Serving
    party: RelyingParty
    subject: str

    def token(self, scope: str = "read", audience: str | None = AUDIENCE) -> str:
        answer = self.party.log_in(scope=scope, resource=audience)
        return str(answer.json["access_token"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Serving(tmp_path_factory.mktemp("house")).start() as server:
        subject = server.add_user()
        server.run("resources", "add", AUDIENCE, "--id", "api", "--scope", "read admin")
        server.run("resources", "add", OTHER_AUDIENCE, "--id", "other", "--scope", "read")
        audiences = ("--audience", AUDIENCE, "--audience", OTHER_AUDIENCE)
        party = register(server, "app", "--scope", "openid read admin", *audiences)
        yield House(server, party, subject)


@pytest.fixture(scope="module", params=list(SERVE))
def api(request: pytest.FixtureRequest, house: House) -> Iterator[str]:
    with SERVE[request.param](house.server.issuer, AUDIENCE) as origin:
        yield origin


@pytest.fixture(scope="module")
def token(house: House) -> str:
    return house.token()


def get(api: str, token: str, path: str = "/profile") -> Answer:
    return send("GET", f"{api}{path}", headers={"Authorization": f"Bearer {token}"})


def refused(answer: Answer) -> str:
    """Return the error code of a refusal, which its challenge and its body agree on."""
    (challenge,) = parse_challenges(answer.headers["www-authenticate"])
    assert challenge.params["error"] == answer.error
    return answer.error


@pytest.mark.requirement("RS-BR-01", "RS-BR-07", "RS-JAT-02")
def test_a_token_for_this_api_opens_it(house: House, api: str, token: str) -> None:
    for _ in range(2):
        answer = get(api, token)
        assert answer.status == 200
        assert answer.json == {"subject": house.subject, "client_id": "app"}
        assert answer.headers["cache-control"] == "private, no-store"
    assert get(api, token, "/person").status == 200


@pytest.mark.requirement("RS-JAT-02")
def test_a_token_for_another_api_does_not(house: House, api: str) -> None:
    answer = get(api, house.token(audience=OTHER_AUDIENCE))
    assert (answer.status, refused(answer)) == (401, "invalid_token")
    # Without `resource` it is for the client's first API, which is this one (D19).
    assert get(api, house.token(audience=None)).status == 200


@pytest.mark.requirement("RS-JAT-01", "CO-JOSE-07")
def test_an_id_token_does_not(house: House, api: str) -> None:
    answer = house.party.log_in(scope="openid read", resource=AUDIENCE)
    assert get(api, answer.json["access_token"]).status == 200
    refusal = get(api, answer.json["id_token"])
    assert (refusal.status, refused(refusal)) == (401, "invalid_token")


@pytest.mark.requirement("RS-BR-04", "RS-BR-05", "RS-BR-08")
def test_each_refusal_has_its_status_and_its_challenge(house: House, api: str, token: str) -> None:
    bare = send("GET", f"{api}/profile")
    assert (bare.status, bare.headers["www-authenticate"], bare.body) == (401, "Bearer", b"")
    altered = get(api, f"{token[:-6]}AAAAAA")
    assert (altered.status, refused(altered)) == (401, "invalid_token")
    narrow = get(api, token, "/admin")
    assert (narrow.status, refused(narrow)) == (403, "insufficient_scope")
    assert 'scope="read admin"' in narrow.headers["www-authenticate"]
    assert get(api, house.token("read admin"), "/admin").status == 200


@pytest.mark.requirement("RS-BR-02", "RS-BR-03")
def test_a_token_stands_in_the_header_and_nowhere_else(api: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for url, sent, body in [
        (f"{api}/profile?access_token={token}", {}, None),
        (f"{api}/profile?access_token={token}", headers, None),
        (f"{api}/profile", form, f"access_token={token}"),
        (f"{api}/profile", headers | form, f"access_token={token}"),
    ]:
        answer = send("POST" if body else "GET", url, body, sent)
        assert (answer.status, refused(answer)) == (400, "invalid_request")
    assert send("POST", f"{api}/profile", "a=1", headers | form).status == 200


@pytest.mark.requirement("RS-BR-09", "RS-BR-06")
def test_a_header_of_any_size_gets_a_quick_refusal(api: str) -> None:
    for size in (20_000, 50_000):
        answer = get(api, "a" * size)
        assert 400 <= answer.status < 500
        assert b"aaaa" not in answer.body


@pytest.mark.requirement("RS-JAT-03")
def test_a_new_key_of_the_server_is_taken_and_the_old_one_still_is(house: House) -> None:
    old = house.token()
    with serve_asgi(plain_asgi_app, house.server.issuer, AUDIENCE) as api:
        assert get(api, old).status == 200
        house.server.run("keys", "rotate", "--now")
        seen: list[str] = []

        def is_signed_anew() -> bool:
            seen.append(house.token())
            return parse_jwt(seen[-1]).kid != parse_jwt(old).kid

        wait_until(is_signed_anew)
        for token in (seen[-1], old, seen[-1]):
            assert get(api, token).status == 200
