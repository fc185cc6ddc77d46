"""The project of `docs/django.md`, over WSGI and ASGI, with a running server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest

from tests.support.browser import Browser, Page
from tests.support.django_shop import SETTINGS, make_shop, manage, serve_asgi, serve_wsgi
from tests.support.documents import ROOT, example
from tests.support.program import WebProgram
from tests.support.relying_party import free_port
from tests.support.serving import Serving

MOST_LINES = 10


class Shop(NamedTuple):
    """A running project."""

    folder: Path
    program: WebProgram
    environment: dict[str, str]
    server: Serving

    def browser(self) -> Browser:
        return Browser(self.server.issuer, self.program.origin)

    def enter(self, browser: Browser, path: str) -> Page:
        """Ask for a page, and log in on the way there."""
        page = browser.get(f"{self.program.origin}{path}")
        if page.has("login-submit"):
            page = browser.log_in(page)
        return browser.allow(page) if page.has("consent-allow") else page

    def python(self, program: str) -> str:
        return manage(self.folder, self.environment, "shell", "-v", "0", "-c", program)


Open: TypeAlias = Callable[..., Shop]


@pytest.fixture
def open_shop(shared_server: Serving, tmp_path: Path, ca_file: str) -> Iterator[Open]:
    with ExitStack() as stack:

        def start(urls: str, settings: str, serve: Callable[..., WebProgram]) -> Shop:
            port = free_port()
            client_id = f"shop-{port}"
            registered: Any = shared_server.add_client(
                client_id, redirect_uri=f"http://127.0.0.1:{port}/callback"
            )
            environment = {
                "ISSUER": shared_server.issuer,
                "CLIENT_ID": client_id,
                "CLIENT_SECRET": registered["client_secret"],
                "SSL_CERT_FILE": ca_file,
            }
            folder = make_shop(tmp_path, urls, settings, environment)
            program = stack.enter_context(serve(folder, port, environment))
            return Shop(folder, program, environment, shared_server)

        yield start


def test_a_login_for_django_takes_ten_lines() -> None:
    from tests.support.django_shop import DOCUMENT

    source = f"{SETTINGS[0]}{example('urls.py', DOCUMENT).text}"
    code = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
    calls = [line for line in code if "import" not in line and line.strip() != ")"]
    assert len(calls) <= MOST_LINES


@pytest.mark.parametrize(
    ("urls", "serve"),
    [("urls.py", serve_wsgi), ("async_urls.py", serve_asgi)],
    ids=["wsgi", "asgi"],
)
def test_a_person_signs_in_and_the_api_answers(
    open_shop: Open, urls: str, serve: Callable[..., WebProgram]
) -> None:
    shop = open_shop(urls, SETTINGS[0], serve)
    subject = shop.server.run("users", "show", "alice").json["sub"]
    browser = shop.browser()
    for _ in range(4):  # each request reaches another worker, perhaps
        assert f'"sub": "{subject}"' in shop.enter(browser, "/profile?a=b").text
    left = browser.post(f"{shop.program.origin}/logout", [], follow=False)
    assert left.location == f"{shop.program.origin}/"
    assert browser.get(f"{shop.program.origin}/profile", follow=False).status == 303
    assert "Traceback" not in shop.program.log
    kept = (shop.folder / "db.sqlite3").read_bytes()
    assert shop.environment["CLIENT_SECRET"].encode() not in kept
    assert "no issues" in manage(shop.folder, shop.environment, "check")
    said = manage(shop.folder, shop.environment, "makemigrations", "--check", "--dry-run")
    assert "No changes" in said


def test_djangos_user_is_who_is_signed_in(open_shop: Open) -> None:
    shop = open_shop("people_urls.py", "".join(SETTINGS), serve_wsgi)
    browser = shop.browser()
    refused = shop.enter(browser, "/profile")
    assert (refused.status, refused.text_of("error-code")) == (403, "no_account")
    subject = shop.server.run("users", "show", "alice").json["sub"]
    shop.python(
        "from django.contrib.auth.models import User\n"
        "from codegrant.web.django.models import Account\n"
        "user = User.objects.create_user('alice', is_staff=True)\n"
        f"Account.objects.create(user=user, issuer={shop.server.issuer!r}, subject={subject!r})"
    )
    assert shop.enter(browser, "/profile").text == '{"user": "alice"}'
    page = shop.enter(shop.browser(), "/admin/")
    assert (page.url, page.status) == (f"{shop.program.origin}/admin/", 200)
    assert "deleted 0" in manage(shop.folder, shop.environment, "clearlogins")
    assert "no issues" in manage(shop.folder, shop.environment, "check")
    assert "Traceback" not in shop.program.log


def test_the_page_names_every_check() -> None:
    from tests.support.django_shop import DOCUMENT

    source = (ROOT / "src" / "codegrant" / "web" / "django" / "checks.py").read_text()
    ids = {part.partition('"')[0] for part in source.split('id="')[1:]}
    assert len(ids) == 13
    text = DOCUMENT.read_text()
    assert {one for one in ids if f"| `{one}` |" not in text} == set()
