"""`web.login_callback`: one exchange per login, whoever comes back and however often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from codegrant import KeyRing
from codegrant.client.effects import FinishCallback
from codegrant.errors import StoreError
from codegrant.flow import Effect
from tests.support.mock_provider import Answer, Lie, MockProvider, Received, as_json, html
from tests.support.website import ORIGIN, Visitor, Website, code_of, retry_of
from tests.unit.web.conftest import MakeClient


def change_query(url: str, **changes: str | None) -> str:
    pairs = {**dict(parse_qsl(urlsplit(url).query)), **changes}
    kept = {name: value for name, value in pairs.items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(kept)}"


def state_of(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["state"]


@pytest.mark.requirement("CL-FLOW-10")
def test_the_callback_ends_at_a_clean_address_that_leaves_no_trace(
    visitor: Visitor, provider: MockProvider
) -> None:
    good = visitor.log_in(provider, "/login?return_to=/orders%3Fpage%3D2")
    assert good.headers.get("location") == "/orders?page=2"
    bad = visitor.get("/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz")
    for response, status in ((good, 303), (bad, 400)):
        assert response.status == status
        assert response.headers.get_all("cache-control") == ("no-store",)
        assert response.headers.get_all("referrer-policy") == ("no-referrer",)
    assert "SplxlOBeZQQYbYS6WxSbIA" not in bad.body.decode()


# --- a state is good for one browser, once ---


@pytest.mark.requirement("CL-FLOW-03")
def test_a_state_is_good_for_the_browser_that_started_it_and_for_one_token_request(
    visitor: Visitor, provider: MockProvider
) -> None:
    mine, theirs = visitor.start("/login?return_to=/mine"), Visitor(visitor.site)
    their_callback = provider.authorize(theirs.start("/login?return_to=/theirs"))
    callback = provider.authorize(mine)
    for browser in (visitor, Visitor(visitor.site)):  # one with another login, one with none
        response = browser.get(their_callback)
        assert (response.status, code_of(response)) == (400, "state_cookie_missing")
    missing = visitor.get(change_query(callback, state=None))
    assert (missing.status, code_of(missing)) == (400, "state_missing")
    wrong = visitor.get(change_query(callback, state="x" * 43))
    assert (wrong.status, code_of(wrong)) == (400, "state_tampered")
    assert provider.count("/token") == 0

    good = visitor.get(callback)
    assert (good.status, good.headers.get("location")) == (303, "/mine")
    session = visitor.session
    visitor.site.now += 59
    again = visitor.get(callback)
    assert (again.status, again.headers.get("location")) == (303, "/mine")
    assert visitor.session == session
    assert code_of(Visitor(visitor.site).get(callback)) == "state_cookie_missing"
    visitor.site.now += 1
    late = visitor.get(callback)
    assert (late.status, code_of(late)) == (400, "state_already_used")
    assert provider.count("/token") == 1


def test_a_second_delivery_with_the_session_alone_gets_the_redirect_for_a_minute(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    visitor.get(callback)
    for name in visitor.pending:
        del visitor.cookies[name]
    visitor.site.now += 59
    response = visitor.get(callback)
    assert (response.status, response.headers.get("location")) == (303, "/orders")
    visitor.site.now += 1
    late = visitor.get(callback)
    assert (late.status, code_of(late)) == (400, "state_already_used")
    visitor.send("POST", "/logout")
    assert code_of(visitor.get(callback)) == "state_cookie_missing"
    assert provider.count("/token") == 1


def test_a_repeat_sets_the_session_again_when_the_first_answer_was_lost(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())
    lost = replace(visitor.request("GET", callback))
    visitor.site.respond(lost)
    assert visitor.session is None
    assert visitor.get(callback).status == 303
    assert visitor.who() is not None
    assert provider.count("/token") == 1


def test_the_kept_cookie_lives_a_minute(visitor: Visitor, provider: MockProvider) -> None:
    response = visitor.log_in(provider)
    kept = next(x for x in response.headers.get_all("set-cookie") if x.startswith("cg-login-"))
    assert "; Max-Age=60; " in kept


def test_a_repeat_does_not_sign_in_who_has_signed_out(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())
    visitor.get(callback)
    visitor.send("POST", "/logout")
    response = visitor.get(callback)
    assert response.status == 303
    assert not response.headers.get_all("set-cookie")
    assert visitor.who() is None


def test_a_repeat_in_one_tab_leaves_the_newer_session_of_another(
    visitor: Visitor, provider: MockProvider
) -> None:
    first, second = visitor.start("/login?return_to=/1"), visitor.start("/login?return_to=/2")
    callback = provider.authorize(first)
    visitor.get(callback)
    visitor.get(provider.authorize(second))
    newer = visitor.session
    response = visitor.get(callback)
    assert (response.status, response.headers.get("location")) == (303, "/1")
    assert visitor.session == newer
    assert visitor.who() is not None


def test_ten_tabs_that_start_together_all_log_in(visitor: Visitor, provider: MockProvider) -> None:
    urls = [visitor.start(f"/login?return_to=/tab/{number}") for number in range(10)]
    callbacks = [provider.authorize(url) for url in urls]
    for number in (3, 9, 0, 5, 1, 8, 2, 7, 4, 6):
        response = visitor.get(callbacks[number])
        assert (response.status, response.headers.get("location")) == (303, f"/tab/{number}")
        assert visitor.who() is not None
    assert provider.count("/token") == 10


# --- two deliveries at once ---


def hold_the_first(site: Website, provider: MockProvider) -> None:
    """Let the token endpoint answer when another delivery waits, and that one wait till the end."""
    waiting, finished = Event(), Event()
    answer = provider.token_endpoint

    def held(request: Received) -> Answer:
        assert waiting.wait(20)
        return answer(request)

    def wait() -> None:
        waiting.set()
        assert finished.wait(20)

    def note(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback):
            finished.set()

    provider.routes["/token"] = held
    site.on_pause, site.after = wait, note


def test_two_deliveries_at_once_make_one_token_request(
    visitor: Visitor, provider: MockProvider
) -> None:
    hold_the_first(visitor.site, provider)
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    request = visitor.request("GET", callback)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(visitor.site.respond, [request, request])
    assert (one.status, two.status) == (303, 303)
    assert one.headers.get("location") == two.headers.get("location") == "/orders"
    sessions = {x.headers.get_all("set-cookie")[0].partition(";")[0] for x in (one, two)}
    assert len(sessions) == 1
    assert provider.count("/token") == 1
    assert visitor.site.pauses >= 1


def test_sixteen_deliveries_at_once_make_one_token_request(
    visitor: Visitor, provider: MockProvider
) -> None:
    hold_the_first(visitor.site, provider)
    request = visitor.request("GET", provider.authorize(visitor.start()))
    foreign = Visitor(visitor.site).request("GET", f"{request.url}?{request.query}")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(visitor.site.respond, [request] * 12 + [foreign] * 4))
    assert [x.status for x in answers] == [303] * 12 + [400] * 4
    assert provider.count("/token") == 1


def test_a_delivery_that_waits_in_vain_begins_again_once(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    request = visitor.request("GET", callback)

    def die(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback):
            raise SystemExit  # the process ends between the exchange and its answer

    visitor.site.before = die
    with pytest.raises(SystemExit):
        visitor.site.respond(request)
    visitor.site.before = lambda _: None
    response = visitor.get(callback)
    assert (response.status, response.headers.get("location")) == (
        303,
        "/login?return_to=%2Forders",
    )
    assert visitor.site.pauses == 100
    # It begins again by itself once, and not again in vain.
    response = visitor.get(callback)
    assert (response.status, code_of(response)) == (503, "state_in_progress")
    assert retry_of(response) == "/login?return_to=%2Forders"
    visitor.site.now += 599
    assert code_of(visitor.get(callback)) == "state_in_progress"
    assert provider.count("/token") == 1
    visitor.site.now -= 599
    assert visitor.log_in(provider).status == 303


# --- the transaction belongs to one provider ---


@pytest.mark.requirement("CL-FLOW-06")
def test_a_callback_of_one_provider_with_the_login_of_another_is_refused(
    provider: MockProvider, other_provider: MockProvider, client_of: MakeClient
) -> None:
    clients = {"one": client_of(provider), "two": client_of(other_provider)}
    visitor = Visitor(Website(clients))
    callback = provider.authorize(visitor.start("/login/one"))
    crossed = visitor.get(callback.replace("/callback/one", "/callback/two"))
    assert (crossed.status, code_of(crossed)) == (400, "state_other_provider")
    mixed = visitor.get(change_query(callback, iss=other_provider.issuer))
    assert (mixed.status, code_of(mixed)) == (400, "iss_mismatch")
    assert provider.count("/token") == other_provider.count("/other/token") == 0
    good = provider.authorize(visitor.start("/login/one"))
    assert visitor.get(good).status == 303


@pytest.mark.requirement("CL-FLOW-06")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"client_id": "another"}, id="client_id"),
        pytest.param({"redirect_uri": "https://elsewhere.example/callback"}, id="redirect_uri"),
        pytest.param({"token_endpoint": "http://127.0.0.1:9/token"}, id="token_endpoint"),
        pytest.param({"issuer": "other"}, id="issuer"),
    ],
)
def test_a_login_is_not_finished_under_other_settings(
    provider: MockProvider,
    other_provider: MockProvider,
    client_of: MakeClient,
    change: dict[str, str],
) -> None:
    before = Website({"default": client_of(provider)}, public_url=ORIGIN)
    visitor = Visitor(before)
    url = visitor.start()
    callback = provider.authorize(url)
    if "token_endpoint" in change:
        provider.metadata = Lie(dict(change))
    elif "issuer" in change:
        provider = other_provider
    settings = {k: v for k, v in change.items() if k in {"client_id", "redirect_uri"}}
    after = Website(
        {"default": client_of(provider, **settings)}, store=before.store, public_url=ORIGIN
    )
    # The names of cookies follow the client id: this one is carried over by hand.
    cookie = visitor.cookies[visitor.pending[0]]
    name = after.web._addresses.cookies(visitor.request("GET", "/"))
    suffix = visitor.pending[0].rpartition("-")[2]
    visitor.site, visitor.cookies[f"{name._pending_prefix}{suffix}"] = after, cookie
    response = visitor.get(callback)
    assert (response.status, code_of(response)) == (400, "state_other_provider")
    assert not any(path.endswith("/token") for path in provider.paths())
    visitor.site = before
    if "token_endpoint" not in change and "issuer" not in change:
        assert visitor.get(callback).status == 303


# --- what goes wrong, each with its code, page and log line ---


def restarted(visitor: Visitor) -> None:
    """Give the browser the cookie of a login that has begun again already."""
    (prefix,) = {name.partition("-login-")[0] for name in visitor.pending}
    digest = visitor.pending[0].split("-")[2]
    visitor.cookies[f"{prefix}-again-{digest}"] = "1"


def expired(visitor: Visitor, callback: str) -> str:
    visitor.site.now += 601
    restarted(visitor)
    return callback


def host_changed(visitor: Visitor, callback: str) -> str:
    visitor.root = "http://localhost:5000"
    return callback.replace("127.0.0.1:5000", "localhost:5000")


def no_cookie(visitor: Visitor, callback: str) -> str:
    visitor.cookies.clear()
    return callback


def cookie_altered(visitor: Visitor, callback: str) -> str:
    (name,) = visitor.pending
    value = visitor.cookies[name]
    visitor.cookies[name] = f"{value[:60]}{'A' if value[60] != 'A' else 'B'}{value[61:]}"
    return callback


def cookie_twice(visitor: Visitor, callback: str) -> str:
    (name,) = visitor.pending
    visitor.cookies[name] += f"; {name}={visitor.cookies[name]}"
    return callback


def cookie_of_another_login(visitor: Visitor, callback: str) -> str:
    (name,) = visitor.pending
    visitor.start()
    (other,) = set(visitor.pending) - {name}
    visitor.cookies[name] = visitor.cookies[other]
    return callback


def other_keys(visitor: Visitor, callback: str) -> str:
    restarted(visitor)
    visitor.site = Website(
        visitor.site.clients, store=visitor.site.store, ring=KeyRing(["another" * 6])
    )
    return callback


def state_altered(visitor: Visitor, callback: str) -> str:
    state = state_of(callback)
    return change_query(callback, state=f"{state[:50]}{'A' if state[50] != 'A' else 'B'}"
                                        f"{state[51:]}")  # fmt: skip


def altered(**changes: str | None) -> Callable[[Visitor, str], str]:
    return lambda _, callback: change_query(callback, **changes)


BROKEN = [
    pytest.param(expired, "state_expired", 400, "601 s ago", id="expired"),
    pytest.param(
        host_changed,
        "state_host_changed",
        400,
        "began on http://127.0.0.1:5000, the callback arrived on http://localhost:5000",
        id="the host changed",
    ),
    pytest.param(no_cookie, "state_cookie_missing", 400, "no cookie", id="no cookie"),
    pytest.param(cookie_altered, "state_tampered", 400, "pending cookie", id="cookie altered"),
    pytest.param(cookie_twice, "state_mismatch", 400, "not the one", id="cookie tossed"),
    pytest.param(
        cookie_of_another_login, "state_mismatch", 400, "another login", id="cookie of another"
    ),
    pytest.param(other_keys, "state_unknown", 400, "same secret", id="another key ring"),
    pytest.param(state_altered, "state_tampered", 400, "altered", id="state altered"),
    pytest.param(altered(state=None), "state_missing", 400, "no state", id="no state"),
    pytest.param(altered(state=""), "state_missing", 400, "no state", id="empty state"),
    pytest.param(altered(state="x" * 9000), "state_tampered", 400, "malformed", id="long state"),
    pytest.param(altered(state="é"), "state_tampered", 400, "malformed", id="not ASCII"),
    pytest.param(
        lambda _, url: f"{url}&state=x", "repeated_parameter", 400, "repeated", id="two states"
    ),
    pytest.param(
        lambda _, url: f"{url}&code=x", "repeated_parameter", 400, "repeated", id="two codes"
    ),
    pytest.param(
        lambda _, url: f"{url}&x=%00", "malformed_encoding", 400, "control", id="a control"
    ),
    pytest.param(lambda _, url: f"{url}&x=%f", "malformed_encoding", 400, "%", id="half an escape"),
    pytest.param(lambda _, url: f"{url}&x=%ff", "malformed_encoding", 400, "UTF-8", id="no UTF-8"),
    pytest.param(
        lambda _, url: f"{url}{'&x=1' * 101}", "too_many_parameters", 400, "100", id="many"
    ),
    pytest.param(altered(iss=None), "iss_missing", 400, "iss", id="no iss"),
    pytest.param(altered(iss="https://evil.example"), "iss_mismatch", 400, "mix-up", id="other"),
    pytest.param(altered(code=None), "no_code", 400, "neither", id="no code"),
    pytest.param(altered(error="access_denied"), "code_and_error", 400, "", id="code and error"),
    pytest.param(
        altered(code=None, error="access_denied"), "access_denied", 403, "said no", id="denied"
    ),
    pytest.param(
        altered(code=None, error="server_error", error_description="down"),
        "server_error",
        400,
        "problem of its own",
        id="an error of the server",
    ),
]


@pytest.mark.parametrize(("breaking", "code", "status", "logged"), BROKEN)
def test_a_callback_that_cannot_be_used_is_explained_and_sends_nothing(
    visitor: Visitor,
    provider: MockProvider,
    caplog: pytest.LogCaptureFixture,
    breaking: Callable[[Visitor, str], str],
    code: str,
    status: int,
    logged: str,
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    with caplog.at_level(logging.WARNING, "codegrant.web.login"):
        response = visitor.get(breaking(visitor, callback))
    shown = code_of(response)
    assert response.status == status
    assert shown == code
    assert provider.count("/token") == 0
    assert visitor.session is None
    (record,) = [r for r in caplog.records if r.name == "codegrant.web.login"]
    line = record.getMessage()
    assert shown in line
    assert logged in line
    assert "\n" not in line
    # The deep link is kept where the state could be read.
    readable = code not in {"state_missing", "state_tampered", "state_unknown"}
    if readable and "parameter" not in code and code != "malformed_encoding":
        assert retry_of(response) == "/login?return_to=%2Forders"
    pending = [visitor.cookies[name] for name in visitor.pending]
    for secret in [dict(parse_qsl(urlsplit(callback).query))["code"], state_of(callback), *pending]:
        assert secret not in line
        assert secret not in response.body.decode()


def test_a_cookie_altered_beyond_repair_does_not_spend_the_login(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())
    (name,) = visitor.pending
    kept = visitor.cookies[name]
    visitor.cookies[name] = "x"
    assert code_of(visitor.get(callback)) == "state_tampered"
    visitor.cookies[name] = kept
    assert visitor.get(callback).status == 303


MARKUP = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "error_description", "other"])
def test_markup_in_any_parameter_of_a_callback_is_not_shown_as_markup(
    visitor: Visitor, provider: MockProvider, name: str
) -> None:
    callback = provider.authorize(visitor.start())
    changes: dict[str, str | None] = {"code": None, "error": "access_denied", name: MARKUP}
    response = visitor.get(change_query(callback, **changes))
    assert response.status >= 400
    assert b"<script" not in response.body


def test_markup_in_the_deep_link_is_not_shown_as_markup(
    visitor: Visitor, provider: MockProvider
) -> None:
    target = f'/orders?q="{MARKUP}'
    callback = provider.authorize(visitor.start("/login?" + urlencode({"return_to": target})))
    visitor.cookies.clear()
    response = visitor.get(callback)
    assert b"<script" not in response.body
    assert quote(MARKUP, safe="").encode() not in response.headers.get("location").encode()
    assert retry_of(response).startswith("/login?return_to=%2Forders%3Fq%3D%2522%253Cscript")


def bad_token(answer: Answer) -> Callable[[MockProvider], None]:
    def bend(provider: MockProvider) -> None:
        provider.routes["/token"] = lambda _: answer

    return bend


def bad_id_token(provider: MockProvider) -> None:
    provider.claims = Lie({"nonce": "another"})


@pytest.mark.parametrize(
    ("bend", "status", "stage"),
    [
        pytest.param(bad_token(html(500)), 502, "token", id="500 with a page"),
        pytest.param(bad_token(as_json({}, 503)), 502, "token", id="503"),
        pytest.param(bad_token(as_json({"access_token": "x"})), 502, "token", id="half an answer"),
        pytest.param(bad_token(as_json({"error": "invalid_grant"}, 400)), 400, "token", id="no"),
        pytest.param(
            bad_token(as_json({"error": "invalid_client"}, 401)), 400, "token", id="not our client"
        ),
        pytest.param(bad_id_token, 502, "id_token", id="a nonce of another login"),
    ],
)
def test_a_token_endpoint_that_fails_is_asked_once(
    visitor: Visitor,
    provider: MockProvider,
    caplog: pytest.LogCaptureFixture,
    bend: Callable[[MockProvider], None],
    status: int,
    stage: str,
) -> None:
    bend(provider)
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    response = visitor.get(callback)
    assert (response.status, retry_of(response)) == (status, "/login?return_to=%2Forders")
    assert f": {stage}" in caplog.text
    again = visitor.get(callback)
    assert (again.status, code_of(again)) == (400, "state_already_used")
    assert visitor.session is None
    assert provider.count("/token") == 1


def test_a_provider_that_goes_away_before_the_exchange_gets_a_503(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())
    # Forget the metadata, as another worker would, and take the provider away.
    provider.close()
    visitor.site.clients["default"].close()
    response = visitor.get(callback)
    assert (response.status, code_of(response)) == (503, "connect_failed")


def test_a_store_that_fails_gets_a_503_and_no_token_request(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())

    def fail(effect: Effect[Any]) -> None:
        if type(effect).__module__ == "codegrant.client.effects":
            raise StoreError("locked", code="store_busy", stage="store")

    visitor.site.before = fail
    response = visitor.get(callback)
    assert (response.status, code_of(response)) == (503, "store_busy")
    visitor.site.before = lambda _: None
    assert visitor.get(callback).status == 303
    assert provider.count("/token") == 1


def test_a_store_that_fails_as_well_does_not_hide_what_the_provider_said(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = change_query(
        provider.authorize(visitor.start("/login?return_to=/orders")),
        code=None,
        error="access_denied",
    )

    def fail(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback):
            raise StoreError("locked", code="store_busy", stage="store")

    visitor.site.before = fail
    page = visitor.get(callback)
    assert (page.status, code_of(page)) == (403, "access_denied")
    assert retry_of(page) == "/login?return_to=%2Forders"


@pytest.mark.parametrize("failures", [1, 2])
def test_a_session_that_cannot_be_stored_is_tried_once_more_and_else_revoked(
    visitor: Visitor, provider: MockProvider, failures: int
) -> None:
    callback, left = provider.authorize(visitor.start("/login?return_to=/profile")), [failures]

    def fail(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback) and left[0]:
            left[0] -= 1
            raise StoreError("locked", code="store_busy", stage="store")

    visitor.site.before = fail
    answer = visitor.get(callback)
    assert left == [0]
    if failures == 1:
        assert answer.headers.get("location") == "/profile"
        assert visitor.who() is not None
        assert provider.count("/revoke") == 0
        return
    # It begins again by itself, once.
    assert (answer.status, answer.headers.get("location")) == (303, "/login?return_to=%2Fprofile")
    assert provider.refresh_tokens == {}
    assert visitor.who() is None
    again, left[0] = provider.authorize(visitor.start(answer.headers.get("location"))), 2
    page = visitor.get(again)
    assert (page.status, code_of(page)) == (503, "store_busy")
    assert retry_of(page) == "/login?return_to=%2Fprofile"
    # A reload does not wait for an end that never comes.
    pauses = visitor.site.pauses
    reloaded = visitor.get(again)
    assert (reloaded.status, code_of(reloaded)) == (400, "state_already_used")
    assert visitor.site.pauses == pauses
    assert provider.count("/token") == 2
    assert visitor.log_in(provider).status == 303


def test_a_shorter_lifetime_of_the_client_holds_and_a_longer_one_does_not(
    provider: MockProvider, client_of: MakeClient
) -> None:
    for lifetime, allowed in ((60, 60), (86_400, 600)):
        visitor = Visitor(Website({"default": client_of(provider, login_lifetime=lifetime)}))
        url = visitor.start()
        visitor.site.now += allowed + 1
        assert visitor.get(provider.authorize(url)).headers.get("location") == "/login"
        url = visitor.start()
        restarted(visitor)
        for name in visitor.pending:
            del visitor.cookies[name]
        visitor.site.now += allowed + 1
        assert code_of(visitor.get(provider.authorize(url))) == "state_expired"
    assert provider.count("/token") == 0


def test_a_cookie_that_was_kept_against_the_rules_makes_no_second_token_request(
    provider: MockProvider, client_of: MakeClient
) -> None:
    visitor = Visitor(Website({"default": client_of(provider, login_lifetime=86_400)}))
    started, callback = visitor.site.now, provider.authorize(visitor.start())
    visitor.get(callback)
    restarted(visitor)
    for age in (61, 599, 661, 1199, 1201, 4000):
        visitor.site.now = started + age
        assert visitor.get(callback).status == 400
    assert provider.count("/token") == 1


def test_the_host_counts_as_changed_also_with_a_public_url(
    provider: MockProvider, client_of: MakeClient
) -> None:
    site = Website({"default": client_of(provider)}, public_url=ORIGIN)
    visitor = Visitor(site, "http://localhost:5000")
    response = visitor.get(provider.authorize(visitor.start()))
    assert (response.status, code_of(response)) == (400, "state_host_changed")


def test_another_worker_with_the_same_secret_and_store_finishes_the_login(
    visitor: Visitor, provider: MockProvider, client_of: MakeClient
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    visitor.site = Website({"default": client_of(provider)}, store=visitor.site.store)
    response = visitor.get(callback)
    assert (response.status, response.headers.get("location")) == (303, "/orders")
    assert visitor.who() is not None
