"""The revocation endpoint: what goes, what stays, and who may say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.http import Response
from codegrant.server import effects, refresh_effects
from tests.flows.authorization_server import NOW, SECRET, VERIFIER, basic, document
from tests.flows.callers import (
    API,
    API_SECRET,
    add_apis,
    add_second_client,
    introspect,
    is_active,
    revoke,
    tokens_of_b,
)
from tests.flows.house import FORM_TYPE, Browser, House, parameters_of
from tests.flows.oidc import open_house, redeem, send, send_token, sign_in, tokens_of, userinfo

SCOPE = "openid email offline_access"
WRITES = (effects.DenyToken, effects.DeleteAccessToken, effects.RevokeGrant)


@pytest.fixture(params=["jwt", "opaque"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with open_house(access_format=request.param) as house:
        yield house


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


@pytest.fixture
def tokens(house: House, browser: Browser) -> dict[str, Any]:
    """Alice's tokens at client a, a refresh token among them."""
    return tokens_of(house, browser, scope=SCOPE)


def refresh(house: House, token: str, client_id: str = "a") -> Response:
    return send_token(house, client_id, grant_type="refresh_token", refresh_token=token)


def writes_of(house: House) -> int:
    return sum(house.times(kind) for kind in WRITES)


def assert_done(answer: Response) -> None:
    """Check that it is the one answer of RFC 7009 §2.2, for no cache, for every page."""
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers.get("cache-control") == "no-store"
    assert answer.headers.get("access-control-allow-origin") == "*"


@pytest.mark.requirement("AS-REV-07", "AS-UI-07")
def test_an_access_token_ends_at_once(house: House, browser: Browser, tokens: Any) -> None:
    neighbour = tokens_of(house, browser, scope=SCOPE)["access_token"]
    token = tokens["access_token"]
    assert userinfo(house, token).status == 200
    assert is_active(house, token)
    assert_done(revoke(house, token))
    assert userinfo(house, token).status == 401
    assert not is_active(house, token)
    assert userinfo(house, neighbour).status == 200
    assert is_active(house, neighbour)
    event = house.last_event("token_revoked")
    assert event.facts["client_id"] == "a"
    assert event.facts["subject"] == "person-alice"


@pytest.mark.requirement("AS-REV-06")
def test_an_access_token_leaves_the_refresh_token(house: House, tokens: Any) -> None:
    assert_done(revoke(house, tokens["access_token"]))
    assert is_active(house, tokens["refresh_token"])
    again = refresh(house, tokens["refresh_token"])
    assert again.status == 200
    assert userinfo(house, document(again)["access_token"]).status == 200
    assert not is_active(house, tokens["access_token"])


@pytest.mark.requirement("AS-REV-05")
def test_a_refresh_token_takes_the_whole_grant_with_it(
    house: House, browser: Browser, tokens: Any
) -> None:
    neighbour = tokens_of(house, browser, scope=SCOPE)
    younger = document(refresh(house, tokens["refresh_token"]))
    assert_done(revoke(house, younger["refresh_token"]))
    for token in (tokens["access_token"], younger["access_token"]):
        assert not is_active(house, token)
        assert userinfo(house, token).status == 401
    for token in (tokens["refresh_token"], younger["refresh_token"]):
        assert not is_active(house, token)
        assert document(refresh(house, token))["error"] == "invalid_grant"
    assert is_active(house, neighbour["access_token"])
    assert refresh(house, neighbour["refresh_token"]).status == 200
    event = house.last_event("grant_revoked")
    assert event.facts["reason"] == "revoked by the client"


@pytest.mark.requirement("AS-REV-05")
@pytest.mark.parametrize("later", [0, 29, 31, 3600])
def test_a_rotated_refresh_token_takes_the_grant_with_it_too(
    house: House, tokens: Any, later: int
) -> None:
    """Whoever gives a token back does not know that its successor never reached anybody."""
    younger = document(refresh(house, tokens["refresh_token"]))
    house.now += later
    assert_done(revoke(house, tokens["refresh_token"]))
    assert not is_active(house, younger["access_token"])
    assert refresh(house, younger["refresh_token"]).status == 400


