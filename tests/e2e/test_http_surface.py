"""Whatever is sent to whatever address: no failure of ours, and no header that a sender wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.browser import Browser, Page
from tests.support.raw_http import FORM, RawAnswer, send_raw
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

METADATA = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
ENDPOINTS = (
    "/authorize",
    "/token",
    "/userinfo",
    "/revoke",
    "/introspect",
    "/jwks",
    *METADATA,
    "/login",
    "/consent",
    "/account",
    "/logout",
    "/style.css",
    "/healthz",
    "/readyz",
    "/",
    "/nothing/here",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server without rate limits, which would hide what comes after them."""
    environment = {"CODEGRANT_LIMITS_ENABLED": "false"}
    folder = tmp_path_factory.mktemp("server")
    with Serving(folder, environment=environment).start() as running:
        running.add_user()
        yield running


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    return register(shared_server, "app", "--skip-consent", "--default-scope", "openid")


@pytest.fixture(scope="module")
def asking(shared_server: Serving) -> RelyingParty:
    """A client for which the person is asked."""
    return register(shared_server, "asking")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


@pytest.fixture(autouse=True)
def nothing_failed(shared_server: Serving) -> Iterator[None]:
    """After every test the server answers, and has nothing to say about itself."""
    yield
    answer = send_raw(shared_server.issuer, "GET", "/readyz")
    assert (answer.status, answer.body) == (200, b"ready\n")
    for word in (
        "Traceback",
        "request_failed",
        "unexpected_error",
        "event_sink_failed",
        "CRITICAL",
    ):
        assert word not in shared_server.log


def is_sound(answer: RawAnswer) -> bool:
    """Return whether it is an answer below 500 that gives nothing of the house away."""
    body = answer.body.lower()
    leaks = [word for word in (b"traceback", b'file "', b"sqlite", b".py") if word in body]
    return 100 <= answer.status < 500 and not leaks


