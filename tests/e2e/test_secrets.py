"""After a whole flow the secrets of it are searched: in the log at every level, and on the disk."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from codegrant import Client
from codegrant.accounts.effects import AddAccount
from codegrant.accounts.hashing import PasswordHasher
from codegrant.accounts.site import Site
from codegrant.flow import Effect, RandomBytes, run
from codegrant.sealing import KeyRing
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient
from codegrant.server.policy import Policy
from codegrant.server.records import ClientRecord
from codegrant.stores.sqlite import SqliteStore
from codegrant.web.asgi import ServerApp
from codegrant.web.http_protocol import BoundedProtocol
from codegrant.web.performer import ServerPerformer
from tests.e2e.conftest import Start
from tests.flows.house import PASSWORDS, account
from tests.support.browser import Browser, Page
from tests.support.leaks import find_leaks, spellings
from tests.support.relying_party import (
    RelyingParty,
    basic,
    read_callback,
    register,
    send,
    send_form,
)
from tests.support.waiting import wait_until

CLIENT_SECRET = "the secret of the application, with: 100% +more and ünïcode"
KEY = "the key ring of this test, which nobody else may have"
WRONG_PASSWORD = "wonderland, nearly"
WRONG_SECRET = "the secret of the application, nearly"
WRONG_VERIFIER = "a-verifier-that-somebody-else-has-made-up-for-it"


class Witness:
    """A browser and a client that remember every secret that they come across."""

    def __init__(self, app: RelyingParty) -> None:
        self.app = app
        self.browser: Browser = app.new_browser()
        self.secrets: set[str | bytes] = {
            app.password,
            app.verifier,
            app.secret,
            basic(app.client_id, app.secret).removeprefix("Basic "),
        }

    def see(self, page: Page) -> Page:
        """Remember what a page, its address and the browser's cookies hold."""
        jar = self.browser.cookies.get("127.0.0.1", {})
        self.secrets.update(jar.values())
        for form in page.forms:
            self.secrets.update(value for name, value in form.fields if name != "username")
        for url in (page.url, page.location):
            self.secrets.update(
                pair.partition("=")[2]
                for pair in url.partition("?")[2].split("&")
                if pair.startswith(("transaction=", "code="))
            )
        return page

    def log_in(self, url: str = "") -> str:
        """Go through all pages, with a wrong password first; return where it ends."""
        page = self.see(self.browser.get(url or self.app.authorize_url()))
        self.secrets.add(WRONG_PASSWORD)
        page = self.see(self.browser.log_in(page, password=WRONG_PASSWORD))
        page = self.see(self.browser.log_in(page, self.app.username, self.app.password))
        page = self.see(self.browser.allow(page))
        self.see(self.browser.get(f"{self.app.issuer}/account"))
        self.see(self.browser.get(f"{self.app.issuer}/logout"))
        return page.location

    def redeem(self, code: str) -> str:
        """Redeem a code, wrongly first and once more in the end; return the access token."""
        self.secrets |= {code, WRONG_VERIFIER, WRONG_SECRET}
        assert self.app.token(code, code_verifier=WRONG_VERIFIER).status == 400
        guess = {"authorization": basic(self.app.client_id, WRONG_SECRET)}
        assert send_form(self.app.token_endpoint, self.app.token_request(code), guess).status == 401
        tokens = self.app.token(code).json
        self.secrets |= {tokens["access_token"], tokens["id_token"]}
        for token in (tokens["access_token"], tokens["id_token"], "a-token-of-somebody-else"):
            self.secrets.add(token)
            bearer = {"authorization": f"Bearer {token}"}
            send("GET", f"{self.app.issuer}/userinfo", headers=bearer)
            send("GET", f"{self.app.issuer}/userinfo?access_token={token}")
        assert self.app.token(code).status == 400
        return str(tokens["access_token"])

    def mistakes(self, code: str) -> None:
        """Send secrets where they do not belong."""
        app = self.app
        send("GET", f"{app.token_endpoint}?code={code}&code_verifier={app.verifier}")
        send("POST", f"{app.token_endpoint}?code={code}", "{", {"content-type": "text/plain"})
        send("GET", f"{app.issuer}/{code}")
        self.browser.get(f"{app.issuer}/account?password={app.password}")
        send_form(f"{app.issuer}/login", [("username", app.password), ("password", app.password)])


def all_secrets(witness: Witness) -> set[str | bytes]:
    """Return what may be found nowhere."""
    secrets = {secret for secret in witness.secrets if len(secret) >= 6}
    assert len(secrets) >= 14
    return secrets


@pytest.mark.requirement("CO-LOG-01", "CO-SEC-05")
@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_a_running_server_neither_logs_nor_stores_a_secret(
    start: Start, tmp_path: Path, access_format: str
) -> None:
    server = start(environment={"CODEGRANT_TOKENS_ACCESS_FORMAT": access_format})
    server.add_user("alice", "wonderland", "--email", "alice@people.test")
    witness = Witness(register(server, "app"))
    code = read_callback(witness.log_in())["code"]
    token = witness.redeem(code)
    witness.mistakes(code)
    secrets = all_secrets(witness)

    # While it runs: what was written last stands in the log beside the database.
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert {"codegrant.db", "codegrant.db-wal"} <= files.keys()
    key = files.pop("codegrant.db.key")
    stored = b"".join(files.values())
    for text in (code, witness.app.secret):
        assert digest_of(text) in stored
    assert (digest_of(token) in stored) is (access_format == "opaque")
    assert b"alice@people.test" in stored
    assert find_leaks(stored, secrets | {key.strip()}) == []

    stopped = server.stop()
    assert "code_replayed" in stopped.stderr
    assert find_leaks(stopped.stderr, secrets | {key.strip()}) == []
    assert "Traceback" not in stopped.stderr
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    del files["codegrant.db.key"]
    assert find_leaks(b"".join(files.values()), secrets | {key.strip()}) == []