@pytest.mark.requirement("AS-REV-04")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_no_hint_keeps_a_token_from_being_found(house: House, browser: Browser, kind: str) -> None:
    for hint in ("access_token", "refresh_token", "id_token", "nonsense", "x" * 300, ""):
        token = tokens_of(house, browser, scope=SCOPE)[kind]
        assert is_active(house, token)
        assert_done(revoke(house, token, token_type_hint=hint))
        assert not is_active(house, token)


@pytest.mark.requirement("AS-REV-02")
def test_what_is_no_token_is_answered_in_the_same_way(
    house: House, browser: Browser, tokens: Any
) -> None:
    code = parameters_of(sign_in(browser, scope=SCOPE))["code"]
    token = tokens["access_token"]
    nothing = [
        "x",
        "nobody-has-ever-seen-this-token-before-43-char",
        "a.b.c",
        "e30.e30.AA",
        "." * 5000,
        "é\u2028 \t",
        token + "x",
        token[:-1],
        token[::-1],
        tokens["refresh_token"][::-1],
        tokens["refresh_token"][1:],
        SECRET,
        code,
    ]
    for text in nothing:
        assert_done(revoke(house, text))
    assert writes_of(house) == 0
    assert is_active(house, token)
    assert is_active(house, tokens["refresh_token"])


def test_a_code_that_was_named_still_works(house: House, browser: Browser) -> None:
    page = sign_in(browser, scope=SCOPE)
    assert_done(revoke(house, parameters_of(page)["code"]))
    assert redeem(house, page)["access_token"]


@pytest.mark.requirement("AS-REV-02")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_second_time_changes_nothing(house: House, tokens: Any, kind: str) -> None:
    assert_done(revoke(house, tokens[kind]))
    written, told = writes_of(house), len(house.events)
    assert_done(revoke(house, tokens[kind]))
    # An opaque token is gone: even the question finds nothing to delete.
    assert writes_of(house) == written
    assert len(house.events) == told


@pytest.mark.requirement("AS-REV-02")
def test_a_clock_that_is_ahead_for_a_while_brings_no_revoked_token_back(
    house: House, browser: Browser, tokens: Any
) -> None:
    assert_done(revoke(house, tokens["access_token"]))
    house.now += 12 * 3600
    browser.start()  # traffic, in which expired rows go
    house.now = NOW
    assert not is_active(house, tokens["access_token"])
    assert userinfo(house, tokens["access_token"]).status == 401


def test_an_expired_token_is_answered_in_the_same_way(house: House, tokens: Any) -> None:
    house.now = NOW + 300
    assert_done(revoke(house, tokens["access_token"]))
    house.now = NOW + 200 * 86_400
    assert_done(revoke(house, tokens["refresh_token"]))
    assert writes_of(house) == 0


@pytest.mark.requirement("AS-REV-03")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_nobody_revokes_the_token_of_another(
    house: House, browser: Browser, tokens: Any, kind: str
) -> None:
    add_second_client(house)
    for auth in (("b", SECRET), ("trusted", SECRET)):
        assert_done(revoke(house, tokens[kind], auth=auth))
    assert_done(revoke(house, tokens[kind], auth=None, client_id="native"))
    assert writes_of(house) == 0
    assert is_active(house, tokens[kind])
    event = house.last_event("revocation_refused")
    assert event.facts == {"client_id": "native", "reason": "wrong_client"}
    # The neighbour: its own token goes.
    theirs = tokens_of_b(house, browser, SCOPE)
    assert_done(revoke(house, theirs[kind], auth=("b", SECRET)))
    assert not is_active(house, theirs[kind], ("b", SECRET))
    assert is_active(house, tokens[kind])


@pytest.mark.requirement("AS-REV-08")
def test_an_id_token_is_a_kind_that_cannot_be_revoked(house: House, tokens: Any) -> None:
    answer = revoke(house, tokens["id_token"])
    assert (answer.status, document(answer)["error"]) == (400, "unsupported_token_type")
    assert house.last_event("revocation_refused").facts["reason"] == "wrong_token_type"
    # A copy that nobody signed is simply unknown.
    assert_done(revoke(house, tokens["id_token"][:-6] + "AAAAAA"))


