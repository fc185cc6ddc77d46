"""Section D of the catalogue: tokens that are refreshed, revoked and asked about."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import pytest

from codegrant.accounts.effects import HashPassword, ReplacePassword
from codegrant.http import Response
from codegrant.secret import Secret, digest_of
from codegrant.server.administration import AddClient, AddResource
from codegrant.server.records import ClientRecord, ResourceRecord
from tests.attacks.places import forge
from tests.attacks.steps import (
    PROBE,
    SecondHouse,
    ask,
    code_of,
    document,
    pass_pages,
    post,
    redeem,
    refused,
    send,
    sign_in,
    userinfo,
)
from tests.flows.authorization_server import SECRET, basic
from tests.flows.house import Browser, House
from tests.support.access_tokens import PaperApi
from tests.support.relying_party import Answer, register, send_form
from tests.support.serving import Serving

AUDIENCE = "https://api.example"
API = basic("api", "the secret of the resource server, long enough")
R_AUTH = basic("r", SECRET)
NATIVE = "http://127.0.0.1:4711/cb"
Auth: TypeAlias = tuple[str, str]
Form: TypeAlias = Mapping[str, str]


@pytest.fixture(params=["jwt", "opaque"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    """An issuer with either kind of access token, and a resource server that may ask."""
    made = SecondHouse(access_format=request.param)
    resource = ResourceRecord(
        audience=AUDIENCE,
        resource_id="api",
        secret_digest=digest_of("the secret of the resource server, long enough"),
    )
    assert made.perform(AddResource(resource))
    assert made.perform(AddClient(MACHINE))
    yield made
    made.close()


MACHINE = ClientRecord(
    client_id="machine",
    secret_digest=digest_of(SECRET),
    grant_types=("client_credentials",),
    scope=("read",),
    audiences=(AUDIENCE,),
)


OFFLINE = "openid email offline_access"


def log_in(house: House, alice: Browser, scope: str = OFFLINE) -> dict[str, Any]:
    """Return the tokens of a fresh login of client r."""
    answer = redeem(house, code_of(ask(alice, scope=scope)))
    assert answer.status == 200, answer.body
    return document(answer)


def refresh(house: House, token: str, auth: Auth | None = R_AUTH, **more: str) -> Response:
    form = {"grant_type": "refresh_token", "refresh_token": token, **more}
    return post(house, "/token", form, [auth] if auth else [])


def introspect(
    house: House, token: str, auth: Auth = R_AUTH, *, form: Form | None = None
) -> Mapping[str, Any]:
    answer = post(house, "/introspect", {"token": token, **(form or {})}, [auth])
    assert answer.status == 200, (answer.status, answer.body)
    return document(answer)


def revoke(house: House, token: str, auth: Auth = R_AUTH, *, form: Form | None = None) -> Response:
    return post(house, "/revoke", {"token": token, **(form or {})}, [auth])


def is_alive(house: House, token: str) -> bool:
    """Return whether an access token is good; every place that is asked must say the same."""
    status = userinfo(house, token).status
    active = introspect(house, token)["active"]
    assert (status == 200) == active, (status, active)
    return bool(active)


def test_atk_090_a_refresh_token_that_comes_back_ends_the_whole_family(
    house: House, alice: Browser
) -> None:
    first, other = log_in(house, alice), log_in(house, alice)
    second = document(refresh(house, first["refresh_token"]))
    third = document(refresh(house, second["refresh_token"]))
    family = [first["access_token"], second["access_token"], third["access_token"]]
    assert all(is_alive(house, token) for token in family)
    house.now += house.policy.refresh_grace_seconds + 1
    assert refused(refresh(house, first["refresh_token"])) == "invalid_grant"
    for token in (third["refresh_token"], second["refresh_token"], first["refresh_token"]):
        assert refused(refresh(house, token)) == "invalid_grant"
    assert not any(is_alive(house, token) for token in family)
    # Another login of the same person at the same client has nothing to do with it.
    assert is_alive(house, document(refresh(house, other["refresh_token"]))["access_token"])


def test_atk_090_only_the_client_itself_can_end_its_family_by_a_replay(
    house: House, alice: Browser
) -> None:
    first = log_in(house, alice)
    second = document(refresh(house, first["refresh_token"]))
    house.now += house.policy.refresh_grace_seconds + 1
    for auth, more in (
        (basic("b", SECRET), {}),
        (basic("r", "x" * 40), {}),
        (None, {"client_id": "native"}),
        (None, {"client_id": "r"}),
        (None, {}),
    ):
        answer = refresh(house, first["refresh_token"], auth, **more)
        assert refused(answer) in {"invalid_grant", "invalid_client"}
    assert is_alive(house, second["access_token"])
    assert refresh(house, second["refresh_token"]).status == 200


def test_atk_090_a_retry_in_the_grace_gives_nobody_a_second_line(
    house: House, alice: Browser
) -> None:
    first = log_in(house, alice)
    answers = [document(refresh(house, first["refresh_token"])) for _ in range(3)]
    assert len({answer["refresh_token"] for answer in answers}) == 1
    document(refresh(house, answers[0]["refresh_token"]))
    assert refused(refresh(house, first["refresh_token"])) == "invalid_grant"
    # A refresh token that is nearly right is nobody's.
    newest = log_in(house, alice)["refresh_token"]
    for token in (newest[:-1], newest + "x", newest.swapcase(), f" {newest}", f"{newest}=", "x"):
        assert refused(refresh(house, token)) in {"invalid_grant", "invalid_request"}
    assert refresh(house, newest).status == 200


def test_atk_092_a_token_that_was_ended_stays_so_after_a_restart(tmp_path: Path) -> None:
    def renew(token: str) -> Answer:
        return app.token("", grant_type="refresh_token", refresh_token=token)

    with Serving(tmp_path).start() as server:
        server.add_user()
        app = register(server, "app", "--skip-consent", scope="openid offline_access")
        browser = app.new_browser()
        rotated, revoked = (app.log_in(browser).json["refresh_token"] for _ in range(2))
        successor = renew(rotated).json["refresh_token"]
        assert renew(successor).status == 200
        fields = [("token", revoked)]
        assert send_form(f"{app.issuer}/revoke", fields, app.authentication()).status == 200
        server.stop(signal.SIGKILL)
    with Serving(tmp_path).start() as server:
        app.issuer = server.issuer
        for token in (revoked, rotated):
            answer = renew(token)
            assert (answer.status, answer.error) == (400, "invalid_grant")
        assert renew(app.log_in().json["refresh_token"]).status == 200


def test_atk_095_the_refresh_token_of_a_public_client_names_its_client(
    house: House, alice: Browser
) -> None:
    native = {"client_id": "native", "redirect_uri": NATIVE}
    page = pass_pages(alice, ask(alice, **native, scope="openid offline_access"))
    code = code_of(page, NATIVE)
    tokens = document(redeem(house, code, auth=None, form=native))
    token = tokens["refresh_token"]
    for auth, more in (
        (None, {}),
        (None, {"client_id": ""}),
        (None, {"client_id": "r"}),
        (None, {"client_id": "b"}),
        (None, {"client_id": "Native"}),
        (None, {"client_id": "nobody"}),
        (R_AUTH, {}),
        (R_AUTH, {"client_id": "native"}),
        (basic("native", ""), {}),
        (basic("native", "x"), {}),
        (None, {"client_id": "native", "client_secret": "x"}),
    ):
        answer = refresh(house, token, auth, **more)
        assert refused(answer) in {"invalid_client", "invalid_grant", "invalid_request"}, more
    twice = f"grant_type=refresh_token&refresh_token={token}&client_id=native&client_id=native"
    assert refused(post(house, "/token", twice)) == "invalid_request"
    assert refresh(house, token, None, client_id="native").status == 200


@pytest.mark.parametrize("happens", ["disabled", "new password", "logout"])
def test_atk_096_whoever_is_out_keeps_nothing(house: House, alice: Browser, happens: str) -> None:
    offline = log_in(house, alice)
    bob = sign_in(Browser(house, peer="192.0.2.50"), "bob")
    others = log_in(house, bob)
    unused = code_of(ask(alice))
    if happens == "disabled":
        house.change_account("alice", enabled=False)
    elif happens == "new password":
        password_hash = house.perform(HashPassword(Secret("quite another password")))
        assert house.perform(ReplacePassword("person-alice", password_hash, house.now))
    else:
        alice.submit(alice.get("/logout"), "logout-yes")
    assert "login-submit" in ask(alice).buttons
    assert "error=login_required" in send(alice, prompt="none").headers.get("location")
    if happens != "logout":  # what was granted for offline use outlives a logout
        assert refused(refresh(house, offline["refresh_token"])) == "invalid_grant"
        assert not is_alive(house, offline["access_token"])
        assert refused(redeem(house, unused)) == "invalid_grant"
        assert not introspect(house, offline["refresh_token"])["active"]
        again = alice.log_in(ask(alice), "alice")
        assert "code=" not in again.url
    assert is_alive(house, others["access_token"])
    assert refresh(house, others["refresh_token"]).status == 200
    if happens == "disabled":
        house.change_account("alice", enabled=True)
        assert not is_alive(house, offline["access_token"])
        assert refused(refresh(house, offline["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "nonsense"])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_atk_097_what_is_revoked_is_dead_everywhere_at_once(
    house: House, alice: Browser, kind: str, hint: str | None
) -> None:
    tokens, other = log_in(house, alice), log_in(house, alice)
    rotated = tokens["refresh_token"]
    tokens |= document(refresh(house, rotated))
    assert is_alive(house, tokens["access_token"])
    answer = revoke(house, tokens[kind], form={} if hint is None else {"token_type_hint": hint})
    assert (answer.status, answer.body) == (200, b"")
    assert not is_alive(house, tokens["access_token"])
    assert introspect(house, tokens["access_token"]) == {"active": False}
    if kind == "refresh_token":
        assert refused(refresh(house, tokens["refresh_token"])) == "invalid_grant"
        assert introspect(house, tokens["refresh_token"]) == {"active": False}
        assert refused(refresh(house, rotated)) == "invalid_grant"
    assert is_alive(house, other["access_token"])
    assert revoke(house, tokens[kind]).status == 200


def test_atk_097_nobody_revokes_the_token_of_somebody_else(house: House, alice: Browser) -> None:
    tokens = log_in(house, alice)
    for auth in (basic("b", SECRET), basic("r", "x" * 40), basic("nobody", SECRET), API):
        for kind in ("access_token", "refresh_token"):
            assert revoke(house, tokens[kind], auth).status in {200, 401}
    assert post(house, "/revoke", {"token": tokens["access_token"]}).status == 401
    public = {"token": tokens["refresh_token"], "client_id": "native"}
    assert post(house, "/revoke", public).status == 200
    for answer in (
        post(house, "/revoke", {}, [R_AUTH]),
        post(house, "/revoke", "", [R_AUTH], query=urlencode({"token": tokens["access_token"]})),
        post(house, "/revoke", "", [R_AUTH], query="token=x", method="GET"),
        post(house, "/revoke", f"token={tokens['access_token']}&token=x", [R_AUTH]),
    ):
        assert answer.status in {400, 405}
    assert is_alive(house, tokens["access_token"])
    assert refresh(house, tokens["refresh_token"]).status == 200


@pytest.mark.parametrize("path", ["/revoke", "/introspect", "/token", "/userinfo", "/jwks"])
def test_atk_100_no_answer_for_programs_runs_in_a_page(house: House, path: str) -> None:
    form = {"token": "x", "grant_type": "authorization_code", "code": "x"}
    for name in ("callback", "jsonp", "cb", "_callback"):
        for value in ("alert", PROBE, "alert(1)//"):
            for answer in (
                post(house, path, {**form, name: value}, [R_AUTH]),
                post(house, path, form, [R_AUTH], query=urlencode({name: value})),
                post(house, path, "", query=urlencode({name: value}), method="GET"),
                post(house, path, {**form, "token": value}, [R_AUTH]),
                post(house, path, {name: value}),
            ):
                assert b"alert" not in answer.body
                kinds = answer.headers.get_all("content-type")
                assert kinds in {(), ("application/json",), ("application/jwk-set+json",)}, kinds
                if answer.body:
                    assert answer.headers.get("x-content-type-options") in {"nosniff", ""}
                    assert answer.body.startswith(b"{")


def test_atk_101_nobody_learns_about_a_token_without_a_secret(house: House, alice: Browser) -> None:
    token = log_in(house, alice)["access_token"]
    in_form = [
        {},
        {"client_id": "r"},
        {"client_id": "native"},
        {"client_id": "native", "client_secret": ""},
        {"client_id": "native", "client_secret": "x"},
        {"client_id": "api"},
        {"client_id": "r", "client_secret": ""},
        {"client_id": "r", "client_secret": "x" * 40},
        {"client_id": "nobody", "client_secret": SECRET},
    ]
    headers: list[list[tuple[str, str]]] = [
        [],
        [basic("native", "")],
        [basic("native", "x")],
        [basic("r", "")],
        [basic("r", "x" * 40)],
        [basic("api", "x" * 40)],
        [basic("", "")],
        [("authorization", f"Bearer {token}")],
        [("authorization", "Basic")],
        [R_AUTH, API],
    ]
    for given in headers:
        for fields in in_form if not given else [{}]:
            answer = post(house, "/introspect", {"token": token, **fields}, given)
            assert answer.status in {400, 401}, (given, fields)
            assert b"active" not in answer.body
    query = f"token={token}"
    assert post(house, "/introspect", "", [R_AUTH], query=query, method="GET").status == 405
    assert post(house, "/introspect", "", [R_AUTH], query=query).status == 400
    origin = ("origin", "https://evil.test")
    cors = post(house, "/introspect", {"token": token}, [R_AUTH, origin])
    assert not cors.headers.get("access-control-allow-origin")
    assert introspect(house, token)["active"]
    # Others' tokens look like none at all.
    for auth in (basic("b", SECRET), API):
        assert introspect(house, token, auth) == {"active": False}


def test_atk_101_a_token_that_was_never_made_is_not_active(house: House, alice: Browser) -> None:
    token = log_in(house, alice)["access_token"]
    for made_up in (
        "x" * 43, "null", "0", "true", "*", "%", "' OR '1'='1", "active", token[:-1], token + "x",
        token.swapcase(), token.upper(), f"{token} ", "a.b.c", ".", "..", "...", "\u00e9",
        "x" * 9000,
    ):  # fmt: skip
        answer = post(house, "/introspect", {"token": made_up}, [R_AUTH])
        assert (answer.status, answer.body) == (200, b'{"active":false}'), made_up
    for nothing in ({}, {"token": ""}):
        assert post(house, "/introspect", nothing, [R_AUTH]).status == 400
    assert introspect(house, token)["active"]


def test_atk_103_no_other_kind_of_text_is_an_active_token(house: House, alice: Browser) -> None:
    used = code_of(ask(alice, scope="openid offline_access"))
    tokens = document(redeem(house, used))
    key = house.run(house.site.server.keys.signer("ES256", house.now))
    claims = {"iss": "https://issuer.test", "sub": "person-alice", "aud": "r", "client_id": "r",
              "exp": house.now + 300, "iat": house.now, "jti": "x"}  # fmt: skip
    header = {"alg": "ES256", "kid": key.kid}
    kinds = ("JWT", "logout+jwt", "client-authentication+jwt", "dpop+jwt", "at+jwt", "")
    forged = [forge({**header, "typ": typ}, claims, key.sign) for typ in kinds]
    for text in (
        tokens["id_token"],
        used,
        code_of(ask(alice)),
        str(alice.session_cookie),
        SECRET,
        "a.b.c",
        "a.b.c.d.e",
        *forged,
        forge({"alg": "none"}, claims, lambda _: b""),
    ):
        hints: tuple[Form, ...] = (
            {},
            *({"token_type_hint": k} for k in ("access_token", "id_token")),
        )
        for hint in hints:
            assert introspect(house, text, form=hint) == {"active": False}
    assert "request_failed" not in house.event_names()
    said = introspect(house, tokens["refresh_token"])
    assert said["active"]
    assert "token_type" not in said
    assert "aud" not in said
    assert introspect(house, tokens["access_token"])["token_type"] == "Bearer"


def test_atk_105_a_refresh_token_is_no_access_token_and_the_other_way_round(
    house: House, alice: Browser
) -> None:
    tokens = log_in(house, alice)
    assert refused(userinfo(house, tokens["refresh_token"]), 401) == "invalid_token"
    assert PaperApi("https://issuer.test").refuse(tokens["refresh_token"]).status == 401
    for other in (tokens["access_token"], tokens["id_token"], code_of(ask(alice))):
        assert refused(refresh(house, other)) == "invalid_grant"
        assert refused(redeem(house, tokens["refresh_token"])) == "invalid_grant"
    assert introspect(house, tokens["refresh_token"], API) == {"active": False}
    assert is_alive(house, tokens["access_token"])


def test_atk_106_nor_is_any_token_a_client_or_a_person(house: House, alice: Browser) -> None:
    tokens = log_in(house, alice)
    mine = tokens["refresh_token"]
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    for token in (tokens["id_token"], tokens["access_token"], mine):
        assertion = {"client_assertion_type": kind, "client_assertion": token}
        for answer in (
            refresh(house, mine, None, **assertion),
            refresh(house, mine, None, client_id="r", **assertion),
            refresh(house, mine, ("authorization", f"Bearer {token}")),
            refresh(house, mine, None, client_id="r", client_secret=token),
        ):
            assert refused(answer) in {"invalid_client", "invalid_request"}
        if token != tokens["id_token"]:
            where = send(alice, id_token_hint=token).headers.get("location")
            assert "error=invalid_request" in where
    assert refresh(house, mine).status == 200


def test_atk_108_a_token_of_a_client_is_about_nobody(house: House, alice: Browser) -> None:
    form = {"grant_type": "client_credentials"}
    machine = basic("machine", SECRET)
    for scope in ("openid", "openid read", "read openid profile"):
        answer = post(house, "/token", {**form, "scope": scope}, [machine])
        if answer.status == 200:
            assert "openid" not in document(answer)["scope"].split()
            assert "id_token" not in document(answer)
    tokens = document(post(house, "/token", {**form, "scope": "read"}, [machine]))
    token = tokens["access_token"]
    assert not {"refresh_token", "id_token"} & tokens.keys()
    assert userinfo(house, token).status in {401, 403}
    assert b"sub" not in userinfo(house, token).body
    said = introspect(house, token, machine)
    assert (said["active"], said["sub"]) == (True, "machine")
    assert userinfo(house, log_in(house, alice)["access_token"]).status == 200


def test_atk_052_a_client_gets_no_scope_for_itself_that_is_not_registered(house: House) -> None:
    machine = basic("machine", SECRET)
    for scope in ("admin", "openid", "READ", "read:all"):
        form = {"grant_type": "client_credentials", "scope": scope}
        assert refused(post(house, "/token", form, [machine])) == "invalid_scope"
    form = {"grant_type": "client_credentials", "scope": "read admin"}
    assert document(post(house, "/token", form, [machine]))["scope"] == "read"


def test_atk_052_a_refresh_never_widens_what_was_granted(house: House, alice: Browser) -> None:
    token = log_in(house, alice, "openid offline_access")["refresh_token"]
    for scope in ("openid email", "openid offline_access read", "admin", "openid admin"):
        assert refused(refresh(house, token, scope=scope)) == "invalid_scope"
    narrow = document(refresh(house, token, scope="openid"))
    assert narrow["scope"] == "openid"
    assert refused(refresh(house, narrow["refresh_token"], scope="openid email")) == "invalid_scope"
    assert refresh(house, narrow["refresh_token"]).status == 200


def test_atk_077_a_client_of_one_grant_does_not_use_another(house: House, alice: Browser) -> None:
    form = {"grant_type": "client_credentials", "scope": "read"}
    assert refused(post(house, "/token", form, [R_AUTH])) == "unauthorized_client"
    for auth, more in (
        (None, {"client_id": "native"}),
        (None, {"client_id": "machine"}),
        (basic("native", "x"), {}),
    ):
        answer = post(house, "/token", {**form, **more}, [auth] if auth else [])
        assert refused(answer) in {"unauthorized_client", "invalid_client"}
    token = log_in(house, alice)["refresh_token"]
    assert refused(refresh(house, token, basic("machine", SECRET))) == "unauthorized_client"
    assert "code=" not in ask(alice, client_id="machine").url
    assert post(house, "/token", form, [basic("machine", SECRET)]).status == 200
    assert refresh(house, token).status == 200
