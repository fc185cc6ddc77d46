"""How a client proves itself at the token endpoint, and every way in which that fails."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from urllib.parse import urlencode

import pytest

from tests.e2e.conftest import Start
from tests.support.browser import Browser
from tests.support.raw_http import FORM, RawAnswer, send_raw
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    basic,
    register,
    send_form,
)
from tests.support.serving import Serving, codegrant


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server without rate limits: most requests of these tests fail."""
    environment = {"CODEGRANT_LIMITS_ENABLED": "false"}
    folder = tmp_path_factory.mktemp("server")
    with Serving(folder, environment=environment).start() as running:
        running.add_user()
        yield running


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    """A client of `client_secret_basic`."""
    return register(shared_server, "app")


@pytest.fixture(scope="module")
def posting(shared_server: Serving) -> RelyingParty:
    """A client of `client_secret_post`."""
    return register(shared_server, "posting", "--auth-method", "client_secret_post")


@pytest.fixture(scope="module")
def public(shared_server: Serving) -> RelyingParty:
    """A client without a secret."""
    return register(shared_server, "public", "--public")


@pytest.fixture(scope="module")
def browser(app: RelyingParty, posting: RelyingParty, public: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in and agreed to all three."""
    browser = app.new_browser()
    for client in (app, posting, public):
        client.authorize(browser)
    return browser


def redeem(
    client: RelyingParty,
    code: str,
    authorization: str | None = None,
    query: str = "",
    **more: str,
) -> Answer:
    """Send a token request without any authentication but what is given here."""
    bare = RelyingParty(client.issuer, client.client_id, verifier=client.verifier)
    fields = [*bare.token_request(code, client_id=None), *more.items()]
    headers = {} if authorization is None else {"authorization": authorization}
    return send_form(f"{client.token_endpoint}{query}", fields, headers)


def is_refused(answer: Answer, error: str = "invalid_client", status: int = 401) -> bool:
    return (answer.status, answer.error) == (status, error)


@pytest.mark.requirement("AS-CA-01", "AS-CA-07")
def test_a_confidential_client_must_prove_itself(
    app: RelyingParty, posting: RelyingParty, public: RelyingParty, browser: Browser
) -> None:
    for client in (app, posting):
        code = client.authorize(browser)["code"]
        assert is_refused(redeem(client, code))
        assert is_refused(redeem(client, code, client_id=client.client_id))
        assert is_refused(redeem(client, code, client_id=client.client_id, client_secret=""))
        # Nor does it help to say that one is a public client.
        assert is_refused(redeem(client, code, client_id="public"), "invalid_grant", 400)
        assert client.token(code).status == 200
    code = public.authorize(browser)["code"]
    assert is_refused(redeem(public, code))
    assert redeem(public, code, client_id="public").status == 200


AWKWARD_SECRETS = [
    pytest.param("a:colon and : another one, 32 at least", id="colon"),
    pytest.param("100% %41 %zz percent signs, 32 characters", id="percent"),
    pytest.param("plus+plus and spaces  in a row, 32 at least", id="plus and space"),
    pytest.param("schlüssel ключ 鍵 🗝 of all the world, 32 at least", id="beyond ASCII"),
    pytest.param("&=;?/#\"'<>\\ and more punctuation, 32 at least", id="punctuation"),
]


@pytest.mark.requirement("AS-CA-02")
@pytest.mark.parametrize("secret", AWKWARD_SECRETS)
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_may_have_any_character(
    shared_server: Serving, browser: Browser, secret: str, method: str
) -> None:
    # The id has what could be taken for the end of the id, or for an escape.
    client_id = f"a:b+c%41&{sha256(f'{secret}{method}'.encode()).hexdigest()[:8]}"
    where = ("--redirect-uri", "https://app.example/callback", "--skip-consent")
    shared_server.run(
        *("clients", "add", client_id, "--auth-method", method, "--secret-stdin", *where),
        stdin=f"{secret}\n",
    )
    client = RelyingParty(shared_server.issuer, client_id, secret, method=method)
    code = client.authorize(browser)["code"]
    unencoded = b64encode(f"{client_id}:{secret}".encode()).decode()
    assert redeem(client, code, f"Basic {unencoded}").status == 401
    twice = basic(client_id, urlencode({"": secret})[1:])
    assert redeem(client, code, twice).status == 401
    assert client.token(code).status == 200


@pytest.mark.requirement("AS-CA-03")
def test_a_secret_in_the_query_is_refused(posting: RelyingParty, browser: Browser) -> None:
    code = posting.authorize(browser)["code"]
    pairs = {"client_id": posting.client_id, "client_secret": posting.secret}
    for name, value in pairs.items():
        in_body = {key: kept for key, kept in pairs.items() if key != name}
        query = f"?{urlencode({name: value})}"
        assert is_refused(redeem(posting, code, query=query, **in_body), "invalid_request", 400)
        assert is_refused(redeem(posting, code, query=query, **pairs), "invalid_request", 400)
    assert is_refused(redeem(posting, code, query=f"?{urlencode(pairs)}"), "invalid_request", 400)
    assert redeem(posting, code, **pairs).status == 200


@pytest.mark.requirement("AS-CA-04")
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"client_secret": "{secret}"}, id="the same secret"),
        pytest.param({"client_secret": "another"}, id="another secret"),
        pytest.param({"client_id": "{id}", "client_secret": "{secret}"}, id="id and secret"),
        pytest.param({"client_assertion": "a.b.c"}, id="an assertion"),
        pytest.param(
            {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            id="the type of an assertion",
        ),
    ],
)
def test_more_than_one_method_is_refused(
    app: RelyingParty, browser: Browser, more: Mapping[str, str]
) -> None:
    code = app.authorize(browser)["code"]
    values = {
        name: value.format(id=app.client_id, secret=app.secret) for name, value in more.items()
    }
    header = basic(app.client_id, app.secret)
    assert is_refused(redeem(app, code, header, **values), "invalid_request", 400)
    assert redeem(app, code, header).status == 200


@pytest.mark.requirement("AS-CA-04")
def test_two_authorization_headers_are_refused(app: RelyingParty, browser: Browser) -> None:
    code = app.authorize(browser)["code"]
    body = urlencode(app.token_request(code)).encode()
    header = ("authorization", basic(app.client_id, app.secret))
    for second in (header, ("Authorization", "Bearer abc")):
        answer = send_raw(app.issuer, "POST", "/token", [FORM, header, second], body)
        assert (answer.status, json.loads(answer.body)["error"]) == (400, "invalid_request")
    assert send_raw(app.issuer, "POST", "/token", [FORM, header], body).status == 200


@pytest.mark.requirement("AS-CA-05")
def test_only_the_registered_method_works(
    app: RelyingParty, posting: RelyingParty, public: RelyingParty, browser: Browser
) -> None:
    in_body = {"client_id": app.client_id, "client_secret": app.secret}
    code = app.authorize(browser)["code"]
    assert is_refused(redeem(app, code, **in_body))
    assert app.token(code).status == 200

    code = posting.authorize(browser)["code"]
    assert is_refused(redeem(posting, code, basic(posting.client_id, posting.secret)))
    assert posting.token(code).status == 200

    code = public.authorize(browser)["code"]
    assert is_refused(redeem(public, code, basic("public", "any secret")))
    assert is_refused(redeem(public, code, client_id="public", client_secret="any secret"))
    assert public.token(code).status == 200


@pytest.mark.requirement("AS-CA-06")
def test_the_client_id_in_the_form_must_be_the_one_that_is_proven(
    app: RelyingParty, posting: RelyingParty, public: RelyingParty, browser: Browser
) -> None:
    header = basic(app.client_id, app.secret)
    for other in (posting, public):
        code = other.authorize(browser)["code"]
        assert redeem(other, code, header, client_id=other.client_id).status in {400, 401}
        assert redeem(other, code, header).status == 400
        assert other.token(code).status == 200
    code = app.authorize(browser)["code"]
    for wrong in ("posting", "public", "nobody", "APP", "app "):
        assert redeem(app, code, header, client_id=wrong).status in {400, 401}
    assert redeem(app, code, header, client_id=app.client_id).status == 200


@pytest.mark.requirement("AS-CA-08")
def test_the_database_holds_the_digest_of_a_secret_and_not_the_secret(
    shared_server: Serving, app: RelyingParty, posting: RelyingParty
) -> None:
    stored = b"".join(file.read_bytes() for file in shared_server.folder.iterdir())
    for client in (app, posting):
        assert client.secret.encode() not in stored
        assert sha256(client.secret.encode()).digest() in stored
        assert client.client_id.encode() in stored


@pytest.mark.requirement("AS-CA-08")
def test_a_secret_that_is_nearly_right_gets_the_answer_of_any_other(
    app: RelyingParty, browser: Browser
) -> None:
    code = app.authorize(browser)["code"]
    secret = app.secret
    wrong = [
        "x",
        "x" * len(secret),
        secret[:-1],
        secret[1:],
        secret + "x",
        secret + " ",
        secret.swapcase(),
        secret[:-1] + ("x" if secret[-1] != "x" else "y"),
        sha256(secret.encode()).hexdigest(),
        "ключ",
    ]
    answers = [redeem(app, code, basic(app.client_id, guess)) for guess in wrong]
    answers.append(redeem(app, code, basic("nobody", secret)))
    assert all(is_refused(answer) for answer in answers)
    assert len({answer.body for answer in answers}) == 1
    assert redeem(app, code, basic(app.client_id, secret)).status == 200


def guess(client: RelyingParty, secret: str = "guessed", source: str = "127.0.0.1") -> RawAnswer:
    """Send a token request for a code that does not exist, from one address of loopback."""
    fields = urlencode(client.token_request("x" * 43)).encode()
    header = ("authorization", basic(client.client_id, secret))
    return send_raw(client.issuer, "POST", "/token", [FORM, header], fields, source=source)


@pytest.mark.requirement("AS-CA-09")
def test_guessing_secrets_is_limited_and_locks_nobody_else_out(start: Start) -> None:
    server = start(
        environment={
            "CODEGRANT_LIMITS_ACCOUNT_FAILURES": "3",
            "CODEGRANT_LIMITS_SOURCE_FAILURES": "5",
        }
    )
    app, other = register(server, "app"), register(server, "other")
    public = register(server, "public", "--public")
    # Success is never counted, whatever becomes of the code.
    assert [guess(app, app.secret).status for _ in range(10)] == [400] * 10

    assert [guess(app).status for _ in range(3)] == [401] * 3
    limited = guess(app)
    assert limited.status == 429
    assert 0 < int(limited.header("retry-after")) <= 300
    assert limited.header("cache-control") == "no-store"
    # The right secret gives nothing away now; other clients and other addresses go on.
    assert guess(app, app.secret).status == 429
    assert guess(other, other.secret).status == 400
    assert guess(app, app.secret, source="127.0.0.2").status == 400
    assert [guess(app, source="127.0.0.2").status for _ in range(4)] == [401, 401, 401, 429]

    # Nor does it help to go through the clients.
    assert [guess(other).status for _ in range(2)] == [401] * 2
    assert guess(RelyingParty(server.issuer, "nobody", "x")).status == 429
    assert guess(other, other.secret).status == 429
    assert guess(other, other.secret, source="127.0.0.2").status == 400
    # There is nothing to guess about a public client.
    assert public.token("x" * 43).status == 400


@pytest.mark.requirement("AS-CA-10")
def test_generated_secrets_are_long_and_never_the_same(shared_server: Serving) -> None:
    clients = [register(shared_server, f"generated-{number}") for number in range(20)]
    secrets = {client.secret for client in clients}
    assert len(secrets) == 20
    # 256 bits in base64url; 22 characters would be 128.
    assert {len(secret) for secret in secrets} == {43}
    rotated = shared_server.run("clients", "rotate-secret", "generated-0").json["client_secret"]
    assert len(rotated) == 43
    assert rotated not in secrets
    assert guess(clients[0], clients[0].secret).status == 401
    assert guess(clients[0], rotated).status == 400


@pytest.mark.requirement("AS-CA-10")
def test_nobody_can_register_a_client_that_could_pass_for_a_person(
    shared_server: Serving,
) -> None:
    subject = shared_server.run("users", "show", "alice").json["sub"]
    add = ("clients", "add", "--redirect-uri", "https://app.example/callback")
    refused = codegrant(*add, subject, folder=shared_server.folder)
    assert (refused.status, subject in refused.error) == (1, True)
    assert codegrant(*add, f"app-{subject}"[:40], folder=shared_server.folder).status == 0


def test_no_answer_tells_which_clients_exist(app: RelyingParty, browser: Browser) -> None:
    code = app.authorize(browser)["code"]
    shown = [
        redeem(app, code, basic(name, "guessed")) for name in ("app", "posting", "public", "nobody")
    ]
    shown += [redeem(app, code, client_id=name) for name in ("app", "posting", "nobody")]
    assert len({(answer.status, answer.body) for answer in shown}) == 1
    assert app.token(code).status == 200
