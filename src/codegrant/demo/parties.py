"""Starting the three parties on loopback, and ending them without a trace. Layer: demo."""

from __future__ import annotations

import platform
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from secrets import token_urlsafe
from socket import socket
from tempfile import TemporaryDirectory
from typing import NamedTuple

from codegrant import __version__
from codegrant.accounts.hashing import PasswordHasher
from codegrant.accounts.people import add_account, person_of
from codegrant.accounts.site import Site
from codegrant.client.facade import Client
from codegrant.demo.api import PROFILE_PATH, build_api
from codegrant.demo.application import RECORDED_PATHS, build_application
from codegrant.demo.recording import Party, Recorder
from codegrant.demo.running import run_asgi, run_wsgi
from codegrant.demo.steps import Setup
from codegrant.demo.wire import record_asgi, record_wsgi
from codegrant.errors import ConfigurationError
from codegrant.flow import run
from codegrant.messages.json import JsonValue
from codegrant.resource import ResourceServer
from codegrant.rules.scope import format_scope
from codegrant.sealing import KeyRing
from codegrant.secret import Secret
from codegrant.server.administration import AddClient, AddResource
from codegrant.server.policy import Policy
from codegrant.server.records import ClientRecord, Person, ResourceRecord
from codegrant.stores.sqlite import SqliteStore
from codegrant.web.asgi import ServerApp
from codegrant.web.listening import bind, listen
from codegrant.web.login_cookies import LoginCookies
from codegrant.web.performer import ServerPerformer

__all__ = ["EMAIL", "NAME", "PASSWORD", "USERNAME", "Parties", "start_parties"]

USERNAME, PASSWORD = "alice", "wonderland"
NAME, EMAIL = "Alice Liddell", "alice@example.org"

_LOOPBACK = "127.0.0.1"
_FIRST_PORT = 8400
_CLIENT_ID = "demo-app"
_SCOPE = ("openid", "profile", "email")
_PACKAGES = ("cryptography", "httpx2", "flask", "uvicorn")
# The stylesheet is no part of the conversation.
_UNRECORDED = frozenset({"/style.css", "/healthz", "/readyz", "/favicon.ico"})


class Parties(NamedTuple):
    """The three parties, running.

    Attributes:
        application: URL without a path, and so are the others.
        setup: what was there before anybody logged in.
        recorder: knows what they said since.
    """

    application: str
    issuer: str
    api: str
    setup: Setup
    recorder: Recorder


@contextmanager
def start_parties(
    *,
    application_host: str = _LOOPBACK,
    server_host: str = _LOOPBACK,
    api_host: str = _LOOPBACK,
    port: int | None = 0,
) -> Generator[Parties, None, None]:
    """Run authorization server, application and API until the end of the `with`.

    Args:
        application_host: a loopback host; also the name that browsers know it by.
        server_host: as `application_host`, and so is `api_host`.
        port: of the application; 0 for any free one, None for 8400 or the next free one.

    Raises:
        ConfigurationError: the port is taken, or a host is not this machine.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="codegrant-demo-")))
        application_socket = stack.enter_context(_listen(application_host, port))
        server_socket = stack.enter_context(_listen(server_host, 0))
        api_socket = stack.enter_context(_listen(api_host, 0))
        application = _url(application_host, application_socket)
        issuer, api = _url(server_host, server_socket), _url(api_host, api_socket)

        secret = Secret(token_urlsafe(32))
        record = _client_record(application, api, secret)
        recorder = Recorder(LoginCookies(application, [_CLIENT_ID]).session)

        store = stack.enter_context(SqliteStore(folder / "server.db"))
        passwords = PasswordHasher()
        stack.callback(passwords.close)
        performer = ServerPerformer(store, passwords)
        site = Site.build(Policy(issuer=issuer), _new_key_ring())
        person = _prepare(site, performer, record)
        server_app = record_asgi(
            ServerApp(site.respond, performer.perform_async), recorder, Party.SERVER, _UNRECORDED
        )
        stack.enter_context(run_asgi(server_app, server_socket))

        resource_server = ResourceServer(issuer, audience=api)
        stack.callback(resource_server.close)
        known = {name: person.claims[name] for name in ("name", "email")}
        api_app = build_api(resource_server, {person.subject: known})
        stack.enter_context(
            run_wsgi(record_wsgi(api_app, recorder, Party.API, {PROFILE_PATH}), api_socket)
        )

        client = stack.enter_context(
            Client(
                issuer,
                client_id=_CLIENT_ID,
                client_secret=secret,
                scope=_SCOPE,
                api_origins=[api],
            )
        )
        setup = Setup(
            versions=_find_versions(),
            client=_registered(record),
            issuer=issuer,
            api_url=api + PROFILE_PATH,
            username=USERNAME,
            password=PASSWORD,
        )
        app = build_application(
            client,
            setup,
            recorder,
            public_url=application,
            store=stack.enter_context(SqliteStore(folder / "application.db")),
            key_ring=_new_key_ring(),
        )
        stack.enter_context(
            run_wsgi(
                record_wsgi(app, recorder, Party.APPLICATION, RECORDED_PATHS), application_socket
            )
        )
        yield Parties(application, issuer, api, setup, recorder)


def _prepare(site: Site, performer: ServerPerformer, client: ClientRecord) -> Person:
    """Fill the empty database of the authorization server, and return the one person in it."""
    now = int(time.time())
    run(site.server.prepare(now), performer.perform)
    (audience,) = client.audiences
    resource = ResourceRecord(audience=audience, resource_id="demo-api", created_at=now)
    performer.perform(AddResource(resource))
    performer.perform(AddClient(client))
    flow = add_account(USERNAME, Secret(PASSWORD), now, email=EMAIL, name=NAME)
    return person_of(run(flow, performer.perform))


def _client_record(application: str, api: str, secret: Secret) -> ClientRecord:
    now = int(time.time())
    return ClientRecord(
        client_id=_CLIENT_ID,
        client_name="Demo application",
        secret_digest=secret.digest(),
        redirect_uris=(f"{application}/callback",),
        grant_types=("authorization_code",),
        scope=_SCOPE,
        audiences=(api,),
        id_token_signed_response_alg="ES256",
        created_at=now,
        updated_at=now,
    )


def _registered(client: ClientRecord) -> dict[str, JsonValue]:
    """Return a client by the names of RFC 7591 §2; that it has a secret, and no secret."""
    return {
        "client_id": client.client_id,
        "client_secret": "***",
        "client_name": client.client_name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": list(client.grant_types),
        "response_types": ["code"],
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "scope": format_scope(client.scope),
    }


def _listen(host: str, port: int | None) -> socket:
    """Return a listening socket; see `start_parties`."""
    wanted = _FIRST_PORT if port is None else port
    while True:
        try:
            return _listen_at(host, wanted)
        except ConfigurationError as error:
            if port is not None or error.code != "port_taken":
                raise
        wanted += 1


def _listen_at(host: str, port: int) -> socket:
    listener = bind(host, port)
    try:
        listen(listener)
    except ConfigurationError:
        listener.close()
        raise
    return listener


def _url(host: str, listener: socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _new_key_ring() -> KeyRing:
    return KeyRing([token_urlsafe(32)])


def _find_versions() -> dict[str, str]:
    """Return the versions of what the demo is made of."""
    found = {"codegrant": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