class Everything(logging.Handler):
    """Keeps each record whole: message, arguments, facts, exception."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.names: set[str] = set()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name)
        whole = {name: value for name, value in vars(record).items() if name != "exc_info"}
        self.texts += [self.format(record), repr(whole)]

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@pytest.fixture
def everything() -> Iterator[Everything]:
    """Every logger of the process at DEBUG, and what all of them say."""
    handler = Everything()
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    loggers.append(logging.root)
    before = [(logger, logger.level, logger.propagate, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.propagate, logger.disabled = True, False
    logging.root.addHandler(handler)
    yield handler
    logging.root.removeHandler(handler)
    for logger, level, propagate, disabled in before:
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled


class Recording(ServerPerformer):
    """Keeps all entropy that a server draws."""

    __slots__ = ("drawn",)

    def __init__(self, store: SqliteStore, passwords: PasswordHasher) -> None:
        super().__init__(store, passwords)
        self.drawn: list[bytes] = []

    async def perform_async(self, effect: Effect[Any]) -> Any:
        answer = await super().perform_async(effect)
        if isinstance(effect, RandomBytes):
            self.drawn.append(answer)
        return answer


@contextmanager
def served_here(file: Path, client: ClientRecord) -> Iterator[tuple[str, list[bytes]]]:
    """Serve in a thread of this process; yield the issuer and the entropy that was drawn."""
    with (
        closing(PasswordHasher()) as passwords,
        SqliteStore.open(file) as store,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        performer = Recording(store, passwords)
        site = Site.build(Policy(issuer=issuer), KeyRing([KEY]))
        run(site.server.prepare(int(time.time())), performer.perform)
        performer.perform(AddAccount(account("alice")))
        performer.perform(AddClient(client))
        config = uvicorn.Config(
            ServerApp(site.respond, performer.perform_async),
            interface="asgi3",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        server = uvicorn.Server(config)
        serving = server.serve(sockets=[listener])
        # asyncio itself says most when it is debugged.
        thread = threading.Thread(target=lambda: asyncio.run(serving, debug=True), daemon=True)
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield issuer, performer.drawn
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def drawn_secrets(drawn: Sequence[bytes]) -> set[str | bytes]:
    """Return the secrets among the entropy: 32 bytes each; ids that may be seen come after."""
    raw = {data[:32] for data in drawn if len(data) >= 32}
    return {*raw, *(urlsafe_b64encode(data).rstrip(b"=") for data in raw)}


@pytest.mark.requirement("CO-LOG-01")
def test_at_debug_level_no_logger_of_server_or_client_tells_a_secret(
    tmp_path: Path, everything: Everything
) -> None:
    registered = ClientRecord(
        client_id="app",
        secret_digest=digest_of(CLIENT_SECRET),
        redirect_uris=("https://app.example/callback",),
    )
    with served_here(tmp_path / "codegrant.db", registered) as (issuer, drawn):
        app = RelyingParty(issuer, "app", CLIENT_SECRET, password=PASSWORDS["alice"])
        witness = Witness(app)
        by_hand = read_callback(witness.log_in())["code"]
        witness.redeem(by_hand)
        witness.mistakes(by_hand)

        client = Client(
            issuer, client_id="app", client_secret=CLIENT_SECRET, redirect_uri=app.redirect_uri
        )
        with client:
            login = client.start_login(scope="openid profile email")
            witness.secrets.add(sealed := login.seal(KeyRing([KEY])))
            callback = witness.see(witness.browser.get(login.url)).location
            tokens = client.finish_login(callback, login)
            assert client.userinfo(tokens).sub == "person-alice"
            assert client.api(tokens).get(f"{issuer}/userinfo").status_code == 200
            # The second time fails, and says why.
            with pytest.raises(Exception, match=r".+") as failure:
                client.finish_login(callback, login)
        witness.secrets |= {read_callback(callback)["code"], sealed, KEY}
        kept = (tokens.access_token, tokens.id_token, login.seed, login.code_verifier)
        witness.secrets |= {secret.reveal() for secret in kept if secret is not None}
    assert everything.names >= {"codegrant.events", "asyncio", "uvicorn.error"}
    assert "code_replayed" in everything.text
    secrets = all_secrets(witness) | drawn_secrets(drawn)
    assert find_leaks(everything.text, secrets) == []
    assert find_leaks(f"{failure.value} {failure.value!r} {tokens!r} {login!r}", secrets) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("before {raw} after", id="raw"),
        pytest.param("cookie=%22{quoted}%22", id="percent-encoded"),
        pytest.param('{{"token": "{json}"}}', id="JSON"),
        pytest.param("Basic {basic}=", id="base64 with what stands before it"),
        pytest.param("{hex}", id="hexadecimal"),
    ],
)
def test_the_search_finds_what_is_there(text: str) -> None:
    secret = 'se"cret+ with ü'
    digest = sha256(secret.encode()).hexdigest()
    forms = {
        "raw": secret,
        "quoted": "se%22cret%2B%20with%20%C3%BC",
        "json": 'se\\"cret+ with \\u00fc',
        "basic": basic("application", secret).removeprefix("Basic ").rstrip("="),
        "hex": secret.encode().hex(),
    }
    secrets = {secret, basic("application", secret).removeprefix("Basic ").rstrip("=")}
    assert find_leaks(text.format(**forms), secrets)
    assert not find_leaks(text.format(**dict.fromkeys(forms, digest)), secrets)
    assert all(len(spelling) > 6 for spelling in spellings(secret))
