"""What README tells a newcomer to do, done: its commands, then its programs, one after another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from codegrant import Client
from tests.support.browser import Browser
from tests.support.documents import example, shell_lines
from tests.support.person import Person
from tests.support.program import WebProgram, run_program
from tests.support.relying_party import free_port, send
from tests.support.serving import Serving, clean_environment

PASSWORD = "wonderland"
SECRET = "the application's own secret of 32 characters and more"


class Newcomer:
    """Somebody who follows README in an empty folder; only the two ports are others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.redirect_uri = f"http://127.0.0.1:{self.port}/callback"
        add_user, add_client, serve = shell_lines("codegrant users add")
        self.type(add_user, PASSWORD)
        registered = json.loads(self.type(add_client))
        assert serve == "codegrant serve"
        self.server = Serving(folder)
        self.environment: Mapping[str, str] = {
            "CLIENT_ID": registered["client_id"],
            "CLIENT_SECRET": registered["client_secret"],
        }

    def type(self, line: str, answer: str = "") -> str:
        """Run a line of a shell block and return its output."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", line.replace(":5000/", f":{self.port}/")],
            cwd=self.folder,
            env=clean_environment({"PATH": path}),
            input=f"{answer}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stdout

    def run(self, name: str) -> WebProgram:
        """Return the running Flask program that README calls `name`."""
        source = example(name).write(self.folder)
        return WebProgram.flask(source, self.folder, self.port, self.settings)

    @property
    def settings(self) -> Mapping[str, str]:
        return {**self.environment, "ISSUER": self.server.issuer}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    newcomer = Newcomer(tmp_path_factory.mktemp("newcomer"))
    with newcomer.server.start():
        yield newcomer


@pytest.mark.parametrize("secret", ["", SECRET], ids=["no secret set", "SECRET set"])
def test_the_flask_login_signs_a_person_in(newcomer: Newcomer, secret: str) -> None:
    newcomer.environment = {**newcomer.environment, "CODEGRANT_SECRET": secret}
    with newcomer.run("app.py") as program:
        browser = Browser(program.origin, newcomer.server.issuer)
        page = browser.log_in(browser.get(f"{program.origin}/profile"))
        if page.has("consent-allow"):
            page = browser.allow(page)
        assert page.url == f"{program.origin}/profile"
        assert json.loads(page.text)["name"] == "Alice Liddell"
    with newcomer.run("app.py"):  # a restart
        assert browser.get(f"{program.origin}/profile").status == 200
        assert Browser().get(f"{program.origin}/profile").status == 303


def test_the_six_steps_run_in_a_terminal(newcomer: Newcomer) -> None:
    source = example("six_steps.py").text.replace(":5000/", f":{newcomer.port}/")
    with run_program(source, newcomer.folder, newcomer.settings) as program:
        assert program.stdout is not None
        url = program.stdout.readline().rpartition(" ")[2].strip()
        callback_url = Person(newcomer.server.issuer).authorize(url)
        output, _ = program.communicate(f"{callback_url}\n", timeout=30)
    assert output.endswith("Hello, Alice Liddell\n")
    assert program.returncode == 0


def test_a_login_by_hand_written_metadata_has_no_nonce(newcomer: Newcomer) -> None:
    with run_program(
        example("plain_oauth2.py").text, newcomer.folder, newcomer.settings
    ) as program:
        output, _ = program.communicate(timeout=30)
    assert output.startswith("https://example.com/oauth/authorize?")
    assert "code_challenge_method=S256" in output
    assert "nonce=" not in output


def test_the_api_takes_its_own_tokens_and_no_others(newcomer: Newcomer) -> None:
    for line in shell_lines("codegrant resources add"):
        newcomer.type(line)
    client = Client(
        newcomer.server.issuer,
        client_id=newcomer.environment["CLIENT_ID"],
        client_secret=newcomer.environment["CLIENT_SECRET"],
        redirect_uri=newcomer.redirect_uri,
    )
    person = Person(newcomer.server.issuer)

    def log_in(scope: str) -> str:
        login = client.start_login(resource="https://api.example", scope=scope)
        tokens = client.finish_login(person.authorize(login.url), login)
        return f"Bearer {tokens.access_token.reveal()}"

    with newcomer.run("api.py") as program:
        url = f"{program.origin}/notes"
        good = send("GET", url, headers={"authorization": log_in("openid read")})
        weak = send("GET", url, headers={"authorization": log_in("openid")})
        none = send("GET", url)
    client.close()
    assert (good.status, good.json["owner"][:7]) == (200, "person-")
    assert (weak.status, weak.headers["www-authenticate"].count("insufficient_scope")) == (403, 1)
    assert (none.status, none.headers["www-authenticate"][:6]) == (401, "Bearer")
