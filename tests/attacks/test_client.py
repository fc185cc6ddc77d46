"""Section F of the catalogue: what the client sends, to whom, and what it believes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest

import codegrant
from codegrant import (
    CallbackRejected,
    CodegrantError,
    MetadataRejected,
    PeerError,
    Refused,
    ResponseRejected,
    StateError,
    TokenRejected,
    TransportError,
    UsageError,
)
from codegrant.errors import OAuthError
from tests.attacks.conftest import MakeApp
from tests.attacks.places import AtClient, Claims, Place, forge
from tests.support.access_tokens import NOW, PaperApi
from tests.support.application import Application
from tests.support.leaks import find_leaks
from tests.support.mock_provider import (
    CLIENT_SECRET,
    Lie,
    Listener,
    MockProvider,
    b64,
    public_jwk,
    redirect,
)
from tests.support.scripted import json_response
from tests.support.serving import clean_environment
from tests.support.tls import SelfSigned, self_signed

EVIL = "https://evil.test"


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Another host, which notes what it is sent."""
    listener = Listener()
    yield listener
    listener.close()


def change_query(url: str, **changes: str | None) -> str:
    pairs = {**dict(parse_qsl(urlsplit(url).query)), **changes}
    kept = {name: value for name, value in pairs.items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(kept)}"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def works(app: Application, provider: MockProvider) -> None:
    """Check that a login that nobody disturbs still succeeds."""
    assert app.log_in(provider).verified_identity().subject == "person-1"


def test_atk_017_a_callback_with_two_of_anything_is_refused(
    app: Application, provider: MockProvider
) -> None:
    for name in ("code", "state", "iss", "error"):
        login = app.start()
        callback = provider.authorize(login.url)
        if name == "error":
            callback = change_query(callback, code=None, error="access_denied")
        value = query_of(callback)[name]
        for more in (value, "attacker", quote(PROVOKING)):
            for several in (
                f"{callback}&{name}={more}",
                callback.replace("?", f"?{name}={more}&"),
                f"{callback}&{name[:-1]}%{ord(name[-1]):x}={more}",
            ):
                with pytest.raises((CallbackRejected, StateError, Refused)) as caught:
                    app.finish(several, login)
                assert "attacker" not in str(caught.value)
    assert provider.count("/token") == 0
    works(app, provider)


PROVOKING = "<script>alert(1)</script>"


def test_atk_062_nothing_in_an_address_says_what_the_verifier_is(
    app: Application, provider: MockProvider
) -> None:
    seen: set[str] = set()
    for _ in range(20):
        login = app.start()
        verifier, seed = login.code_verifier.reveal(), login.seed.reveal()
        sent = query_of(login.url)
        assert not find_leaks(login.url, [verifier, seed])
        assert sent["code_challenge"] == b64(sha256(verifier.encode()).digest())
        public = [login.state, login.nonce, sent["code_challenge"]]
        derived = {
            b64(sha256(text.encode()).digest())
            for one in public
            for other in ("", *public)
            for text in (one + other, f"{one}.{other}", one[:43])
        }
        assert not {verifier, sent["code_challenge"]} & (derived | {*public[:2]})
        assert len({*public, verifier, seed}) == 5
        seen |= {login.state, login.nonce, verifier}
        callback = provider.authorize(login.url)
        assert not find_leaks(callback, [verifier, seed])
        assert app.finish(callback, login).scope
    assert len(seen) == 60
    tokens = [request for request in provider.received if request.path == "/token"]
    assert all("code_verifier" in request.form for request in tokens)
    assert not any("code_verifier" in request.target for request in provider.received)


def test_atk_063_a_request_with_the_attackers_challenge_ends_at_nobody(
    app: Application, provider: MockProvider
) -> None:
    known = "a-verifier-that-the-attacker-made-for-themselves"
    challenge = b64(sha256(known.encode()).digest())
    attacker, victim = app.start(), app.start()
    for url in (attacker.url, victim.url):
        callback = provider.authorize(change_query(url, code_challenge=challenge))
        with pytest.raises(CodegrantError) as caught:
            app.finish(callback, victim)
        assert caught.value.code in {"state_mismatch", "invalid_grant"}
    assert provider.count("/token") == 1
    # The verifier that went out is the login's own.
    sent = provider.received[-1].form["code_verifier"]
    assert sent == victim.code_verifier.reveal() != known
    works(app, provider)


