"""The introspection endpoint: who may know what of which token, and from when on no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from codegrant.errors import StoreError
from codegrant.flow import Effect
from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.server import effects, refresh_effects
from codegrant.server.administration import RemoveClient, RemoveResource, ReplaceResourceSecret
from codegrant.server.policy import Limits
from tests.flows.authorization_server import NOW, SECRET, basic, document
from tests.flows.callers import (
    API,
    API_SECRET,
    INACTIVE,
    OTHER_API,
    add_apis,
    add_second_client,
    introspect,
    is_active,
    tokens_of_b,
)
from tests.flows.house import FORM_TYPE, Browser, House, parameters_of
from tests.flows.oidc import claims_in, open_house, send, send_token, sign_in, tokens_of

SCOPE = "openid email offline_access read"
CLIENT = ("a", SECRET)
RESOURCE = ("api", API_SECRET)
OTHER = ("other-api", API_SECRET)
READS = (
    effects.FindCaller,
    effects.FindAccessToken,
    effects.FindStanding,
    refresh_effects.FindRefreshToken,
    effects.FindGrant,
)


@pytest.fixture(params=["jwt", "opaque"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house with two resource servers and a second client."""
    with open_house(access_format=request.param) as house:
        add_apis(house)
        add_second_client(house)
        yield house


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


@pytest.fixture
def tokens(house: House, browser: Browser) -> dict[str, Any]:
    """Alice's tokens at client a, for the first resource server."""
    return tokens_of(house, browser, scope=SCOPE, resource=API)


def refresh(house: House, token: str) -> dict[str, Any]:
    return document(send_token(house, "a", grant_type="refresh_token", refresh_token=token))


@pytest.mark.requirement("AS-INT-04")
@pytest.mark.parametrize("auth", [CLIENT, RESOURCE], ids=["client", "resource server"])
def test_an_access_token_is_told_as_it_was_granted(
    house: House, tokens: Any, auth: tuple[str, str]
) -> None:
    token = tokens["access_token"]
    house.now += 10
    answer = introspect(house, token, auth=auth)
    told = document(answer)
    jti = claims_in(house, token)["jti"] if "." in token else None
    assert told.pop("jti", None) == jti
    assert told == {
        "active": True,
        "scope": tokens["scope"],
        "client_id": "a",
        "sub": "person-alice",
        "exp": NOW + 300,
        "iat": NOW,
        "iss": "https://issuer.test",
        "aud": API,
        "token_type": "Bearer",
        "auth_time": NOW,
        "amr": ["pwd"],
    }
    assert answer.headers.get("cache-control") == "no-store"
    # A secret is needed: no page of another origin has any business here.
    assert not [name for name, _ in answer.headers.pairs() if name.startswith("access-control")]


@pytest.mark.requirement("AS-INT-04")
def test_a_refresh_token_is_told_to_its_client_and_is_no_bearer(house: House, tokens: Any) -> None:
    told = document(introspect(house, tokens["refresh_token"]))
    assert told == {
        "active": True,
        "scope": SCOPE,
        "client_id": "a",
        "sub": "person-alice",
        "exp": NOW + 30 * 86_400,
        "iat": NOW,
        "iss": "https://issuer.test",
        "auth_time": NOW,
        "amr": ["pwd"],
    }


@pytest.mark.requirement("AS-INT-04")
def test_a_token_that_a_client_has_for_itself_has_no_person(house: House) -> None:
    house.change_client("a", audiences=(API,), grant_types=("client_credentials",))
    tokens = document(send_token(house, "a", grant_type="client_credentials", scope="read"))
    for auth in (CLIENT, RESOURCE):
        told = document(introspect(house, tokens["access_token"], auth=auth))
        told.pop("jti", None)
        assert told == {
            "active": True,
            "scope": "read",
            "client_id": "a",
            "sub": "a",
            "exp": NOW + 300,
            "iat": NOW,
            "iss": "https://issuer.test",
            "aud": API,
            "token_type": "Bearer",
        }
    house.perform(RemoveClient("a"))
    assert not is_active(house, tokens["access_token"], RESOURCE)