@pytest.mark.requirement("AS-REV-01", "AS-CA-01")
@pytest.mark.parametrize(
    ("auth", "form"),
    [
        pytest.param(None, {}, id="nobody"),
        pytest.param(None, {"client_id": "a"}, id="a name alone"),
        pytest.param(None, {"client_id": "unknown"}, id="an unknown name"),
        pytest.param(("a", "wrong"), {}, id="wrong secret"),
        pytest.param(("b", SECRET), {}, id="unknown client"),
        pytest.param(("native", SECRET), {}, id="public client with a secret"),
        pytest.param(None, {"client_id": "a", "client_secret": SECRET}, id="another method"),
        pytest.param(("api", API_SECRET), {}, id="resource server"),
    ],
)
def test_who_does_not_prove_itself_revokes_nothing(
    house: House, tokens: Any, auth: tuple[str, str] | None, form: dict[str, str]
) -> None:
    add_apis(house)
    for token in (tokens["access_token"], tokens["refresh_token"], "unknown"):
        answer = revoke(house, token, auth=auth, **form)
        assert (answer.status, document(answer)["error"]) == (401, "invalid_client")
        assert answer.headers.get("www-authenticate").startswith("Basic ")
    assert writes_of(house) == 0
    assert_done(revoke(house, tokens["access_token"]))
    assert not is_active(house, tokens["access_token"])


@pytest.mark.requirement("AS-REV-01")
def test_a_public_client_gives_its_name(house: House, browser: Browser) -> None:
    where = "http://127.0.0.1:4711/cb"
    page = sign_in(browser, client_id="native", redirect_uri=where, scope="openid")
    form = {
        "grant_type": "authorization_code",
        "code": parameters_of(page)["code"],
        "redirect_uri": where,
        "code_verifier": VERIFIER,
        "client_id": "native",
    }
    answer = send(house, "POST", "/token", urlencode(form), (FORM_TYPE,))
    token = document(answer)["access_token"]
    assert revoke(house, token, auth=None).status == 401
    assert userinfo(house, token).status == 200
    assert_done(revoke(house, token, auth=None, client_id="native"))
    assert userinfo(house, token).status == 401


@pytest.mark.requirement("AS-REV-01")
@pytest.mark.parametrize(
    ("body", "description"),
    [
        pytest.param("", "token: the parameter is missing", id="nothing"),
        pytest.param("token=", "token: the parameter is missing", id="empty"),
        pytest.param("token_type_hint=access_token", "token: the parameter is", id="hint alone"),
        pytest.param("token=a&token=b", "a parameter is repeated", id="two tokens"),
        pytest.param("token=a&x=1&x=2", "a parameter is repeated", id="repeated stranger"),
        pytest.param("token=%zz", "parameters: a % that starts", id="broken escape"),
        pytest.param("token=%ff", "parameters: not UTF-8", id="not UTF-8"),
        pytest.param("token=%00", "parameters: a control", id="NUL"),
    ],
)
def test_a_malformed_request_is_refused(house: House, body: str, description: str) -> None:
    answer = send(house, "POST", "/revoke", body, (FORM_TYPE, basic("a", SECRET)))
    assert (answer.status, document(answer)["error"]) == (400, "invalid_request")
    assert document(answer)["error_description"].startswith(description)


@pytest.mark.requirement("AS-REV-01")
def test_a_token_stands_in_a_form_and_nowhere_else(house: House, tokens: Any) -> None:
    token, client = tokens["access_token"], basic("a", SECRET)
    body = f"token={token}"
    refused = [
        send(house, "POST", "/revoke", "", (FORM_TYPE, client), query=body),
        send(house, "POST", "/revoke", body, (FORM_TYPE, client), query=body),
        send(house, "POST", "/revoke", body, (client,)),
        send(house, "POST", "/revoke", f'{{"token":"{token}"}}', (_JSON, client)),
        send(house, "POST", "/revoke", "token=" + "x" * 70_000, (FORM_TYPE, client)),
    ]
    assert [answer.status for answer in refused] == [400, 400, 400, 400, 413]
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = send(house, method, "/revoke", query=body)
        assert (answer.status, answer.headers.get("allow")) == (405, "POST")
    assert is_active(house, token)
    assert_done(send(house, "POST", "/revoke", body, (FORM_TYPE, client)))
    assert not is_active(house, token)


_JSON = ("content-type", "application/json")
FAILURES = (
    (StoreError("the disk is gone", code="store_failed"), "server_error"),
    (StoreError("locked", code="store_busy"), "temporarily_unavailable"),
    (StoreError("no space", code="store_full"), "temporarily_unavailable"),
)


