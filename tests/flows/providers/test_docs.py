"""The pages about providers: true to the data, and their programs run at the personas."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from codegrant import Client, Tokens
from codegrant.providers import IDS, find_entry
from codegrant.testing.personas import Person
from codegrant.testing.wire import Wire
from tests.support.documents import ROOT, example, read_examples
from tests.support.personas import (
    APPLE_KEY,
    CLIENT_ID,
    SECRET,
    TENANT,
    VARIABLES,
    make_persona,
)
from tests.support.provider_index import INDEX, write

PAGES = ROOT / "docs" / "providers"
MOST_USED = IDS[:10]
WITHOUT_HTTP = {"apple", "slack"}
REDIRECT = "/callback"


def test_the_index_is_the_catalogue() -> None:
    assert INDEX.read_text(encoding="utf-8") == write()


def test_the_ten_most_used_have_a_page_each_and_bluesky_as_well() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == {*MOST_USED, "bluesky", "index"}


@pytest.mark.parametrize("name", MOST_USED)
def test_a_page_has_its_steps_its_redirect_uri_and_what_is_special(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    for heading in ("## At the provider", "## In the program", "## What is special"):
        assert text.count(f"\n{heading}\n") == 1
    assert "```text\nhttps://app.example/callback\n```" in text
    assert f"https://app.example/callback/{name}" in text
    unverified = find_entry(name).provider.unverified
    assert all(f"\n- {one}\n" in text for one in unverified)
    assert ("## Unverified" in text) is bool(unverified)
    local = "http://127.0.0.1:5000/callback" in text
    assert local is (name not in WITHOUT_HTTP | {"facebook"})


def load(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the program of a page as its reader would, and return its names."""
    prefix = name.upper()
    monkeypatch.setenv(f"{prefix}_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv(f"{prefix}_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("MICROSOFT_TENANT", TENANT)
    monkeypatch.setenv("APPLE_TEAM_ID", VARIABLES["apple"]["team_id"])
    monkeypatch.setenv("APPLE_KEY_ID", VARIABLES["apple"]["key_id"])
    (folder / "key.p8").write_text(APPLE_KEY)
    monkeypatch.setenv("APPLE_KEY_FILE", str(folder / "key.p8"))
    monkeypatch.setenv("CODEGRANT_SECRET", "k" * 40)
    source = example(f"{name}_app.py", PAGES / f"{name}.md").text
    names: dict[str, Any] = {"__name__": f"{name}_app", "__file__": str(folder / "app.py")}
    source = source.replace("Flask(__name__)", f"Flask(__name__, instance_path={str(folder)!r})")
    exec(compile(source, f"{name}_app.py", "exec"), names)  # noqa: S102 - the page's own
    return names


def follow(browser: FlaskClient, url: str, base: str) -> Any:
    parts = urlsplit(url)
    return browser.get(f"{parts.path}?{parts.query}", base_url=base)


@pytest.mark.parametrize("name", MOST_USED)
def test_the_program_of_a_page_logs_somebody_in(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "https://app.example" if name in WITHOUT_HTTP else "http://127.0.0.1:5000"
    persona = make_persona(name, redirect_uri=base + REDIRECT)
    with Wire() as wire:
        persona.serve(wire)
        names = load(name, tmp_path, monkeypatch)
        browser = names["app"].test_client()
        start = browser.get("/", base_url=base)
        assert start.status_code == 303
        sent = follow(browser, start.location, base)
        if persona.facts.form_post:
            _, form = persona.authorize_form(sent.location)
            kind = "application/x-www-form-urlencoded"
            back = browser.post(REDIRECT, base_url=base, data=form, content_type=kind)
        else:
            back = follow(browser, persona.authorize(sent.location), base)
        assert back.status_code == 303, back.text
        home = follow(browser, back.location, base)
        assert home.status_code == 200, home.text
        assert home.json == {"name": Person().name, "email": Person().email}
        for kept in names["app"].extensions["codegrant.login"].values():
            getattr(kept, "close", lambda: None)()


def test_the_program_for_bluesky_publishes_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = "https://app.example"
    monkeypatch.setenv("HOME_URL", base)
    with Wire() as wire:
        names = load("bluesky", tmp_path, monkeypatch)
        browser = names["app"].test_client()
        about = browser.get("/client.json", base_url=base).json
        (redirect_uri,) = about["redirect_uris"]
        persona = make_persona("bluesky", client_id=about["client_id"], redirect_uri=redirect_uri)
        assert about["client_id"] == f"{base}/client.json"
        assert set(about["scope"].split()) <= set(persona.facts.scopes)
        persona.serve(wire)
        sent = follow(browser, browser.get("/", base_url=base).location, base)
        back = follow(browser, persona.authorize(sent.location), base)
        assert back.status_code == 303, back.text
        home = follow(browser, back.location, base)
        assert home.json == {"did": persona.facts.subject(Person())}
        for kept in names["app"].extensions["codegrant.login"].values():
            getattr(kept, "close", lambda: None)()


def test_the_script_for_google_asks_for_consent_only_when_it_must() -> None:
    names: dict[str, Any] = {}
    source = example("google_script.py", PAGES / "google.md").text
    exec(compile(source, "google_script.py", "exec"), names)  # noqa: S102 - the page's own
    persona = make_persona("google", redirect_uri="https://app.example/callback")
    client = Client(
        "google",
        client_id=CLIENT_ID,
        client_secret=SECRET,
        redirect_uri="https://app.example/callback",
        offline=True,
    )
    stored: Tokens | None = None
    with Wire() as wire, client:
        persona.serve(wire)
        for asked in (True, False, True):
            login = names["start_login"](client, stored)
            assert ("prompt=consent" in login.url) is asked
            tokens = client.finish_login(persona.authorize(login.url), login)
            assert (tokens.refresh_token is not None) is asked
            stored = tokens if asked and stored is None else None


def test_every_program_of_these_pages_is_run_here() -> None:
    found = [one.name for page in PAGES.glob("*.md") for one in read_examples(page)]
    named = {name for name in found if name}
    assert named == {f"{name}_app.py" for name in (*MOST_USED, "bluesky")} | {"google_script.py"}
