"""Section A of the catalogue: where the server sends a browser, and where it never does."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

from codegrant.secret import digest_of
from codegrant.server.administration import AddClient
from codegrant.server.records import ClientRecord
from tests.attacks.steps import (
    ISSUER,
    R2,
    B,
    R,
    ask,
    code_of,
    document,
    error_page,
    redeem,
    refused,
    send,
    tokens,
)
from tests.flows.authorization_server import SECRET, authorization_parameters
from tests.flows.house import PASSWORDS, Browser, House, Page, read_page
from tests.support.relying_party import administration_error, register
from tests.support.serving import Serving

NATIVE = "http://127.0.0.1/cb"


def refuse(browser: Browser, redirect_uri: str, *, client_id: str = "r", good: str = R) -> None:
    """Check that a redirect URI ends on an error page, by GET and by POST; the good one works."""
    pairs = authorization_parameters(client_id=client_id, redirect_uri=redirect_uri)
    for answer in (
        browser.send("GET", f"/authorize?{urlencode(pairs)}"),
        browser.send("GET", f"/authorize?{urlencode(pairs, quote_via=quote, safe='')}"),
        browser.send("POST", "/authorize", urlencode(pairs)),
        # An error of the request itself is no reason to go there either.
        browser.send("GET", f"/authorize?{urlencode([*pairs, ('prompt', 'none login')])}"),
    ):
        assert error_page(answer) == "invalid_request"
    assert code_of(ask(browser), R)
    if client_id != "r":
        page = ask(browser, client_id=client_id, redirect_uri=good)
        assert page.status in {200, 303}
        assert "error-code" not in page.by_id


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://client.test/CB",
        "https://client.test/Cb",
        "https://CLIENT.test/cb",
        "HTTPS://client.test/cb",
        "https://client.test/c%62",
        "https://client.test/%63b",
        "https://client.test/second?X=1",
        "https://client.test/second?x=%31",
        "https://\u24d2lient.test/cb",
    ],
)
def test_atk_004_a_redirect_uri_in_other_letters_is_another_one(
    front: Browser, redirect_uri: str
) -> None:
    refuse(front, redirect_uri)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://clientxtest/cb",
        "https://client.test.evil.test/cb",
        "https://evilclient.test/cb",
        "https://evil.test/https://client.test/cb",
        "https://client.test@evil.test/cb",
        "https://client.test%40evil.test/cb",
        "https://evil.test#@client.test/cb",
        "https://evil.test?https://client.test/cb",
        "https://evil.test\\@client.test/cb",
        "https://*.test/cb",
        "https://client.test./cb",
        "https://client.test/cb/",
        "https://client.test/cb/more",
        "https://client.test/c.",
        ".*",
        "*",
    ],
)
def test_atk_006_a_redirect_uri_is_no_pattern(front: Browser, redirect_uri: str) -> None:
    refuse(front, redirect_uri)


@pytest.mark.parametrize(
    ("client_id", "redirect_uri"),
    [
        pytest.param("r", "https://evil.test/cb", id="foreign"),
        pytest.param("r", B, id="of client b"),
        pytest.param("b", R, id="of client r"),
        pytest.param("r", NATIVE, id="of the native client"),
        pytest.param("native", R, id="native, of client r"),
        pytest.param("r", f"{R},https://evil.test/cb", id="a list"),
        pytest.param("r", f"{R} https://evil.test/cb", id="two"),
        pytest.param("r", f"{ISSUER}/login", id="the server's own page"),
        pytest.param("r", "/cb", id="relative"),
        pytest.param("r", "//client.test/cb", id="without scheme"),
        pytest.param("r", f" {R}", id="space before"),
        pytest.param("r", f"{R}\n", id="line end after"),
        pytest.param("r", f"{R}\0", id="NUL after"),
    ],
)
def test_atk_007_only_a_redirect_uri_of_this_very_client_will_do(
    front: Browser, client_id: str, redirect_uri: str
) -> None:
    goods = {"r": R, "b": B, "native": NATIVE}
    refuse(front, redirect_uri, client_id=client_id, good=goods[client_id])


def test_atk_007_neither_an_omitted_nor_a_repeated_redirect_uri_falls_back_to_another(
    front: Browser,
) -> None:
    pairs = authorization_parameters(client_id="r", redirect_uri=R)
    assert error_page(send(front, redirect_uri=None)) == "invalid_request"
    assert error_page(send(front, redirect_uri="")) == "invalid_request"
    for evil in ("https://evil.test/cb", R):
        for several in ([*pairs, ("redirect_uri", evil)], [("redirect_uri", evil), *pairs]):
            answer = front.send("GET", f"/authorize?{urlencode(several)}")
            assert error_page(answer) == "invalid_request"
    assert code_of(ask(front))


@pytest.mark.parametrize(
    "redirect_uri", [f"{R}#x", f"{R}#", f"{R}%23x", f"{R}%23", f"{R2}#code=1", f"{R}\uff03x"]
)
def test_atk_011_a_fragment_is_no_part_of_a_redirect_uri(front: Browser, redirect_uri: str) -> None:
    refuse(front, redirect_uri)


DANGEROUS = [
    "javascript:alert(1)//",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:https://client.test/cb",
    "file:///etc/passwd",
    "about:blank",
    "view-source:https://client.test/cb",
    "myapp:/cb",
]


@pytest.mark.parametrize("redirect_uri", DANGEROUS)
def test_atk_012_a_scheme_that_runs_or_reads_is_never_a_destination(
    front: Browser, redirect_uri: str
) -> None:
    refuse(front, redirect_uri)


def test_atk_012_a_scheme_that_runs_or_reads_cannot_be_registered(server: Serving) -> None:
    for number, redirect_uri in enumerate(DANGEROUS[:-1]):
        for native in ((), ("--native",)):
            arguments = ("clients", "add", f"evil{number}", "--redirect-uri", redirect_uri)
            error = administration_error(server, *arguments, "--public", *native)
            assert "redirect" in error
    register(server, "fine", "--public", "--native", redirect_uri="com.example.app:/cb")


@pytest.mark.parametrize(
    ("client_id", "redirect_uri"),
    [
        ("r", "https://client.test:443/cb"),
        ("r", "https://client.test:/cb"),
        ("r", "https://client.test:8443/cb"),
        ("r", "https://client.test:0443/cb"),
        ("r", "https://client.test:80/cb"),
        ("r", "http://client.test/cb"),
        ("native", "http://127.0.0.1:/cb"),
        ("native", "http://127.0.0.1:0/cb"),
        ("native", "http://127.0.0.1:65536/cb"),
        ("native", "http://127.0.0.1:\uff11\uff12/cb"),
        ("native", "http://127.0.0.1:80:80/cb"),
        ("native", "http://127.0.0.1:80@evil.test/cb"),
        ("native", "http://127.0.0.1:4711.evil.test/cb"),
        ("native", "https://127.0.0.1:4711/cb"),
        ("native", "http://localhost:4711/cb"),
        ("native", "http://127.0.0.2:4711/cb"),
        ("native", "http://127.1:4711/cb"),
        ("native", "http://[::1]:4711/cb"),
        ("native", "http://127.0.0.1:4711/other"),
        ("native", "http://127.0.0.1:4711/cb?x=1"),
    ],
)
def test_atk_013_no_port_may_vary_but_that_of_a_loopback_address(
    front: Browser, client_id: str, redirect_uri: str
) -> None:
    refuse(front, redirect_uri, client_id=client_id, good="http://127.0.0.1:4711/cb")


@pytest.mark.parametrize(
    "redirect_uri",
    [
        f"{R};x=1",
        f"{R};/../evil",
        f"{R}/../evil",
        f"{R}/..;/evil",
        f"{R}%3Bx=1",
        f"{R}/%2e%2e/evil",
        f"{R}/%252e%252e/evil",
        "https://client.test/x/../cb",
        "https://client.test/./cb",
        "https://client.test//cb",
        "https://client.test/;x/cb",
        "https://client.test\\cb",
        "https://client.test/cb%00",
        "https://client.test/cb%0d%0aSet-Cookie:x=1",
    ],
)
def test_atk_016_a_path_is_not_made_simpler_before_it_is_compared(
    front: Browser, redirect_uri: str
) -> None:
    refuse(front, redirect_uri)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        f"{R}?code=attacker",
        f"{R}?",
        f"{R}?state=x",
        f"{R}%3Fcode=attacker",
        f"{R}&code=attacker",
        f"{R2}&code=attacker",
        f"{R2}&x=1",
        f"{R2};code=attacker",
        "https://client.test/second?code=attacker&x=1",
        "https://client.test/second?x=1%26code=attacker",
        "https://client.test/second",
    ],
)
def test_atk_017_a_redirect_uri_brings_no_parameters_of_its_own(
    front: Browser, redirect_uri: str
) -> None:
    refuse(front, redirect_uri)
    answer = ask(front, redirect_uri=R2)
    assert answer.url.startswith(f"{R2}&code=")
    assert answer.url.count("code=") == answer.url.count("state=") == 1


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param(f"http://[{':' * 60}]/path", id="colons"),
        pytest.param("http://[::1", id="open bracket"),
        pytest.param("http://::1]/cb", id="closing bracket"),
        pytest.param("http://[v1.x]/cb", id="IPvFuture"),
        pytest.param("http://[::1%25eth0]/cb", id="zone"),
        pytest.param("http://[fe80::1%25" + "a" * 900 + "]/cb", id="long zone"),
        pytest.param("https://" + "a" * 14_000 + "/cb", id="long host"),
        pytest.param("https://" + "a." * 7_000 + "/cb", id="many labels"),
        pytest.param("https://client.test:" + "9" * 5_000 + "/cb", id="long port"),
        pytest.param("https://client.test:-1/cb", id="negative port"),
        pytest.param("https://xn--a/cb", id="broken punycode"),
        pytest.param("https://client.test/\ud800".encode("utf-16", "surrogatepass").decode(
            "latin-1"), id="broken UTF-16"),
        pytest.param("https://\u2100.test/cb", id="NFKC host"),
        pytest.param("://", id="nothing"),
        pytest.param("%", id="percent"),
    ],
)  # fmt: skip
def test_atk_018_a_redirect_uri_that_breaks_parsers_is_just_another_wrong_one(
    front: Browser, redirect_uri: str
) -> None:
    refuse(front, redirect_uri)
    refuse(front, redirect_uri, client_id="native", good="http://127.0.0.1:1/cb")
    assert "request_failed" not in front.house.event_names()


def test_atk_018_a_redirect_uri_of_any_length_is_answered(house: House, alice: Browser) -> None:
    for size in (20_000, 1_000_000):
        for text in (f"https://{'a' * size}/cb", f"https://[{':' * size}]/cb", "%" * size):
            answer = alice.send("GET", f"/authorize?client_id=r&redirect_uri={text}")
            assert answer.status == 413
            assert not answer.headers.get("location")
    assert "request_failed" not in house.event_names()
    assert code_of(ask(alice))


@pytest.mark.parametrize(
    "redirect_uri", [R2, f"{R}/", f"{R}?", B, "https://evil.test/cb", R.upper(), f"{R} "]
)
def test_atk_019_a_code_is_redeemed_with_the_redirect_uri_it_was_made_for(
    house: House, alice: Browser, redirect_uri: str
) -> None:
    code = code_of(ask(alice))
    assert refused(redeem(house, code, redirect_uri=redirect_uri)) == "invalid_grant"
    assert document(redeem(house, code))["access_token"]
    second = code_of(ask(alice, redirect_uri=R2), R2)
    assert refused(redeem(house, second)) == "invalid_grant"
    assert redeem(house, second, redirect_uri=R2).status == 200


def test_atk_019_without_pkce_the_redirect_uri_cannot_be_left_out_either(
    house: House, alice: Browser
) -> None:
    old = ClientRecord(
        client_id="old",
        secret_digest=digest_of(SECRET),
        redirect_uris=(R,),
        require_pkce=False,
        skip_consent=True,
    )
    assert house.perform(AddClient(old))
    without = {"code_challenge": None, "code_challenge_method": None}
    code = code_of(ask(alice, client_id="old", **without))
    credentials = ("old", SECRET)
    answer = redeem(house, code, auth=credentials, redirect_uri=None, code_verifier=None)
    assert refused(answer) == "invalid_grant"
    assert redeem(house, code, auth=credentials, code_verifier=None).status == 200


OFF_SITE = [
    "//evil.test",
    "/\\evil.test",
    "/%0d/evil.test",
    "https://evil.test",
    "https:evil.test",
    "/%09/evil.test",
    "javascript:alert(1)",
    "https://issuer.test@evil.test",
]
RETURN_PARAMETERS = ("next", "return", "return_to", "redirect", "redirect_uri", "url", "continue")


def is_at_home(location: str) -> bool:
    return location.startswith((f"{ISSUER}/", f"{R}?"))


@pytest.mark.parametrize("where", OFF_SITE)
def test_atk_021_the_login_page_sends_nobody_off_the_site(browser: Browser, where: str) -> None:
    page = ask(browser, scope="openid", nonce="n")
    query = urlencode([(name, where) for name in RETURN_PARAMETERS])
    typed = {"username": "alice", "password": PASSWORDS["alice"]}
    again = browser.get(f"{page.url}&{query}")
    assert "evil" not in "".join(again.addresses)
    answer = browser.post(
        again, "login-submit", {**typed, **dict.fromkeys(RETURN_PARAMETERS, where)}
    )
    assert is_at_home(answer.headers.get("location"))
    assert code_of(ask(browser))


@pytest.mark.parametrize("path", ["/login", "/consent", "/account", "/logout"])
def test_atk_021_no_page_takes_a_destination(alice: Browser, path: str) -> None:
    for where in OFF_SITE:
        for name in RETURN_PARAMETERS:
            answer = alice.send("GET", f"{path}?{urlencode({name: where})}")
            # Somebody who is logged in has no use for the login page.
            assert answer.headers.get("location") in {"", f"{ISSUER}/account"}
            assert "evil" not in "".join(read_page(answer).addresses)


@pytest.mark.parametrize("where", ["https://evil.test", "//evil.test", B, R, "javascript:x"])
def test_atk_022_logging_out_leads_nowhere_else(house: House, alice: Browser, where: str) -> None:
    hint = tokens(house, alice)["id_token"]
    query = urlencode(
        {"post_logout_redirect_uri": where, "id_token_hint": hint, "client_id": "r", "state": "s"}
    )
    page: Page = alice.get(f"/logout?{query}")
    assert (page.status, page.url) == (200, f"/logout?{query}")
    assert where not in page.addresses
    assert alice.session_cookie
    answer = alice.post(page, "logout-yes", {"post_logout_redirect_uri": where})
    assert answer.headers.get("location") == f"{ISSUER}/logout"
    assert not alice.session_cookie
