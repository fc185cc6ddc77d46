"""The programs of the pages about Flask, Starlette, FastAPI, ASGI and WSGI, with a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import DOCUMENTS, example
from tests.support.login_sites import BASE, AsgiLogin, FlaskLogin, SiteBrowser, WsgiLogin
from tests.support.person import Person
from tests.support.serving import Serving


@pytest.fixture(params=["flask", "starlette", "fastapi", "asgi", "wsgi"])
def site(
    request: pytest.FixtureRequest,
    shared_server: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[AsgiLogin | FlaskLogin | WsgiLogin]:
    name = str(request.param)
    client_id = f"{name}-{request.function.__name__}"
    registered = shared_server.add_client(client_id, redirect_uri=f"{BASE}/callback")
    monkeypatch.setenv("ISSUER", shared_server.issuer)
    monkeypatch.setenv("CLIENT_ID", client_id)
    monkeypatch.setenv("CLIENT_SECRET", registered["client_secret"])
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", "k" * 40)
    monkeypatch.delenv("CODEGRANT_SECRET", raising=False)
    monkeypatch.chdir(tmp_path)  # where the instance folder is made
    page = "asgi-wsgi" if name in {"asgi", "wsgi"} else name
    (document,) = (file for file in DOCUMENTS if file.name == f"{page}.md")
    program = example("flask_app.py" if name == "flask" else f"{name}_login.py", document)
    names: dict[str, Any] = {"__name__": name}
    exec(compile(program.text, program.name, "exec"), names)  # noqa: S102 - the documentation
    login = names["login"]
    if name == "flask":
        flask = FlaskLogin.__new__(FlaskLogin)
        flask.app, flask.login = names["app"], login
        yield flask
        flask.close()
        names["client"].close()
        return
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
    site: AsgiLogin | FlaskLogin | WsgiLogin, shared_server: Serving
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


@pytest.mark.parametrize("site", ["flask"], indirect=True)
def test_the_open_page_of_flask_offers_what_is_next(
    site: FlaskLogin, shared_server: Serving
) -> None:
    browser, person = SiteBrowser(site), Person(shared_server.issuer)
    assert 'href="/login?return_to=%2Fprofile"' in browser.get("/").text
    started = browser.get("/login?return_to=%2Fprofile")
    assert browser.get(person.authorize(started.location)).location == "/profile"
    page = browser.get("/").text
    assert "person-" in page
    assert 'method="post" action="/logout"' in page