@pytest.mark.requirement("AS-INT-05")
def test_a_client_sees_its_own_tokens_and_no_others(
    house: House, browser: Browser, tokens: Any
) -> None:
    theirs = tokens_of_b(house, browser, "openid email offline_access")
    for kind in ("access_token", "refresh_token"):
        assert is_active(house, tokens[kind], CLIENT)
        assert not is_active(house, tokens[kind], ("b", SECRET))
        assert is_active(house, theirs[kind], ("b", SECRET))
        assert not is_active(house, theirs[kind], CLIENT)
        assert not is_active(house, theirs[kind], ("trusted", SECRET))


@pytest.mark.requirement("AS-INT-05", "AS-INT-06")
def test_a_resource_server_sees_access_tokens_for_its_audience(
    house: House, browser: Browser, tokens: Any
) -> None:
    other = tokens_of(house, browser, scope=SCOPE, resource=OTHER_API)
    house.change_client("a", audiences=())
    nobodys = tokens_of(house, browser, scope="openid email offline_access")
    for own, auth in ((tokens, RESOURCE), (other, OTHER)):
        for one in (tokens, other, nobodys):
            assert is_active(house, one["access_token"], auth) == (one is own)
            assert is_active(house, one["refresh_token"], CLIENT)
            assert not is_active(house, one["refresh_token"], auth)


@pytest.mark.requirement("AS-INT-03")
@pytest.mark.parametrize("auth", [CLIENT, RESOURCE], ids=["client", "resource server"])
def test_what_is_no_token_of_the_caller_is_not_active_and_no_more(
    house: House, browser: Browser, tokens: Any, auth: tuple[str, str]
) -> None:
    token = tokens["access_token"]
    code = parameters_of(sign_in(browser, scope=SCOPE, resource=API))["code"]
    texts = [
        "x",
        "nobody-has-ever-seen-this-token-before-43-char",
        "a.b.c",
        "e30.e30.AA",
        "eyJhbGciOiJub25lIn0.e30.",
        "." * 5000,
        "é\u2028 \t",
        token + "x",
        token[:-1],
        token[::-1],
        f" {token}",
        tokens["refresh_token"] + "x",
        tokens["id_token"],
        SECRET,
        code,
    ]
    for text in texts:
        answer = introspect(house, text, auth=auth)
        assert (answer.status, answer.body) == (200, INACTIVE)
        assert answer.headers.get("content-type") == "application/json"
        assert answer.headers.get("cache-control") == "no-store"
    assert is_active(house, token, auth)


@pytest.mark.requirement("AS-INT-03")
@pytest.mark.parametrize("after", [300, 301, 86_400])
def test_an_expired_token_is_not_active(house: House, tokens: Any, after: int) -> None:
    house.now = NOW + 299
    assert is_active(house, tokens["access_token"], RESOURCE)
    house.now = NOW + after
    assert not is_active(house, tokens["access_token"], RESOURCE)
    assert not is_active(house, tokens["access_token"], CLIENT)
    assert is_active(house, tokens["refresh_token"], CLIENT)
    house.now = NOW + 30 * 86_400
    assert not is_active(house, tokens["refresh_token"], CLIENT)


@pytest.mark.requirement("AS-INT-03")
def test_a_rotated_refresh_token_is_not_active(house: House, tokens: Any) -> None:
    younger = refresh(house, tokens["refresh_token"])
    # Inside its grace it gets the same successor again, and is still not the token to use.
    assert not is_active(house, tokens["refresh_token"])
    assert is_active(house, younger["refresh_token"])
    # The access token before goes on until it expires.
    assert is_active(house, tokens["access_token"])
    assert is_active(house, younger["access_token"])


def disable_person(house: House) -> None:
    house.change_account("alice", enabled=False)


def disable_client(house: House) -> None:
    house.change_client("a", audiences=(API, OTHER_API), enabled=False)