def test_atk_069_a_code_of_another_login_is_of_no_use(
    app: Application, provider: MockProvider
) -> None:
    victim, mine = app.start(), app.start()
    stolen = query_of(provider.authorize(victim.url))["code"]
    callback = change_query(provider.authorize(mine.url), code=stolen)
    with pytest.raises(Refused) as refusal:
        app.finish(callback, mine)
    assert refusal.value.error == "invalid_grant"
    # A provider without PKCE gives the tokens out: then the nonce tells.
    victim, mine = app.start(), app.start()
    stolen = query_of(provider.authorize(victim.url))["code"]
    callback = change_query(own := provider.authorize(mine.url), code=stolen)
    provider.grants[stolen].code_challenge = provider.grants[query_of(own)["code"]].code_challenge
    with pytest.raises(TokenRejected) as rejected:
        app.finish(callback, mine)
    assert rejected.value.code == "nonce_mismatch"
    works(app, provider)


@pytest.mark.parametrize("iss", [None, "", "own", "own/", "OWN", "other", "evil"])
def test_atk_131_an_answer_of_another_server_never_leads_to_a_token_request(
    make_app: MakeApp, provider: MockProvider, other_provider: MockProvider, iss: str | None
) -> None:
    honest, attacker = provider, other_provider
    app = make_app(attacker)
    login = app.start()
    # The attacker's server sends the browser on to the honest one, which answers.
    honest.callback = Lie({"state": login.state})
    callback = honest.authorize(login.url)
    named = {
        "own": attacker.issuer, "own/": f"{attacker.issuer}/", "OWN": attacker.issuer.upper(),
        "other": honest.issuer, "evil": EVIL, "": "", None: None,
    }[iss]  # fmt: skip
    if iss != "own":
        with pytest.raises(CodegrantError) as caught:
            app.finish(change_query(callback, iss=named), login)
        assert isinstance(caught.value, CallbackRejected), caught.value
        error = change_query(callback, iss=named, code=None, error="access_denied")
        with pytest.raises(CallbackRejected):
            app.finish(error, login)
        assert attacker.count("/other/token") == honest.count("/token") == 0
    assert app.finish(attacker.authorize(login.url), login).scope
    assert honest.count("/token") == 0


WITHOUT_ASSERTIONS = """
import json, sys
from codegrant import Client, CodegrantError
assert False, "assertions are on"
given = json.load(sys.stdin)
client = Client(given["issuer"], client_id="app", client_secret="s" * 40, ca_file=given["ca"],
                redirect_uri="https://app.example/callback")
login = client.start_login()
for query in ("code=c&state=wrong", "code=c", "code=c&state=", f"code=c&state={login.state}",
              f"code=c&state={login.state}&iss=https://evil.test",
              f"code=c&code=c&state={login.state}", f"error=x&state={login.state}x"):
    try:
        client.finish_login(f"https://app.example/callback?{query}", login)
        print("accepted")
    except CodegrantError as error:
        print(error.code)
"""