def cookie_of(browser: Browser) -> tuple[str, str]:
    jar = browser.cookies["127.0.0.1"]
    return ("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))


NASTY = [
    pytest.param("", id="empty"),
    pytest.param(" ", id="space"),
    pytest.param("\0", id="NUL"),
    pytest.param("\r\nx-injected: 1", id="CR LF"),
    pytest.param("\x1b[2J\x85\u2028\u202e", id="controls"),
    pytest.param("%", id="percent"),
    pytest.param("%00%ff%0d%0a", id="escapes"),
    pytest.param("é€😀\ufeff\U0010ffff", id="beyond ASCII"),
    pytest.param("'\"><script>alert(1)</script>", id="HTML"),
    pytest.param("{{7*7}}${7*7}{%x%}", id="template"),
    pytest.param("' OR 1=1; --", id="SQL"),
    pytest.param("../../../../etc/passwd", id="path"),
    pytest.param("a" * 3000, id="long"),
    pytest.param("a " * 1500, id="many words"),
    pytest.param("-1", id="negative"),
    pytest.param("9" * 400, id="huge number"),
    pytest.param("1e400", id="no integer"),
    pytest.param("٣²", id="foreign digits"),
    pytest.param("null", id="null"),
    pytest.param("[]", id="list"),
    pytest.param('{"id_token":{"sub":{"values":[{}]}},"userinfo":[1]}', id="odd claims"),
    pytest.param('{"a":' * 600, id="open objects"),
    pytest.param("[" * 3000, id="open lists"),
    pytest.param("https://[", id="half an address"),
    pytest.param("https://[::1%25eth0]:99999/", id="impossible address"),
    pytest.param("https://user@app.example:0x50\\@evil.example/", id="ambiguous address"),
    pytest.param("a.b.c", id="three parts"),
    pytest.param("eyJhbGciOiJub25lIn0.e30.", id="alg none"),
    pytest.param("." * 2000, id="dots"),
    pytest.param("none login consent", id="prompts"),
]
MORE_PARAMETERS = (
    "prompt",
    "max_age",
    "id_token_hint",
    "claims",
    "resource",
    "display",
    "ui_locales",
    "login_hint",
    "acr_values",
    "response_mode",
    "request",
    "request_uri",
    "registration",
    "unknown",
)


@pytest.mark.requirement("CO-HTTP-04", "CO-HTTP-05")
@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_value_in_an_authorization_request(
    app: RelyingParty, browser: Browser, value: str
) -> None:
    good = app.authorization_request()
    names = [*(name for name, _ in good), *MORE_PARAMETERS]
    for name in names:
        query = urlencode([*(pair for pair in good if pair[0] != name), (name, value)])
        answers = [
            send_raw(app.issuer, "GET", f"/authorize?{query}", [cookie_of(browser)]),
            send_raw(app.issuer, "POST", "/authorize", [FORM], query.encode()),
        ]
        for answer in answers:
            assert is_sound(answer)
            assert not answer.all("x-injected")
            assert {"location", "content-type"} & {key for key, _ in answer.headers}
    assert app.open(browser).status == 303


@pytest.mark.requirement("CO-HTTP-05")
@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_value_in_a_token_request(app: RelyingParty, browser: Browser, value: str) -> None:
    code = app.authorize(browser)["code"]
    good = app.token_request(code)
    header = ("authorization", app.authentication()["authorization"])
    more = ("scope", "client_id", "client_secret", "client_assertion", "resource", "unknown")
    for name in (*(name for name, _ in good), *more):
        # The code itself is kept for the end.
        rest = [pair for pair in good if pair[0] not in {name, "code"}]
        body = urlencode([*rest, ("code", "x" * 43), (name, value)]).encode()
        answer = send_raw(app.issuer, "POST", "/token", [FORM, header], body)
        assert is_sound(answer)
        assert answer.header("content-type") == "application/json"
    raw = value.encode("utf-8").replace(b"\r\n", b" ").replace(b"\0", b" ")
    for path in ("/token", "/userinfo"):
        for scheme in (b"", b"Basic ", b"Bearer ", b"DPoP "):
            credentials: list[tuple[str, str | bytes]] = [FORM, ("authorization", scheme + raw)]
            answer = send_raw(app.issuer, "POST", path, credentials, urlencode(good).encode())
            assert answer.status in {400, 401}
            assert is_sound(answer)
    assert app.token(code).status == 200


@pytest.mark.requirement("CO-HTTP-04", "CO-HTTP-05")
@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_value_where_tokens_are_asked_about_or_end(
    app: RelyingParty, browser: Browser, value: str
) -> None:
    token = app.log_in(browser).json["access_token"]
    header = ("authorization", app.authentication()["authorization"])
    for path in ("/introspect", "/revoke"):
        for name in ("token", "token_type_hint", "client_id", "client_assertion", "unknown"):
            # The token itself is kept for the end.
            rest = [("token", "x" * 43)] if name != "token" else []
            body = urlencode([*rest, (name, value)]).encode()
            answer = send_raw(app.issuer, "POST", path, [FORM, header], body)
            assert is_sound(answer)
            assert answer.status in {200, 400, 401}
            assert not answer.all("x-injected")
            assert answer.header("cache-control") == "no-store"
    assert app.introspect(token).json["active"] is True
    assert app.revoke(token, token_type_hint=value.replace("\0", "")).status in {200, 400}
    assert app.revoke(token).status == 200
    assert app.introspect(token).json == {"active": False}


@pytest.mark.requirement("CO-HTTP-05")
@pytest.mark.parametrize("value", NASTY)
def test_a_nasty_value_in_a_form_of_a_page(
    app: RelyingParty, asking: RelyingParty, browser: Browser, value: str
) -> None:
    pages: list[tuple[Browser, Page]] = [
        (stranger := app.new_browser(), app.open(stranger)),
        (browser, asking.open(browser, prompt="consent")),
        (browser, browser.get(f"{app.issuer}/logout")),
    ]
    for owner, page in pages:
        path, fields = urlsplit(page.form.action).path, page.form.fields
        for name in (*(name for name, _ in fields), "decision", "unknown"):
            # Nobody's password is tried: that takes its time.
            changed = [pair for pair in fields if pair[0] not in {name, "username"}]
            body = urlencode([*changed, (name, value)]).encode()
            answer = send_raw(app.issuer, "POST", path, [FORM, cookie_of(owner)], body)
            assert is_sound(answer)
        for parameter in ("transaction", "unknown"):
            query = urlencode({parameter: value})
            answer = send_raw(app.issuer, "GET", f"{path}?{query}", [cookie_of(owner)])
            assert is_sound(answer)
    # What was open still is.
    assert asking.open(browser, prompt="consent").has("consent-allow")


@pytest.mark.requirement("CO-HTTP-05")
@pytest.mark.parametrize("method", METHODS)
def test_every_method_at_every_address(app: RelyingParty, browser: Browser, method: str) -> None:
    bodies = (b"", b"a=1&b=2", b"{}", bytes(range(256)), b"x" * 80_000)
    types = ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", "é;=")
    for path in ENDPOINTS:
        for number, body in enumerate(bodies):
            headers = [cookie_of(browser), ("content-type", types[number % len(types)])]
            assert is_sound(send_raw(app.issuer, method, path, headers, body))
    assert app.open(browser).status == 303


# Addresses as they stand in a request line: no space and no control character.
_tails = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
_escapes = st.binary(max_size=12).map(lambda raw: quote(raw, safe=""))
_values = st.one_of(
    st.sampled_from([str(param.values[0]) for param in NASTY]),
    st.text(st.characters(codec="utf-8"), max_size=60),
)
_names = st.sampled_from(
    [
        *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code", "code"),
        *("code_challenge", "code_challenge_method", "grant_type", "code_verifier", "transaction"),
        *("csrf", "username", "decision", "client_secret", "access_token", "token"),
        *("token_type_hint", "refresh_token", *MORE_PARAMETERS),
    ]
)
_pairs = st.lists(st.tuples(st.one_of(_names, _values), _values), max_size=8)
_forms = _pairs.map(urlencode)
_targets = st.builds(
    lambda path, tail, query: f"{path}{tail}{f'?{query}' if query else ''}",
    st.sampled_from(ENDPOINTS),
    st.one_of(st.just(""), st.just(""), _tails, _escapes),
    st.one_of(st.just(""), _forms, _tails, _escapes),
)
# Of a body that is announced and never comes, other tests see to it.
_header_names = st.sampled_from(
    [
        *("authorization", "cookie", "content-type", "origin", "referer", "host", "accept"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "range"),
        *("if-none-match", "accept-language", "accept-encoding", "upgrade", "dpop", "expect"),
        *(
            "access-control-request-method",
            "sec-fetch-site",
            "te",
            "connection",
            "content-encoding",
        ),
    ]
)
_header_values = st.one_of(
    st.sampled_from(
        ["Basic ", "Bearer ", "application/json", FORM[1], "null", "websocket", "close"]
    ),
    st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60
    ),
    st.binary(max_size=40).map(lambda raw: f"Basic {quote(raw)}"),
)
_headers = st.lists(st.tuples(_header_names, _header_values), max_size=5)
_bodies = st.one_of(st.just(b""), _forms.map(str.encode), st.binary(max_size=200))