def remove_client(house: House) -> None:
    assert house.perform(RemoveClient("a"))


def revoke_grant(house: House) -> None:
    grant_id = str(house.last_event("code_redeemed").facts["grant_id"])
    assert house.perform(effects.RevokeGrant(grant_id, house.now))


@pytest.mark.requirement("AS-INT-03", "AS-REV-07")
@pytest.mark.parametrize("end", [disable_person, disable_client, remove_client, revoke_grant])
def test_what_ends_ends_at_once(house: House, tokens: Any, end: Callable[[House], None]) -> None:
    assert is_active(house, tokens["access_token"], RESOURCE)
    end(house)
    assert not is_active(house, tokens["access_token"], RESOURCE)
    if end in {disable_person, revoke_grant}:
        assert not is_active(house, tokens["access_token"], CLIENT)
        assert not is_active(house, tokens["refresh_token"], CLIENT)
    else:
        assert introspect(house, tokens["access_token"], auth=CLIENT).status == 401


def test_a_disabled_client_that_comes_back_has_its_tokens_again(house: House, tokens: Any) -> None:
    disable_client(house)
    assert not is_active(house, tokens["access_token"], RESOURCE)
    house.change_client("a", audiences=(API, OTHER_API), enabled=True)
    assert is_active(house, tokens["access_token"], RESOURCE)


@pytest.mark.requirement("AS-INT-01", "AS-CA-01")
@pytest.mark.parametrize(
    ("auth", "form"),
    [
        pytest.param(None, {}, id="nobody"),
        pytest.param(None, {"client_id": "a"}, id="a client's name alone"),
        pytest.param(None, {"client_id": "api"}, id="a resource server's name alone"),
        pytest.param(None, {"client_id": "native"}, id="public client"),
        pytest.param(("native", SECRET), {}, id="public client with a secret"),
        pytest.param(("native", ""), {}, id="public client with an empty secret"),
        pytest.param(None, {"client_id": "native", "client_secret": SECRET}, id="public, post"),
        pytest.param(("a", API_SECRET), {}, id="a client with the secret of another"),
        pytest.param(("api", SECRET), {}, id="a resource server with the secret of another"),
        pytest.param(("unknown", SECRET), {}, id="unknown"),
        pytest.param((API, API_SECRET), {}, id="the audience for the id"),
        pytest.param(("API", API_SECRET), {}, id="another case"),
        pytest.param(None, {"client_id": "a", "client_secret": SECRET}, id="not its method"),
    ],
)
def test_who_does_not_prove_itself_learns_nothing(
    house: House, tokens: Any, auth: tuple[str, str] | None, form: dict[str, str]
) -> None:
    for token in (tokens["access_token"], tokens["refresh_token"], "x", None):
        answer = introspect(house, token, auth=auth, **form)
        assert (answer.status, document(answer)["error"]) == (401, "invalid_client")
        assert answer.headers.get("www-authenticate").startswith("Basic ")
        assert not answer.headers.get("access-control-allow-origin")


@pytest.mark.requirement("AS-INT-01")
def test_a_bearer_token_proves_nobody(house: House, tokens: Any) -> None:
    token = tokens["access_token"]
    header = ("authorization", f"Bearer {token}")
    answer = send(house, "POST", "/introspect", f"token={token}", (FORM_TYPE, header))
    assert (answer.status, document(answer)["error"]) == (401, "invalid_client")


@pytest.mark.requirement("AS-INT-01")
def test_a_resource_server_may_use_either_method_but_one_at_a_time(
    house: House, tokens: Any
) -> None:
    token = tokens["access_token"]
    form = {"client_id": "api", "client_secret": API_SECRET}
    assert document(introspect(house, token, auth=RESOURCE))["active"]
    assert document(introspect(house, token, auth=None, **form))["active"]
    both = introspect(house, token, auth=RESOURCE, **form)
    assert (both.status, document(both)["error"]) == (400, "invalid_request")
    mixed = introspect(house, token, auth=RESOURCE, client_id="a")
    assert (mixed.status, document(mixed)["error"]) == (400, "invalid_request")


