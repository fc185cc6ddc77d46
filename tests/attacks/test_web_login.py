"""Sections A, B and F of the catalogue: the login of a web application."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from codegrant.http import Response
from tests.attacks.conftest import MakeClient
from tests.attacks.steps import PROBE
from tests.flows.house import read_page
from tests.support.leaks import find_leaks
from tests.support.mock_provider import Lie, MockProvider
from tests.support.website import ORIGIN, Visitor, Website


def change_query(url: str, **changes: str | None) -> str:
    pairs = {**dict(parse_qsl(urlsplit(url).query)), **changes}
    kept = {name: value for name, value in pairs.items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(kept)}"


@pytest.fixture
def two(provider: MockProvider, other_provider: MockProvider, client_of: MakeClient) -> Website:
    """A site where people log in at either of two providers."""
    return Website({"honest": client_of(provider), "attacker": client_of(other_provider)})


def test_atk_017_a_callback_that_says_anything_twice_signs_nobody_in(
    visitor: Visitor, provider: MockProvider
) -> None:
    for name in ("code", "state", "iss", "error"):
        callback = provider.authorize(visitor.start())
        own = dict(parse_qsl(urlsplit(callback).query)).get(name, "")
        for value in (own, "attacker"):
            for pair in (f"{name}={value}", f"%{ord(name[0]):x}{name[1:]}={value}"):
                twice = f"{callback}&{pair}&{pair}"
                for url in (twice, callback.replace("?", f"?{pair}&{pair}&")):
                    response = visitor.get(url)
                    if name == "error" and not value:
                        continue
                    assert response.status == 400
                    assert visitor.who() is None
                    assert b"attacker" not in response.body
    assert provider.count("/token") <= 1
    assert visitor.log_in(provider).status == 303


RETURN_TO = [
    "https://evil.test", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test",
    "/%5cevil.test", "/%5Cevil.test", "/%255cevil.test", "https:evil.test", "https:/evil.test",
    "http:///evil.test", "/%2fevil.test", "/%252f/evil.test", "%2f%2fevil.test", "/\t/evil.test",
    "/%09/evil.test", "/\n/evil.test", "/%0d%0aLocation:%20//evil.test", "/\0/evil.test",
    "/./%2fevil.test", "/..//evil.test", "/a/..//evil.test", "javascript:alert(1)",
    "data:text/html,x", "evil.test", ".evil.test", "@evil.test", ":80", " //evil.test",
    "\u3000//evil.test", "/\u2215evil.test/../..//evil.test", "//127.0.0.1:5000@evil.test",
    "?//evil.test/../", "#//evil.test", f"{ORIGIN}@evil.test", f"{ORIGIN}.evil.test",
    f"{ORIGIN}//evil.test", "/login", "/callback", "/logout",
]  # fmt: skip


def stays(location: str) -> bool:
    """Return whether a browser that is sent to `location` stays on the site."""
    return (
        location.startswith("/")
        and not location.startswith(("//", "/\\"))
        and not set(location) & set("\\\t\n\r\0")
        and location.partition("?")[0] not in {"/login", "/callback", "/logout"}
    )


def test_atk_020_a_login_ends_on_the_site_where_it_began(
    visitor: Visitor, provider: MockProvider
) -> None:
    for where in RETURN_TO:
        raw = quote(where, safe="/:@?%").replace("#", "%23")
        for query in (urlencode({"return_to": where}), f"next={raw}&return_to={raw}"):
            response = visitor.log_in(provider, f"/login?{query}")
            assert response.status == 303
            assert stays(response.headers.get("location")), where
            assert visitor.who()
    several = urlencode([("return_to", "/fine"), ("return_to", "//evil.test")])
    assert visitor.log_in(provider, f"/login?{several}").headers.get("location") == "/"
    good = visitor.log_in(provider, "/login?return_to=/orders%3Fa%3D1")
    assert good.headers.get("location") == "/orders?a=1"


@pytest.mark.parametrize("where", RETURN_TO[:12])
def test_atk_020_nor_does_an_answer_of_the_provider_lead_elsewhere(
    visitor: Visitor, provider: MockProvider, where: str
) -> None:
    callback = provider.authorize(visitor.start("/login?return_to=/orders"))
    extra = urlencode({"return_to": where, "next": where, "redirect_uri": where})
    assert visitor.get(f"{callback}&{extra}").headers.get("location") == "/orders"
    page = visitor.get(f"/callback?error=access_denied&{extra}")
    assert page.status == 400
    assert b"evil" not in page.body


def own_pages(visitor: Visitor, provider: MockProvider) -> list[Response]:
    """Return one answer of each kind that the login of a site has."""
    return [
        visitor.get("/login"),
        visitor.log_in(provider),
        visitor.get("/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz"),
        visitor.get("/callback"),
        visitor.get("/callback?error=access_denied&state=x"),
        visitor.get("/logout"),
        visitor.send("POST", "/logout", {"origin": ORIGIN}),
        visitor.send("POST", "/callback"),
    ]


def test_atk_048_the_callback_leaves_no_address_with_a_code_behind(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())
    code = dict(parse_qsl(urlsplit(callback).query))["code"]
    response = visitor.get(callback)
    assert (response.status, response.headers.get("location")) == (303, "/")
    for answer in (response, *own_pages(visitor, provider)):
        policies = answer.headers.get_all("referrer-policy")
        # A logout form tells its own origin, and no path.
        assert policies in {("no-referrer",), ("same-origin",)} or answer.status == 405
        assert not find_leaks(answer.body, [code])
        assert not find_leaks(answer.headers.get("location"), [code])
        if answer.body.startswith(b"<"):
            page = read_page(answer)
            assert all(url.startswith("/") and url[1:2] != "/" for url in page.addresses)
            assert not {"script", "img", "iframe", "link"} & {tag for tag, _ in page.tags}


def test_atk_049_no_answer_of_a_login_is_kept_on_the_way(
    visitor: Visitor, provider: MockProvider
) -> None:
    answers = own_pages(visitor, provider)
    assert sum(bool(answer.headers.get("set-cookie")) for answer in answers) >= 2
    for answer in answers:
        assert answer.headers.get_all("cache-control") == ("no-store",), answer.status
        assert not answer.headers.get("etag")


def test_atk_050_logins_without_end_leave_a_dozen_cookies_and_nothing_stored(
    visitor: Visitor, provider: MockProvider
) -> None:
    last = visitor.start()
    for _ in range(200):
        last = visitor.start()
        assert len(visitor.pending) <= 12
    assert sum(len(name) + len(visitor.cookies[name]) for name in visitor.pending) < 4000
    assert not visitor.site.store._sessions
    assert not visitor.site.store._claims
    assert visitor.get(provider.authorize(last)).status == 303


def test_atk_063_an_address_that_the_attacker_prepared_ends_at_nobody(
    visitor: Visitor, provider: MockProvider
) -> None:
    attacker = Visitor(visitor.site)
    prepared = attacker.start()
    own = visitor.start()
    for url in (prepared, change_query(prepared, state=None), change_query(prepared, state="x")):
        # The mock provider insists on a state: what comes back is what was sent.
        if "state" not in url:
            continue
        response = visitor.get(provider.authorize(url))
        assert response.status == 400
        assert visitor.who() is None
    assert provider.count("/token") == 0
    assert visitor.get(provider.authorize(own)).status == 303


def test_atk_131_an_answer_at_the_callback_of_another_provider_goes_to_neither(
    two: Website, provider: MockProvider, other_provider: MockProvider
) -> None:
    visitor = Visitor(two)
    honest, attacker = provider, other_provider
    started = visitor.start("/login/attacker")
    callback = honest.authorize(started)
    assert "/callback/attacker?" in callback
    for url in (
        callback,
        change_query(callback, iss=None),
        change_query(callback, iss=f"{attacker.issuer}/"),
        callback.replace("/callback/attacker", "/callback/honest"),
        change_query(callback.replace("/callback/attacker", "/callback/honest"), iss=honest.issuer),
    ):
        response = visitor.get(url)
        assert response.status in {400, 404}, url
        assert visitor.who() is None
    assert honest.count("/token") == attacker.count("/other/token") == 0
    for name, at in (("honest", honest), ("attacker", attacker)):
        assert visitor.log_in(at, f"/login/{name}").status == 303
        signed_in = visitor.who()
        assert signed_in is not None
        assert signed_in.identity.issuer == at.issuer


def test_atk_133_the_attackers_callback_changes_nothing_in_the_victims_browser(
    visitor: Visitor, provider: MockProvider
) -> None:
    attacker = Visitor(visitor.site)
    provider.subject = "person-1"
    assert visitor.log_in(provider).status == 303
    session = visitor.session
    provider.subject = "attacker"
    prepared = provider.authorize(attacker.start())
    visitor.start()
    for url in (
        prepared,
        change_query(prepared, state=None),
        change_query(prepared, state=""),
        change_query(prepared, state="x" * 200),
        f"{prepared}x",
    ):
        response = visitor.get(url)
        assert response.status in {400, 404}
        assert visitor.session == session
    for method in ("POST", "HEAD", "PUT"):
        assert visitor.send(method, prepared).status in {400, 405}
    signed_in = visitor.who()
    assert signed_in is not None
    assert signed_in.identity.subject == "person-1"
    assert provider.count("/token") == 1
    # The cookie of one login does not speak for another's state.
    (name,) = attacker.pending
    for own in visitor.pending:
        visitor.cookies[name] = visitor.cookies[own]
        assert visitor.get(prepared).status == 400
    assert visitor.session == session
    assert attacker.get(prepared).status == 303


def test_atk_135_a_login_that_began_at_one_provider_does_not_end_at_another(
    two: Website, provider: MockProvider, other_provider: MockProvider
) -> None:
    visitor = Visitor(two)
    started = visitor.start("/login/honest")
    state = dict(parse_qsl(urlsplit(started).query))["state"]
    other_provider.callback = Lie({"state": state})
    elsewhere = other_provider.authorize(visitor.start("/login/attacker"))
    assert "/callback/attacker?" in elsewhere
    response = visitor.get(elsewhere)
    assert (response.status, visitor.who()) == (400, None)
    moved = provider.authorize(started).replace("/callback/honest", "/callback/attacker")
    response = visitor.get(moved)
    assert (response.status, visitor.who()) == (400, None)
    assert provider.count("/token") == other_provider.count("/other/token") == 0
    assert visitor.log_in(provider, "/login/honest").status == 303


def test_atk_136_no_other_sealed_value_passes_for_a_session(
    visitor: Visitor, provider: MockProvider
) -> None:
    assert visitor.log_in(provider).status == 303
    (name,) = (name for name in visitor.cookies if "cg-app-" in name)
    session = visitor.cookies[name]
    started = visitor.start()
    state = dict(parse_qsl(urlsplit(started).query))["state"]
    sealed = [visitor.cookies[pending] for pending in visitor.pending]
    assert sealed
    stolen = [
        *sealed,
        state,
        session[:-1],
        session + "x",
        session.swapcase(),
        "",
        "null",
        "eyJhbGciOiJub25lIn0.e30.",
    ]
    signed_in = visitor.who()
    assert signed_in is not None
    stolen.append(signed_in.login_id.hex())
    for value in stolen:
        thief = Visitor(visitor.site)
        thief.cookies[name] = value
        assert thief.who() is None
    # Nor does a session pass for a pending login.
    for pending in visitor.pending:
        visitor.cookies[pending] = session
    assert visitor.get(provider.authorize(started)).status == 400
    assert visitor.who()


MARKUP = [
    PROBE,
    "</code><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "{{7*7}}",
    "\u202egpj.exe",
]


@pytest.mark.parametrize(
    "name", ["error", "error_description", "error_uri", "state", "code", "iss", "x"]
)
def test_atk_137_nothing_of_a_callback_becomes_part_of_the_page(
    visitor: Visitor, provider: MockProvider, name: str
) -> None:
    usual = read_page(visitor.get("/callback?error=x"))
    for markup in MARKUP:
        # A code is a secret, which no log may have: this text is no other value of the test.
        text = f"{markup}-as-code" if name == "code" else markup
        callback = provider.authorize(visitor.start())
        own = {"error": "access_denied"} if name != "code" else {}
        urls = [
            f"/callback?{urlencode({name: text})}",
            f"/callback?{urlencode({'error': 'access_denied', name: text})}",
            change_query(callback, **{"code": None, **own, name: text}),
        ]
        for url in urls:
            response = visitor.get(url)
            assert response.status in {400, 403}
            page = read_page(response)
            assert [tag for tag, _ in page.tags] == [tag for tag, _ in usual.tags]
            # A code that an error may have is shown, as text.
            assert text not in page.text or (name, "<" in text) == ("error", False)
            assert "49" not in page.by_id["error-code"]
            assert not [link for link in page.addresses if not link.startswith("/login")]
            assert visitor.who() is None
    assert visitor.log_in(provider).status == 303


def test_atk_138_an_address_is_no_proof_of_who_somebody_is(
    two: Website, provider: MockProvider, other_provider: MockProvider
) -> None:
    same = Lie({"email": "victim@example.test", "email_verified": False, "preferred_username": "v"})
    provider.claims, other_provider.claims = same, same
    provider.subject = "victim"
    victim, attacker = Visitor(two), Visitor(two)
    assert victim.log_in(provider, "/login/honest").status == 303
    keys = set()
    for at, subject in (
        (provider, "attacker"),
        (provider, "VICTIM"),
        (provider, "victim "),
        (other_provider, "victim"),
        (other_provider, "victim@example.test"),
    ):
        at.subject = subject
        name = "honest" if at is provider else "attacker"
        attacker.log_in(at, f"/login/{name}")
        who = attacker.who()
        assert who is not None
        keys.add((who.identity.issuer, who.identity.subject))
        assert not who.identity.email_verified
    known = victim.who()
    assert known is not None
    key = (known.identity.issuer, known.identity.subject)
    assert key == (provider.issuer, "victim")
    assert key not in keys
    assert len(keys) == 5