@pytest.mark.requirement("CO-HTTP-05")
@settings(max_examples=200)
@given(st.sampled_from(METHODS), _targets, _headers, _bodies)
def test_anything_at_any_address(
    shared_server: Serving,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]],
    body: bytes,
) -> None:
    assert is_sound(send_raw(shared_server.issuer, method, target, headers, body))


INJECTIONS = [
    pytest.param("%0d%0ax-injected:%201%0d%0aset-cookie:%20injected=1", id="CR LF"),
    pytest.param("%0ax-injected:%201", id="LF"),
    pytest.param("%0dx-injected:%201", id="CR"),
    pytest.param("%c4%8d%c4%8ax-injected:%201", id="letters that end in CR and LF"),
    pytest.param("%e5%98%8d%e5%98%8ax-injected:%201", id="ideographs that end in CR and LF"),
    pytest.param("%25%30%64%25%30%61x-injected:%201", id="escaped twice"),
    pytest.param("%c2%85x-injected:%201%e2%80%a8x", id="other line ends"),
]


@pytest.mark.requirement("CO-HTTP-04")
@pytest.mark.parametrize("injection", INJECTIONS)
def test_nothing_of_a_request_becomes_a_header(
    app: RelyingParty, browser: Browser, injection: str
) -> None:
    good = dict(app.authorization_request())
    for name in (*good, *MORE_PARAMETERS):
        rest = urlencode([(key, value) for key, value in good.items() if key != name])
        for prompt in ("", "&prompt=none"):
            query = f"{rest}&{name}=a{injection}{prompt if name != 'prompt' else ''}"
            for headers in ([cookie_of(browser)], []):
                check_headers(send_raw(app.issuer, "GET", f"/authorize?{query}", headers))
    for target in (
        f"/{injection}",
        f"/login?transaction={injection}",
        f"/account{injection}?a={injection}",
        f"/jwks?{injection}={injection}",
    ):
        check_headers(send_raw(app.issuer, "GET", target, [cookie_of(browser)]))
    body = f"grant_type={injection}&client_id={injection}&client_secret={injection}".encode()
    check_headers(send_raw(app.issuer, "POST", "/token", [FORM], body))
    # What is a state and nothing else comes back as it was.
    state = parse_qs(f"state=a{injection}")["state"][0]
    assert app.authorize(browser, state=state)["state"] == state


def check_headers(answer: RawAnswer) -> None:
    """Check that no header is one of those that were sent as a part of a value."""
    assert is_sound(answer)
    for name, value in answer.headers:
        assert name != "x-injected"
        assert not value.startswith("injected=")
        assert value.isascii()
        assert value.isprintable()


@pytest.mark.requirement("CO-HTTP-04")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"host": "evil.example"}, id="host"),
        pytest.param({"host": 'evil.example"><script>'}, id="no host"),
        pytest.param({"x-forwarded-host": "evil.example"}, id="forwarded host"),
        pytest.param({"x-forwarded-proto": "https"}, id="forwarded scheme"),
        pytest.param({"forwarded": "host=evil.example;proto=https"}, id="forwarded"),
        pytest.param({"origin": "https://evil.example"}, id="origin"),
        pytest.param({"referer": "https://evil.example/"}, id="referer"),
    ],
)
def test_nobody_is_sent_where_a_header_says(
    app: RelyingParty, browser: Browser, headers: Mapping[str, str]
) -> None:
    query = urlencode(app.authorization_request(prompt="login"))
    answer = send_raw(app.issuer, "GET", f"/authorize?{query}", list(headers.items()))
    assert answer.status in {303, 400}
    if answer.status == 303:
        assert answer.header("location").startswith(f"{app.issuer}/login?")
    for path in ("/token", "/userinfo", "/jwks", METADATA[0], "/account", "/nothing"):
        answer = send_raw(app.issuer, "GET", path, list(headers.items()))
        assert is_sound(answer)
        assert "evil" not in repr(answer)
    assert app.open(browser).location.startswith(app.redirect_uri)