@pytest.mark.requirement("AS-INT-01")
def test_a_resource_server_that_changes_or_goes_is_known_at_once(house: House, tokens: Any) -> None:
    token = tokens["access_token"]
    new = "another secret of the resource server, long enough"
    house.perform(ReplaceResourceSecret(API, digest_of(new), NOW))
    assert introspect(house, token, auth=RESOURCE).status == 401
    assert is_active(house, token, ("api", new))
    house.perform(RemoveResource(API))
    assert introspect(house, token, auth=("api", new)).status == 401


def test_a_resource_server_is_no_client_elsewhere(house: House) -> None:
    for grant_type in ("client_credentials", "authorization_code", "refresh_token"):
        form = f"grant_type={grant_type}&scope=read&code=x&refresh_token=x"
        answer = send(house, "POST", "/token", form, (FORM_TYPE, basic(*RESOURCE)))
        assert (answer.status, document(answer)["error"]) == (401, "invalid_client")


def test_guessing_the_secret_of_a_resource_server_is_limited(house: House, tokens: Any) -> None:
    token = tokens["access_token"]
    for _ in range(10):
        assert introspect(house, token, auth=("api", "a guess")).status == 401
    assert introspect(house, token, auth=RESOURCE).status == 429
    assert is_active(house, token, CLIENT)


@pytest.mark.requirement("AS-INT-02")
def test_a_token_comes_by_post_in_a_form(house: House, tokens: Any) -> None:
    token, client = tokens["access_token"], basic(*CLIENT)
    body = f"token={token}"
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        answer = send(house, method, "/introspect", headers=(client,), query=body)
        assert (answer.status, answer.headers.get("allow")) == (405, "POST")
        assert not answer.headers.get("access-control-allow-origin")
    refused = [
        send(house, "POST", "/introspect", "", (FORM_TYPE, client), query=body),
        send(house, "POST", "/introspect", body, (FORM_TYPE, client), query=body),
        send(house, "POST", "/introspect", body, (client,)),
        send(house, "POST", "/introspect", "token=" + "x" * 70_000, (FORM_TYPE, client)),
    ]
    assert [answer.status for answer in refused] == [400, 400, 400, 413]
    assert document(send(house, "POST", "/introspect", body, (FORM_TYPE, client)))["active"]


