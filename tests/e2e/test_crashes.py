"""A server that is killed under load, and one whose disk is full: what was answered holds."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeAlias

import pytest

from tests.support.customers import Customer, Traffic, faults_of
from tests.support.relying_party import register, send_form
from tests.support.serving import Serving
from tests.support.volley import fire, form_request

OFFLINE = "openid offline_access"
# Nothing expires while a test lasts, and no answer is lost for good.
PATIENT = {
    "CODEGRANT_LIFETIMES_CODE": "600",
    "CODEGRANT_LIFETIMES_ACCESS_TOKEN": "3600",
    "CODEGRANT_REFRESH_GRACE_SECONDS": "60",
}
KILLS = 10
CUSTOMERS = 4


def kill(server: Serving) -> None:
    """Kill every process of a server at once."""
    os.killpg(server.pid, signal.SIGKILL)
    assert server.wait().status == -signal.SIGKILL


def port_of(server: Serving) -> int:
    return int(server.issuer.rpartition(":")[2])


class Load:
    """Customers that keep a server busy until the end of a `with`, and what they are owed."""

    def __init__(self, server: Serving) -> None:
        self.traffic = Traffic()
        self.app = register(server, "app", "--skip-consent", scope=OFFLINE)
        browsers = [self.app.new_browser() for _ in range(CUSTOMERS)]
        for browser in browsers:
            self.app.authorize(browser)
        self.customers = [Customer(self.app, browser, self.traffic) for browser in browsers]
        self._pool = ThreadPoolExecutor(CUSTOMERS)

    def __enter__(self) -> Self:
        self.traffic.up.set()
        self._working = [self._pool.submit(customer.work) for customer in self.customers]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.traffic.end()
        self._pool.shutdown()
        for customer in self._working:
            customer.result()

    def count_ended(self) -> int:
        return sum(held.ended for customer in self.customers for held in customer.held)


@pytest.mark.requirement("AS-CODE-02", "AS-CODE-03", "AS-RT-06")
def test_what_was_answered_holds_after_ten_kills(tmp_path: Path) -> None:
    with ExitStack() as stack:

        def start(access_format: str, port: int = 0) -> Serving:
            environment = {**PATIENT, "CODEGRANT_TOKENS_ACCESS_FORMAT": access_format}
            serving = Serving(tmp_path, "--workers", "2", environment=environment, port=port)
            return stack.enter_context(serving)

        server = start("jwt")
        server.add_user()
        load = Load(server)
        with load:
            for kills in range(1, KILLS + 1):
                # Each time in the midst of something else.
                load.traffic.wait_for(15 + kills * 7 % 11)
                kill(server)
                load.traffic.up.clear()
                server = start("jwt" if kills % 2 else "opaque", port_of(server))
                load.traffic.up.set()
            load.traffic.wait_for(40)
        assert load.traffic.unanswered >= KILLS
        assert load.count_ended() > KILLS
        assert faults_of(load.customers) == []
        server.run("db", "check")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of its own with room for what SQLite writes between two checkpoints."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root mounts a file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this container may not mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class SmallDisk:
    """A file system that a file of ballast fills to the last byte."""

    def __init__(self, server: Serving) -> None:
        self.ballast = server.folder / "ballast"

    def fill(self) -> None:
        with self.ballast.open("wb", buffering=0) as file:
            for size in (65_536, 512, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self.ballast.unlink()


class SmallFiles:
    """A process whose files may not grow; the operating system says EFBIG, not ENOSPC."""

    def __init__(self, server: Serving) -> None:
        self.pid = server.pid
        self.before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (4096, self.before[1]))

    def free(self) -> None:
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, self.before)


Disk: TypeAlias = SmallDisk | SmallFiles


@pytest.fixture(params=["no space left", "files may not grow"])
def serving_and_disk(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Serving, Disk]]:
    """A server that knows alice, and what takes its space away."""
    if request.param == "no space left":
        with Serving(request.getfixturevalue("full_disk"), environment=PATIENT) as server:
            server.add_user()
            yield server, SmallDisk(server)
    else:
        with Serving(tmp_path, environment=PATIENT) as server:
            server.add_user()
            yield server, SmallFiles(server)


def test_without_space_every_request_is_answered_with_503(
    serving_and_disk: tuple[Serving, Disk],
) -> None:
    server, disk = serving_and_disk
    app = register(server, "app", "--skip-consent", scope=OFFLINE)
    browser = app.new_browser()
    tokens = [app.log_in(browser).json for _ in range(10)]
    codes = [app.authorize(browser)["code"] for _ in range(10)]
    forms = [
        *(app.refresh_request(one["refresh_token"]) for one in tokens),
        *(app.token_request(code) for code in codes),
    ]
    requests = [form_request(app.token_endpoint, form, app.authentication()) for form in forms]

    disk.fill()
    for answer in fire(app.origin, requests):
        assert (answer.status, answer.header("retry-after")) == (503, "5")
        assert answer.header("cache-control") == "no-store"
        assert json.loads(answer.body)["error"] == "temporarily_unavailable"
    revoke = [("token", tokens[0]["refresh_token"])]
    assert send_form(f"{app.issuer}/revoke", revoke, app.authentication()).status == 503
    stranger = app.new_browser()
    page = app.open(stranger)
    assert (page.status, page.text_of("error-code")) == (503, "temporarily_unavailable")
    assert page.header("content-type").startswith("text/html")
    # Reading needs no space.
    assert app.userinfo(tokens[0]["access_token"]) == 200
    assert "Traceback" not in server.log

    disk.free()
    answers = fire(app.origin, requests)
    assert [answer.status for answer in answers] == [200] * len(requests)
    assert app.log_in(stranger).status == 200
    kill(server)
    with Serving(server.folder, environment=PATIENT, port=port_of(server)):
        for answer in answers:
            received = json.loads(answer.body)
            assert app.userinfo(received["access_token"]) == 200
            assert app.refresh(received["refresh_token"]).status == 200


def test_what_was_answered_while_the_space_came_and_went_holds(
    serving_and_disk: tuple[Serving, Disk],
) -> None:
    server, disk = serving_and_disk
    load = Load(server)
    with load:
        for _ in range(3):
            load.traffic.wait_for(60)
            disk.fill()
            load.traffic.wait_for(unanswered=30)
            disk.free()
        load.traffic.wait_for(60)
    kill(server)
    with Serving(server.folder, environment=PATIENT, port=port_of(server)) as again:
        assert load.count_ended() > 0
        assert faults_of(load.customers) == []
        again.run("db", "check")


def test_a_database_whose_journal_is_lost_with_the_machine_is_whole(tmp_path: Path) -> None:
    """As after a loss of power: a copy of the files, taken while the server writes."""
    with Serving(tmp_path, environment=PATIENT) as server:
        server.add_user()
        app = register(server, "app", "--skip-consent", scope=OFFLINE)
        browser = app.new_browser()
        before = app.log_in(browser).json
        os.killpg(server.pid, signal.SIGSTOP)
        try:
            copy = tmp_path / "copy"
            copy.mkdir()
            for file in tmp_path.glob("codegrant.db*"):
                shutil.copy2(file, copy / file.name)
        finally:
            os.killpg(server.pid, signal.SIGCONT)
        port = port_of(server)
        assert app.refresh(before["refresh_token"]).status == 200
    (copy / "codegrant.db-shm").unlink()
    with Serving(copy, environment=PATIENT, port=port):
        assert app.userinfo(before["access_token"]) == 200
        assert app.refresh(before["refresh_token"]).status == 200
