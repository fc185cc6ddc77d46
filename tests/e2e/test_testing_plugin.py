"""The pytest plugin in projects of its users, and the examples of `docs/testing.md`."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from codegrant.testing import Faults
from tests.support.documents import ROOT, example, read_examples

DOCUMENT = ROOT / "docs" / "testing.md"


def run_python(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), **variables}
    environment.pop("CODEGRANT_SECRET", None)
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run_pytest(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # A checkout that was installed before there was a plugin does not announce it.
    known = any(one.name == "codegrant" for one in entry_points(group="pytest11"))
    plugin = [] if known else ["-p", "codegrant.testing.plugin"]
    plain = ["-p", "no:cacheprovider", "-W", "error", "--color=no"]
    return run_python(folder, "-m", "pytest", *plugin, *plain, *arguments, **variables)


def test_the_projects_of_the_documentation_pass(tmp_path: Path) -> None:
    for one in read_examples(DOCUMENT):
        if one.name:
            one.write(tmp_path)
    done = run_pytest(tmp_path, "-v")
    assert done.returncode == 0, done.stdout
    names = [one.name for one in read_examples(DOCUMENT) if one.name.startswith("test_")]
    assert len(names) >= 6
    for name in names:
        assert f"{name}::" in done.stdout


@pytest.mark.parametrize(
    ("name", "prints"),
    [
        ("login_without_pytest.py", "alice@example.org\n"),
        (
            "other_libraries.py",
            "hello from /httpx2\nhello from /httpx\nhello from /requests\n",
        ),
    ],
)
def test_the_examples_without_pytest_run(tmp_path: Path, name: str, prints: str) -> None:
    program = example(name, DOCUMENT).write(tmp_path)
    done = run_python(tmp_path, program.name)
    assert (done.returncode, done.stdout) == (0, prints), done.stderr


def test_the_documentation_names_every_fault() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    names = [name for name in vars(Faults) if not name.startswith("_") and name != "answer"]
    assert [name for name in names if f"| `{name}(" not in text] == []


def test_the_plugin_is_announced_to_pytest() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\ncodegrant = "codegrant.testing.plugin"\n' in text


def test_a_run_that_asks_for_nothing_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(
        "import sys\n"
        "def test_what_is_imported():\n"
        "    ours = {name for name in sys.modules if name.startswith('codegrant')}\n"
        "    assert ours <= {'codegrant', 'codegrant.testing', 'codegrant.testing.plugin'}, ours\n"
        "    assert not {'httpx2', 'cryptography', 'jinja2', 'sqlite3'} & sys.modules.keys()\n"
    )
    arguments = ["-m", "pytest", "-p", "codegrant.testing.plugin", "-p", "no:cacheprovider"]
    done = run_python(tmp_path, *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert done.returncode == 0, done.stdout


def test_the_fixtures_are_listed_with_what_they_are(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--fixtures")
    for name in ("codegrant_provider", "codegrant_issuer", "codegrant_clock", "login_as"):
        assert f"\n{name} --" in done.stdout


def test_a_request_that_nobody_serves_fails_the_test_that_sent_it(tmp_path: Path) -> None:
    (tmp_path / "test_quiet.py").write_text(
        "from contextlib import suppress\n"
        "from codegrant import Client, CodegrantError\n"
        "def test_swallows(codegrant_provider):\n"
        "    with suppress(CodegrantError):\n"
        "        Client('https://elsewhere.test', client_id='a').start_login(redirect_uri='b')\n"
        "def test_meant_it(codegrant_provider):\n"
        "    test_swallows(codegrant_provider)\n"
        "    codegrant_provider.wire.not_served.clear()\n"
        "def test_is_fine(codegrant_provider):\n"
        "    pass\n"
    )
    done = run_pytest(tmp_path)
    assert "3 passed, 1 error" in done.stdout
    assert "ERROR test_quiet.py::test_swallows" in done.stdout
    sent = "GET https://elsewhere.test/.well-known/openid-configuration"
    assert f"nothing serves what this test has sent:\n  {sent}\n" in done.stdout


def test_an_api_of_the_test_that_crashes_fails_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_loud.py").write_text(
        "from contextlib import suppress\n"
        "from codegrant import Client, CodegrantError\n"
        "def crash(request):\n"
        "    raise ZeroDivisionError('of the stand-in')\n"
        "def test_swallows(codegrant_provider):\n"
        "    codegrant_provider.serve('https://other.test', crash)\n"
        "    with suppress(CodegrantError):\n"
        "        Client('https://other.test', client_id='a').start_login(redirect_uri='b')\n"
        "def test_meant_it(codegrant_provider):\n"
        "    test_swallows(codegrant_provider)\n"
        "    codegrant_provider.wire.failures.clear()\n"
    )
    done = run_pytest(tmp_path)
    assert "2 passed, 1 error" in done.stdout
    assert "what this test serves has failed:" in done.stdout
    assert "ZeroDivisionError: of the stand-in" in done.stdout


def test_settings_name_the_issuer_and_what_may_be_reached(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\n"
        "codegrant_issuer = https://accounts.example\n"
        "codegrant_let_out =\n    http://127.0.0.1:1\n    http://127.0.0.1:2\n"
    )
    (tmp_path / "test_settings.py").write_text(
        "import pytest\n"
        "from codegrant import Client, TransportError\n"
        "def test_issuer(codegrant_provider):\n"
        "    assert codegrant_provider.issuer == 'https://accounts.example'\n"
        "@pytest.mark.parametrize('port', [1, 2])\n"
        "def test_let_out(codegrant_provider, port):\n"
        "    with pytest.raises(TransportError) as caught:\n"
        "        Client(f'http://127.0.0.1:{port}', client_id='a').start_login(redirect_uri='b')\n"
        "    assert caught.value.code == 'connect_failed'\n"
    )
    done = run_pytest(tmp_path)
    assert "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("given", ["no", "https://accounts.example?x=1", "http://accounts.example"])
def test_an_issuer_that_is_none_is_told(tmp_path: Path, given: str) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ncodegrant_issuer = {given}\n")
    (tmp_path / "test_it.py").write_text("def test_it(codegrant_provider):\n    pass\n")
    done = run_pytest(tmp_path)
    assert done.returncode == 1
    assert "ConfigurationError: issuer" in done.stdout, done.stdout


def test_a_plugin_that_is_switched_off_is_off(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(codegrant_provider):\n    pass\n")
    done = run_pytest(tmp_path, "-p", "no:codegrant", "-p", "no:codegrant.testing.plugin")
    assert "fixture 'codegrant_provider' not found" in done.stdout


def test_a_run_leaves_the_data_of_the_applications_alone(tmp_path: Path) -> None:
    project, state, temporary = tmp_path / "project", tmp_path / "state", tmp_path / "temporary"
    for folder in (project, state, temporary):
        folder.mkdir()
    (project / "test_shop.py").write_text(
        "from pathlib import Path\n"
        "import pytest\n"
        "from fastapi import FastAPI\n"
        "from fastapi.testclient import TestClient\n"
        "from flask import Flask\n"
        "from codegrant import AsyncClient, Client\n"
        "from codegrant.web import fastapi, flask\n"
        "\n"
        "def make_shop(**arguments):\n"
        "    app = Flask('shop', **arguments)\n"
        "    app.secret_key = 's' * 40\n"
        "    client = Client('https://issuer.test', client_id='shop', client_secret='s' * 40)\n"
        "    login = flask.Login(app, client)\n"
        "    app.add_url_rule('/', 'home', login.required(lambda: login.identity.subject))\n"
        "    return app, client\n"
        "\n"
        "@pytest.mark.parametrize('n', range(2))\n"
        "def test_flask(codegrant_provider, n):\n"
        "    (shop, client), (again, _) = make_shop(), make_shop()\n"
        "    codegrant_provider.register(client, redirect_uri='http://localhost/callback')\n"
        "    browser, later = shop.test_client(), again.test_client()\n"
        "    codegrant_provider.login_as(browser)\n"
        "    later._cookies = browser._cookies\n"
        "    assert later.get('/').text == codegrant_provider.find_person('alice').subject\n"
        "\n"
        "def test_fastapi(codegrant_provider):\n"
        "    app = FastAPI()\n"
        "    issuer = 'https://issuer.test'\n"
        "    client = AsyncClient(issuer, client_id='shop', client_secret='s' * 40)\n"
        "    fastapi.Login(app, client)\n"
        "    codegrant_provider.register(client, redirect_uri='https://shop.test/callback')\n"
        "    with TestClient(app, base_url='https://shop.test') as browser:\n"
        "        codegrant_provider.login_as(browser)\n"
        "\n"
        "def test_a_folder_of_the_test(codegrant_provider, tmp_path):\n"
        "    shop, client = make_shop(instance_path=str(tmp_path))\n"
        "    codegrant_provider.register(client, redirect_uri='http://localhost/callback')\n"
        "    codegrant_provider.login_as(shop.test_client())\n"
        "    assert (tmp_path / 'codegrant.db').exists()\n"
    )
    done = run_pytest(project, "-q", TMPDIR=str(temporary), XDG_STATE_HOME=str(state))
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert [path.name for path in project.iterdir() if path.name != "__pycache__"] == [
        "test_shop.py"
    ]
    assert list(state.iterdir()) == []
    assert [path.name for path in temporary.iterdir() if path.name.startswith("codegrant")] == []


def test_an_application_for_the_whole_run_shares_the_clock_of_each_provider(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(
        "import time\n"
        "import pytest\n"
        "from flask import Flask\n"
        "from codegrant import Client\n"
        "from codegrant.testing import MovableClock\n"
        "from codegrant.web.flask import Login\n"
        "\n"
        "@pytest.fixture(scope='session')\n"
        "def codegrant_clock():\n"
        "    return MovableClock()\n"
        "\n"
        "@pytest.fixture(scope='session')\n"
        "def shop(codegrant_clock, tmp_path_factory):\n"
        "    app = Flask('shop', instance_path=str(tmp_path_factory.mktemp('shop')))\n"
        "    app.secret_key = 's' * 40\n"
        "    made = {'client_id': 'shop', 'client_secret': 's' * 40, 'clock': codegrant_clock}\n"
        "    client = Client('https://issuer.test', **made)\n"
        "    login = Login(app, client, clock=codegrant_clock, session_lifetime=3600)\n"
        "    app.add_url_rule('/', 'home', login.required(lambda: login.identity.subject))\n"
        "    return app, client\n"
        "\n"
        "@pytest.mark.parametrize('n', range(3))\n"
        "def test_an_hour(shop, codegrant_provider, codegrant_clock, login_as, n):\n"
        "    app, client = shop\n"
        "    assert codegrant_provider.clock is codegrant_clock\n"
        "    assert abs(codegrant_clock() - time.time()) < 60\n"
        "    codegrant_clock.stop()\n"
        "    codegrant_provider.register(client, redirect_uri='http://localhost/callback')\n"
        "    browser = app.test_client()\n"
        "    login_as(browser)\n"
        "    codegrant_clock.advance(3599)\n"
        "    assert browser.get('/').status_code == 200\n"
        "    codegrant_clock.advance(2)\n"
        "    assert browser.get('/').status_code == 303\n"
    )
    done = run_pytest(tmp_path)
    assert "3 passed" in done.stdout, done.stdout