@pytest.mark.requirement("AS-INT-02")
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("", id="nothing"),
        pytest.param("token=", id="empty"),
        pytest.param("token_type_hint=access_token", id="hint alone"),
        pytest.param("token=a&token=b", id="two tokens"),
        pytest.param("token=a&x=1&x=2", id="repeated stranger"),
        pytest.param("token=%zz", id="broken escape"),
        pytest.param("token=%00", id="NUL"),
    ],
)
def test_a_malformed_request_is_refused(house: House, body: str) -> None:
    answer = send(house, "POST", "/introspect", body, (FORM_TYPE, basic(*CLIENT)))
    assert (answer.status, document(answer)["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "nonsense", ""])
def test_no_hint_keeps_a_token_from_being_found(house: House, tokens: Any, hint: str) -> None:
    for kind in ("access_token", "refresh_token"):
        answer = introspect(house, tokens[kind], token_type_hint=hint)
        assert document(answer)["active"]


def misses(house: House, times: int, auth: tuple[str, str] = CLIENT, text: str = "x") -> Response:
    """Ask for unknown tokens; return the last answer."""
    return [introspect(house, f"{text}{number}", auth=auth) for number in range(times)][-1]


@pytest.mark.requirement("AS-INT-07")
@pytest.mark.parametrize("text", ["x", "a.b.c"])
def test_guessing_is_limited_for_each_client_alone(
    house: House, browser: Browser, tokens: Any, text: str
) -> None:
    assert misses(house, 99, text=text).body == INACTIVE
    assert "introspection_limited" not in house.event_names()
    assert misses(house, 1, text=text).body == INACTIVE
    house.now += 60
    for token in ("another guess", "a.b.c"):
        refused = introspect(house, token)
        assert (refused.status, refused.headers.get("retry-after")) == (429, "240")
        assert document(refused)["error"] == "temporarily_unavailable"
    assert house.event_names().count("introspection_limited") == 1
    assert house.last_event("introspection_limited").facts == {"client_id": "a"}
    # What is good is told all the same, and nobody else is shut out.
    assert is_active(house, tokens["access_token"])
    assert is_active(house, tokens["refresh_token"])
    assert misses(house, 1, ("b", SECRET)).body == INACTIVE
    assert misses(house, 1, RESOURCE).body == INACTIVE
    house.now += 240
    assert misses(house, 1).body == INACTIVE


@pytest.mark.requirement("AS-INT-07")
def test_success_is_never_counted(house: House, tokens: Any) -> None:
    written = house.times(effects.SaveFailure)
    for _ in range(150):
        for auth in (CLIENT, RESOURCE):
            assert is_active(house, tokens["access_token"], auth)
    assert house.times(effects.SaveFailure) == written


@pytest.mark.requirement("AS-INT-07")
def test_the_callers_of_an_api_cannot_shut_it_out_soon_nor_fill_its_disk(
    house: House, tokens: Any
) -> None:
    """Whoever sends nonsense to an API makes its resource server miss."""
    sent = 0
    while introspect(house, f"nonsense {sent}", auth=RESOURCE).status == 200:
        sent += 1
    # One in a hundred is written down, by chance: 10 000 are the mean, 1000 the deviation.
    assert 5_000 < sent < 16_000
    rows = house.times(effects.SaveFailure)
    assert rows == 100
    assert misses(house, 20, RESOURCE).status == 429
    assert house.times(effects.SaveFailure) == rows
    assert is_active(house, tokens["access_token"], RESOURCE)
    assert misses(house, 1, OTHER).body == INACTIVE


def test_a_token_of_another_is_counted_as_one_that_does_not_exist(
    house: House, browser: Browser
) -> None:
    """Past the limit, too, nobody may tell a foreign token from nonsense."""
    theirs = tokens_of_b(house, browser, "openid email offline_access")
    misses(house, 100)
    for text in ("nonsense", theirs["refresh_token"]):
        assert introspect(house, text).status == 429
    # A JWT tells by its signature that it was issued here: there is nothing to hide.
    is_jwt = "." in theirs["access_token"]
    assert introspect(house, theirs["access_token"]).status == (200 if is_jwt else 429)


def test_limits_that_are_off_count_nothing() -> None:
    with open_house(limits=Limits(enabled=False)) as house:
        assert misses(house, 150).body == INACTIVE
        assert not house.times(effects.SaveFailure)


@pytest.mark.parametrize("broken", READS)
def test_a_store_that_fails_makes_no_token_inactive(
    house: House, tokens: Any, broken: type[Effect[Any]]
) -> None:
    for failure in (StoreError("locked", code="store_busy"), StoreError("the disk is gone")):
        for kind, auth in (
            ("access_token", CLIENT),
            ("access_token", RESOURCE),
            ("refresh_token", CLIENT),
        ):
            house.broken[broken] = failure
            answer = introspect(house, tokens[kind], auth=auth)
            house.broken.clear()
            assert answer.status in {200, 500, 503}
            if answer.status == 200:
                assert document(answer)["active"]
            else:
                assert failure.message.encode() not in answer.body
    assert house.times(broken)


def test_the_good_path_writes_nothing_and_reads_little(house: House, tokens: Any) -> None:
    house.effects.clear()
    assert is_active(house, tokens["access_token"], RESOURCE)
    asked = [type(effect).__name__ for effect in house.effects]
    opaque = [] if "." in tokens["access_token"] else ["FindAccessToken"]
    assert asked == [
        "FindCaller",
        *opaque,
        "FindStanding",
        "FindAccountBySubject",
    ]