def test_atk_134_no_check_is_an_assertion_that_can_be_switched_off(
    provider: MockProvider, certificate: SelfSigned
) -> None:
    done = subprocess.run(
        [sys.executable, "-O", "-c", WITHOUT_ASSERTIONS],
        input=json.dumps({"issuer": provider.issuer, "ca": str(certificate.file)}),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [
        "state_mismatch",
        "state_missing",
        "state_missing",
        "iss_missing",
        "iss_mismatch",
        "repeated_parameter",
        "state_mismatch",
    ], done.stderr
    assert provider.count("/token") == 0


def test_atk_134_the_whole_package_checks_without_assertions() -> None:
    root = Path(codegrant.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                # What is left narrows a type, and stands where no input can reach.
                assert "None" in ast.unparse(node.test), (path.name, ast.unparse(node))


@pytest.mark.parametrize(
    "sub",
    ["person-2", "person-10", "person-", "PERSON-1", "person-1 ", "", None, 1, ["person-1"], True],
)
def test_atk_139_userinfo_about_somebody_else_is_thrown_away(
    app: Application, provider: MockProvider, sub: object
) -> None:
    tokens = app.log_in(provider)
    provider.userinfo = Lie({"sub": sub, "email": "victim@example.test"})
    with pytest.raises(ResponseRejected) as rejected:
        app.userinfo(tokens)
    assert "victim" not in f"{rejected.value!r} {rejected.value} {rejected.value.facts}"
    provider.userinfo = Lie()
    assert app.userinfo(tokens).sub == "person-1"


def test_atk_140_a_server_that_gives_itself_out_for_another_gets_nothing(
    make_app: MakeApp, provider: MockProvider, other_provider: MockProvider
) -> None:
    honest, attacker = provider, other_provider
    for claimed in (
        honest.issuer,
        f"{attacker.issuer}/",
        attacker.issuer.upper(),
        attacker.origin,
        f"{attacker.issuer}?x",
        "",
        None,
        [attacker.issuer],
    ):
        attacker.metadata = Lie({"issuer": claimed})
        app = make_app(attacker)
        for _ in range(2):
            with pytest.raises(MetadataRejected):
                app.start()
    # Nor does it get what was meant for the honest one, once it is found out.
    login = make_app(honest).start()
    attacker.metadata = Lie({"issuer": honest.issuer, "token_endpoint": f"{attacker.issuer}/token"})
    with pytest.raises(CodegrantError):
        make_app(attacker).finish(honest.authorize(login.url), login)
    paths = {request.path for request in attacker.received}
    assert all(".well-known" in path for path in paths)
    assert not find_leaks(repr(attacker.received), [CLIENT_SECRET, login.code_verifier.reveal()])
    assert honest.count("/token") == 0
    attacker.metadata = Lie()
    works(make_app(attacker), attacker)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "path", ["/token", "/jwks", "/userinfo", "/.well-known/openid-configuration"]
)
def test_atk_141_no_redirect_takes_a_credential_elsewhere(
    make_app: MakeApp, provider: MockProvider, listener: Listener, path: str, status: int
) -> None:
    honest = provider.routes[path]
    app = make_app(provider)
    tokens = app.log_in(provider)
    host = f"127.0.0.1:{listener.port}"
    for to in (f"http://{host}{path}", f"http://localhost:{listener.port}/", f"//{host}/"):
        provider.routes[path] = lambda _, to=to: redirect(to, status)  # type: ignore[misc]
        attempt = (
            partial(app.userinfo, tokens)
            if path == "/userinfo"
            else partial(make_app(provider).log_in, provider)
        )
        with pytest.raises(CodegrantError):
            attempt()
    assert not listener.received
    provider.routes[path] = honest
    assert app.userinfo(make_app(provider).log_in(provider)).sub == "person-1"


def test_atk_141_nor_does_an_api_that_redirects(
    app: Application, provider: MockProvider, listener: Listener
) -> None:
    tokens = app.log_in(provider)
    api = Listener()
    for number, status in enumerate((301, 302, 303, 307, 308)):
        api.routes[f"/{number}"] = lambda _, s=status: redirect(f"{listener.origin}/x", s)  # type: ignore[misc]
        answer = app.get(tokens, f"{api.origin}/{number}", follow_redirects=True)
        assert answer.status_code == 404  # the other host's, asked without the token
    assert [r for r in api.received if "authorization" in r.headers]
    assert not [r for r in listener.received if "authorization" in r.headers]
    for url in ("http://evil.test/x", "ftp://127.0.0.1/x", "//evil.test", "http://127.0.0.1.test"):
        with pytest.raises(UsageError):
            app.get(tokens, url)
    api.close()


@pytest.mark.parametrize(
    "url",
    [
        "file:///c:/windows/system32/calc.exe",
        "http://a&calc",
        "http://evil.test/authorize",
        "$(id)",
        "-x",
        "--new-window",
        "javascript:alert(1)",
        "data:text/html,x",
        "calc",
        "\\\\evil\\share",
        "https://",
        "https:///path",
        "https://evil.test\\@issuer.test/",
        "https://issuer test/",
        "https://issuer.test/\ncalc",
        "https://issuer.test/a b",
        "https://issuer.test/\u202e",
        "https://user:password@issuer.test/",
        "https://issuer.test/#fragment",
        "https://issuer.test:99999/",
        "https://[::1",
        " https://issuer.test/",
        "ftp://issuer.test/",
        ["https://issuer.test/"],
        5,
    ],
)
def test_atk_142_an_endpoint_that_is_no_web_address_is_never_opened(
    make_app: MakeApp, provider: MockProvider, url: object
) -> None:
    for name in ("authorization_endpoint", "token_endpoint"):
        provider.metadata = Lie({name: url})
        with pytest.raises(PeerError):
            make_app(provider).start()
    assert not [path for path in provider.paths() if ".well-known" not in path]
    provider.metadata = Lie()
    works(make_app(provider), provider)


SCHEMES = [
    "file:///etc/passwd",
    "ftp://127.0.0.1/jwks",
    "data:application/json,{}",
    "gopher://127.0.0.1/",
    "jar:https://x!/",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/jwks",
    "http://0.0.0.0/jwks",
    "http://2130706433/jwks",
    "//127.0.0.1/jwks",
    "jwks",
    "/etc/passwd",
    "http://user@127.0.0.1/jwks",
]


@pytest.mark.parametrize("url", SCHEMES)
def test_atk_144_keys_come_from_web_addresses_alone(
    make_app: MakeApp, provider: MockProvider, api: PaperApi, url: str
) -> None:
    for name in ("jwks_uri", "userinfo_endpoint"):
        provider.metadata = Lie({name: url})
        with pytest.raises(MetadataRejected):
            make_app(provider).log_in(provider)
    provider.metadata = Lie()
    works(make_app(provider), provider)
    api.issuer.publish_at(url)
    assert api.refuse(api.issuer.mint(NOW)).status == 503
    assert url not in api.script.urls
    good = PaperApi()
    assert good.verify(good.issuer.mint(NOW))


def test_atk_144_nor_by_a_detour(
    make_app: MakeApp, provider: MockProvider, listener: Listener
) -> None:
    honest = provider.routes["/jwks"]
    for to in ("file:///etc/passwd", "ftp://127.0.0.1/", f"{listener.origin}/", "data:,x"):
        provider.routes["/jwks"] = lambda _, to=to: redirect(to, 302)  # type: ignore[misc]
        with pytest.raises(CodegrantError):
            make_app(provider).log_in(provider)
    assert not listener.received
    provider.routes["/jwks"] = honest
    # Somebody else's issuer may not even be on this machine.
    with pytest.raises(CodegrantError) as caught:
        make_app(provider, untrusted_issuer=True).log_in(provider)
    assert caught.value.code == "address_refused"
    works(make_app(provider), provider)


def test_atk_145_made_up_key_ids_cause_two_fetches_and_no_more(api: PaperApi) -> None:
    assert api.verify(api.issuer.mint(NOW))
    for number in range(100):
        key = api.issuer.keys["k1"]
        token = api.issuer.mint(NOW, header={"kid": f"random-{number}"}, key=key)
        assert api.refuse(token, NOW + number // 2).error == "invalid_token"
    assert api.issuer.key_fetches <= 2
    assert api.verify(api.issuer.mint(NOW, jti="another"), NOW + 50)
    client = AtClient()
    client.pause = 0
    assert client.takes(Place.good)
    for number in range(100):

        def unknown(place: Place, claims: Claims, kid: str = f"random-{number}") -> str:
            return forge({**place.header, "kid": kid}, claims, place.sign)

        assert not client.takes(unknown)
    assert client.issuer.key_fetches <= 2
    assert client.takes(Place.good)


def test_atk_145_keys_that_are_broken_or_many_leave_the_good_one(api: PaperApi) -> None:
    good = public_jwk(api.issuer.keys["k1"], "k1")
    broken: list[object] = [
        {}, None, 5, "x", [], {"kty": "EC"}, {**good, "x": "!"}, {**good, "x": 5},
        {**good, "kid": 5}, {**good, "crv": "P-999"}, {"kty": "RSA", "n": "AQ", "e": "AQ"},
        {"kty": "RSA", "n": "A" * 9000}, {"kty": None}, {**good, "alg": []}, {**good, "use": {}},
        {**good, "key_ops": "x"},
    ]  # fmt: skip
    api.script.answers[api.issuer.jwks_uri] = json_response({"keys": [*broken, good]})
    assert api.verify(api.issuer.mint(NOW))
    documents: list[object] = [[], {}, {"keys": {}}, {"keys": "x"}, {"keys": [good] * 101}, "x"]
    for document in documents:
        other = PaperApi()
        other.script.answers[other.issuer.jwks_uri] = json_response(document)
        with pytest.raises(OAuthError) as caught:
            other.verify(other.issuer.mint(NOW))
        assert caught.value.status in {401, 503}


def test_atk_170_a_certificate_that_nobody_vouches_for_is_refused(
    make_app: MakeApp, certificate: SelfSigned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    provider = MockProvider(certificate.server_context())
    elsewhere = self_signed(tmp_path_factory.mktemp("other"), "issuer.example")
    wrong_name = MockProvider(elsewhere.server_context())
    try:
        strangers = [
            make_app(provider, ca_file=None),
            make_app(provider, ca_file=str(elsewhere.file)),
            make_app(wrong_name),
            make_app(wrong_name, ca_file=str(elsewhere.file)),
        ]
        for app in strangers:
            with pytest.raises(TransportError) as caught:
                app.start()
            assert caught.value.code.startswith("tls"), caught.value.code
        assert not provider.received
        assert not wrong_name.received
        works(make_app(provider), provider)
    finally:
        provider.close()
        wrong_name.close()
