"""`codegrant demo` as people start it: what it prints, how it ends, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.serving import Finished, clean_environment, codegrant

TITLES = [
    "step 1: install",
    "step 2: set up client credentials",
    "step 3: redirect to the authorization endpoint",
    "step 4: handle the callback",
    "step 5: exchange the code for an access token",
    "step 6: call the protected API",
]
FIRST_LINE = re.compile(r"codegrant: demo at (http://127\.0\.0\.1:([0-9]+))/\n")
PATIENCE = 30


def temporary(folder: Path) -> Mapping[str, str]:
    """Return what makes a process put its temporary files into `folder`."""
    folder.mkdir(exist_ok=True)
    return {"TMPDIR": str(folder)}


class Demo:
    """A running demo: the address of its application, and the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self.stdout, self.stderr = process.stdout, process.stderr
        first = FIRST_LINE.fullmatch(self.stdout.readline())
        assert first is not None, self.stderr.read()
        self.application, self.port = first[1], int(first[2])

    def stop(self, number: int) -> Finished:
        self.process.send_signal(number)
        stdout, stderr = self.process.communicate(timeout=PATIENCE)
        return Finished(self.process.returncode, stdout, stderr)


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    process = subprocess.Popen(
        [sys.executable, "-m", "codegrant", "demo", *arguments],
        cwd=folder,
        env=clean_environment(temporary(folder / "tmp")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Demo(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A headless demo from its start to its end."""
    folder = tmp_path_factory.mktemp("headless")
    environment = temporary(folder / "tmp")
    finished = codegrant(
        "demo", "--headless", "--port", "0", folder=folder, environment=environment
    )
    assert list((folder / "tmp").iterdir()) == [], "the temporary folder is still there"
    assert {path.name for path in folder.iterdir()} == {"tmp"}, "it wrote into the current folder"
    return finished


@pytest.fixture(scope="module")
def steps(played: Finished) -> list[str]:
    """The text of each step."""
    return re.split(r"^(?=step |codegrant: demo finished)", played.stdout, flags=re.MULTILINE)[1:-1]


def test_headless_plays_the_six_steps_in_order_and_says_so(played: Finished) -> None:
    lines = played.stdout.splitlines()
    assert (played.status, played.stderr) == (0, "")
    assert FIRST_LINE.fullmatch(f"{lines[0]}\n")
    assert [line for line in lines if re.match(r"^step [1-6]: ", line)] == TITLES
    assert lines[-1] == "codegrant: demo finished"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        pytest.param(1, ["codegrant 0.", "Python 3.", "httpx2 ", "cryptography "], id="versions"),
        pytest.param(2, ['"client_id": "demo-app"', '"client_secret": "***"'], id="client"),
        pytest.param(2, ['"redirect_uris": [', '"scope": "openid profile email"'], id="its rights"),
        pytest.param(3, ["GET /login", "/authorize", "&code_challenge_method=S256"], id="request"),
        pytest.param(3, ["&username=alice", "&password=***", "&decision=allow"], id="the person"),
        pytest.param(3, ["(a page: Sign in to Demo application)"], id="the pages"),
        pytest.param(4, ["GET /callback", "?code=***", "&state=***", "&iss=http"], id="callback"),
        pytest.param(4, ["303 See Other", "Location: /profile"], id="the way on"),
        pytest.param(
            5, ["POST /token", "Authorization: Basic ***", "&code_verifier=***"], id="ask"
        ),
        pytest.param(5, ['"access_token": "***"', '"id_token": "***"', "GET /jwks"], id="tokens"),
        pytest.param(6, ["Authorization: Bearer ***", "200 OK"], id="API call"),
        pytest.param(6, ["Alice Liddell", "alice@example.org"], id="profile"),
    ],
)
def test_each_step_is_followed_by_what_was_said(
    steps: list[str], step: int, said: list[str]
) -> None:
    assert [text for text in said if text not in steps[step - 1]] == []


@pytest.mark.parametrize(
    ("step", "speakers"),
    [
        pytest.param(3, ["browser -> application", "authorization server -> browser"], id="3"),
        pytest.param(4, ["browser -> application", "application -> browser"], id="4"),
        pytest.param(5, ["application -> authorization server"], id="5"),
        pytest.param(6, ["application -> API", "API -> authorization server"], id="6"),
    ],
)
def test_it_is_told_who_said_it(steps: list[str], step: int, speakers: list[str]) -> None:
    lines = steps[step - 1].splitlines()
    assert [text for text in speakers if f"  {text}" not in lines] == []


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(r"wonderland", id="password"),
        pytest.param(r"[A-Za-z0-9_-]{32,}", id="anything like a code, token, state or verifier"),
        pytest.param(r"eyJ", id="the start of a JWT"),
        pytest.param(r"\$argon2", id="password hash"),
        pytest.param(
            r"(?:code|state|nonce|csrf|transaction|code_verifier|password)=(?!\*\*\*$)[^\n]",
            id="parameter",
        ),
        pytest.param(r"cg-[a-z0-9-]+=(?!\*\*\*)", id="cookie"),
        pytest.param(r"(?:Basic|Bearer) (?!\*\*\*$)[^\n]", id="credentials"),
        pytest.param(r"[\x00-\x09\x0b-\x1f\x7f]", id="control character"),
    ],
)
def test_no_secret_is_printed(played: Finished, secret: str) -> None:
    text = played.stdout.replace('"token_type": "Bearer"', "")
    assert re.findall(secret, text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path, "--port", "0") as running:
        assert list((tmp_path / "tmp").iterdir()) != []
        assert running.stdout.readline() == "log in as alice / wonderland; stop with Ctrl-C\n"
        page = Browser(running.application).get(running.application)
        assert page.status == 200
        finished = running.stop(number)
    assert finished == Finished(0, "", "")
    assert list((tmp_path / "tmp").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"tmp"}


def test_a_second_demo_takes_the_next_free_port(tmp_path: Path) -> None:
    with demo(tmp_path) as first, demo(tmp_path) as second:
        assert 8400 <= first.port < second.port
        first.stop(signal.SIGTERM)
        second.stop(signal.SIGTERM)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("more", [[], ["--headless"]], ids=["shown", "headless"])
def test_a_taken_port_is_one_line(tmp_path: Path, more: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = temporary(tmp_path / "tmp")
        refused = codegrant(
            "demo", *more, "--port", str(port), folder=tmp_path, environment=environment
        )
    assert refused.status == 1
    assert refused.error == (
        f"codegrant: port: {port} is taken on 127.0.0.1, choose another (0 is any free one)"
    )
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_wrong_usage(tmp_path: Path, port: str) -> None:
    refused = codegrant("demo", "--port", port, folder=tmp_path)
    assert refused.status == 2
    assert "--port" in refused.error


@pytest.mark.parametrize("package", ["flask", "uvicorn", "jinja2"])
def test_a_missing_extra_is_one_line(tmp_path: Path, package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; "
        "from codegrant.cli import main; sys.exit(main(['demo', '--headless']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"codegrant: demo needs {package}: pip install 'codegrant[demo]'\n"


def test_settings_of_a_server_do_not_disturb_it(tmp_path: Path) -> None:
    environment = {
        **temporary(tmp_path / "tmp"),
        "CODEGRANT_SECRET": "too short",
        "CODEGRANT_ISSUER": "https://issuer.example",
        "CODEGRANT_DATABASE": "postgresql://nowhere",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    done = codegrant("demo", "--headless", "--port", "0", folder=tmp_path, environment=environment)
    assert (done.status, done.stderr) == (0, "")


def test_whoever_stops_reading_ends_it_cleanly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "codegrant", "demo", "--headless", "--port", "0"],
        cwd=tmp_path,
        env=clean_environment(temporary(tmp_path / "tmp")),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")
    assert list((tmp_path / "tmp").iterdir()) == []