@pytest.mark.requirement("AS-REV-08")
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize(
    "broken",
    [
        effects.FindCaller,
        effects.FindAccessToken,
        refresh_effects.FindFamily,
        effects.FindStanding,
        effects.DenyToken,
        effects.DeleteAccessToken,
        effects.RevokeGrant,
    ],
)
def test_a_store_that_fails_is_no_success(
    house: House, tokens: Any, broken: type[Effect[Any]], kind: str
) -> None:
    """Who hears 200 takes the token for dead. RFC 7009 §2.2.1."""
    token = tokens[kind]
    for failure, error in FAILURES:
        house.broken[broken] = failure
        answer = revoke(house, token)
        house.broken.clear()
        if answer.status == 200:  # what is broken is not needed for this token
            assert broken not in needed_for(token)
            break
        assert broken in needed_for(token)
        assert (answer.status, document(answer)["error"]) == (503, error)
        assert int(answer.headers.get("retry-after")) > 0
        assert failure.message.encode() not in answer.body
        assert is_active(house, token)
    assert_done(revoke(house, token))
    assert not is_active(house, token)


def needed_for(token: str) -> set[type[Effect[Any]]]:
    """Return what the revocation of a token asks of the store, by the look of the token."""
    if "." in token:
        return {effects.FindCaller, effects.FindStanding, effects.DenyToken}
    if len(token) == 43:
        return {effects.FindCaller, effects.FindAccessToken, effects.DeleteAccessToken}
    return {
        effects.FindCaller,
        effects.FindAccessToken,
        refresh_effects.FindFamily,
        effects.RevokeGrant,
    }


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda house: house.change_account("alice", enabled=False), id="disabled"),
        pytest.param(lambda house: house.change_client("a", enabled=False), id="client disabled"),
    ],
)
def test_who_was_disabled_for_a_while_has_revoked_nothing_less(
    house: House, tokens: Any, end: Callable[[House], None]
) -> None:
    end(house)
    answer = revoke(house, tokens["access_token"])
    house.change_account("alice", enabled=True)
    house.change_client("a", enabled=True)
    if answer.status == 401:  # the client itself may not even ask
        assert is_active(house, tokens["access_token"])
        return
    assert_done(answer)
    assert not is_active(house, tokens["access_token"])


def test_a_token_that_a_client_has_for_itself_can_be_revoked(house: House) -> None:
    add_apis(house)
    house.change_client("a", audiences=(API,), grant_types=("client_credentials",))
    tokens = [
        document(send_token(house, "a", grant_type="client_credentials", scope="read"))
        for _ in range(2)
    ]
    mine, neighbour = (str(one["access_token"]) for one in tokens)
    assert is_active(house, mine)
    assert_done(revoke(house, mine))
    assert not is_active(house, mine)
    assert not is_active(house, mine, ("api", API_SECRET))
    assert is_active(house, neighbour, ("api", API_SECRET))


@pytest.mark.requirement("AS-REV-07")
def test_a_resource_server_learns_of_it_at_once(house: House, browser: Browser) -> None:
    add_apis(house)
    tokens = tokens_of(house, browser, scope=f"{SCOPE} read", resource=API)
    api = ("api", API_SECRET)
    assert is_active(house, tokens["access_token"], api)
    younger = document(refresh(house, tokens["refresh_token"]))
    assert_done(revoke(house, tokens["access_token"]))
    assert not is_active(house, tokens["access_token"], api)
    assert is_active(house, younger["access_token"], api)
    assert_done(revoke(house, younger["refresh_token"]))
    assert introspect(house, younger["access_token"], auth=api).body == b'{"active":false}'


def test_a_refresh_that_comes_between_leaves_nothing_alive(house: House, tokens: Any) -> None:
    """Between the look-up of the token and the end of its grant, the client refreshes."""
    fresh: list[dict[str, Any]] = []

    def refreshes() -> None:
        fresh.append(document(refresh(house, tokens["refresh_token"])))

    house.before[effects.RevokeGrant] = refreshes
    assert_done(revoke(house, tokens["refresh_token"]))
    (younger,) = fresh
    assert not is_active(house, younger["access_token"])
    assert refresh(house, younger["refresh_token"]).status == 400
