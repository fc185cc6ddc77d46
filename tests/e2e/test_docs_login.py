"""The programs of the pages about Starlette, FastAPI, ASGI and WSGI, with a running server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import DOCUMENTS, example
from tests.support.login_sites import BASE, AsgiLogin, SiteBrowser, WsgiLogin
from tests.support.person import Person
from tests.support.serving import Serving


@pytest.fixture(params=["starlette", "fastapi", "asgi", "wsgi"])
def site(
    request: pytest.FixtureRequest,
    shared_server: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AsgiLogin | WsgiLogin]:
    name = str(request.param)
    registered = shared_server.add_client(name, redirect_uri=f"{BASE}/callback")
    monkeypatch.setenv("ISSUER", shared_server.issuer)
    monkeypatch.setenv("CLIENT_ID", name)
    monkeypatch.setenv("CLIENT_SECRET", registered["client_secret"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)
    page = "asgi-wsgi" if name in {"asgi", "wsgi"} else name
    (document,) = (file for file in DOCUMENTS if file.name == f"{page}.md")
    program = example(f"{name}_login.py", document)
    names: dict[str, Any] = {"__name__": name}
    exec(compile(program.text, program.name, "exec"), names)  # noqa: S102 - the documentation
    login = names["login"]
    if name == "wsgi":
        wsgi = WsgiLogin.__new__(WsgiLogin)
        wsgi.app, wsgi.login = names["app"], login
        yield wsgi
        wsgi.close()
        names["client"].close()
        return
    site = AsgiLogin(login._clients)
    site.app, site.login = names["app"], login
    yield site
    site.close()


def test_a_person_signs_in_and_the_api_answers(
    site: AsgiLogin | WsgiLogin, shared_server: Serving
) -> None:
    browser, person = SiteBrowser(site), Person(shared_server.issuer)
    subject = shared_server.run("users", "show", "alice").json["sub"]
    asked = browser.get("/profile")
    assert (asked.status, asked.location) == (303, "/login?return_to=%2Fprofile")
    callback = person.authorize(browser.get(asked.location).location)
    assert SiteBrowser(site).get(callback).code == "state_cookie_missing"
    for _ in range(2):  # reload, or the back button
        assert browser.get(callback).location == "/profile"
    assert subject in browser.get("/profile").text
    assert browser.post("/logout").location == "/"
    assert browser.get("/profile").status == 303
    assert "code_replayed" not in shared_server.log
