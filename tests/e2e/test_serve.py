"""`codegrant serve`: a process that says when it is ready, drains, and is never half there."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from codegrant.stores.sqlite import SqliteStore
from tests.e2e.conftest import Start
from tests.support.raw_http import FORM, RawAnswer, send_raw
from tests.support.serving import Finished, Serving, codegrant
from tests.support.tls import self_signed
from tests.support.waiting import wait_until

SIGNALS = [
    pytest.param(signal.SIGTERM, id="SIGTERM"),
    pytest.param(signal.SIGINT, id="SIGINT"),
]
METADATA = "/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One server for the tests that only look."""
    with Serving(tmp_path_factory.mktemp("shared")) as running:
        yield running


def free_port() -> int:
    """Return a port that nobody has now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(origin: str, path: str) -> RawAnswer:
    return send_raw(origin, "GET", path)


def read_metadata(origin: str, path: str = METADATA) -> Mapping[str, Any]:
    answer = get(origin, path)
    assert answer.status == 200
    metadata: Mapping[str, Any] = json.loads(answer.body)
    return metadata


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """Return the one line of a `serve` that did not start."""
    done = codegrant("serve", *arguments, folder=folder, environment=environment)
    assert done.status == 1
    return done.error.removeprefix("codegrant: ")


# --- ready -----------------------------------------------------------------------------


def test_it_says_once_that_it_is_ready_and_answers_from_then_on(start: Start) -> None:
    server = start()
    assert server.issuer.startswith("http://127.0.0.1:")
    for path in ("/healthz", "/readyz"):
        answer = get(server.issuer, path)
        assert (answer.status, answer.header("cache-control")) == (200, "no-store")
    assert get(server.issuer, "/nothing").status == 404
    # The ready line has been read: nothing but it ever comes to stdout.
    assert server.stop() == Finished(0, "", server.log)
    assert "Traceback" not in server.log


def test_the_issuer_is_the_address_of_the_metadata(shared: Serving) -> None:
    metadata = read_metadata(shared.issuer)
    assert metadata["issuer"] == shared.issuer
    assert metadata["token_endpoint"] == f"{shared.issuer}/token"


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        pytest.param("::1", "http://[::1]:", id="IPv6"),
        pytest.param("localhost", "http://localhost:", id="localhost"),
    ],
)
def test_other_loopback_hosts_serve_as_well(start: Start, host: str, origin: str) -> None:
    server = start("--host", host)
    assert server.issuer.startswith(origin)
    assert read_metadata(server.issuer)["issuer"] == server.issuer


def test_settings_come_from_flag_environment_and_file(tmp_path: Path) -> None:
    file = tmp_path / "codegrant.toml"
    file.write_text('host = "::1"\nworkers = 2\ndatabase = "sqlite:///from-file.db"\n')
    environment = {"CODEGRANT_HOST": "localhost", "CODEGRANT_DATABASE": "sqlite:///from-env.db"}
    arguments = ("--config", "codegrant.toml", "--host", "127.0.0.1")
    with Serving(tmp_path, *arguments, environment=environment) as server:
        assert server.issuer.startswith("http://127.0.0.1:")
        assert len(children(server.pid)) == 2
    assert {path.name for path in tmp_path.glob("*.db")} == {"from-env.db"}


# --- the end ---------------------------------------------------------------------------


class InFlight:
    """A request whose body has not come yet; the server waits for it."""

    body = b"grant_type=authorization_code&code=x&client_id=nobody"

    def __init__(self, origin: str) -> None:
        parts = urlsplit(origin)
        assert parts.hostname is not None
        assert parts.port is not None
        self.address = (parts.hostname, parts.port)
        self._connection = socket.create_connection(self.address, timeout=20)
        self._connection.sendall(
            b"POST /token HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\nExpect: 100-continue\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            % (parts.netloc.encode(), len(self.body))
        )
        # The application itself asks for the body with this: so it is being answered.
        self._reader = self._connection.makefile("rb")
        assert self._reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert self._reader.readline() == b"\r\n"

    def finish(self) -> bytes:
        """Send the body and return all that comes until the connection ends."""
        with self._connection, self._reader:
            self._connection.sendall(self.body)
            return self._reader.read()


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=20).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_a_request_end_and_takes_no_other(
    start: Start, number: int, workers: str
) -> None:
    server = start("--workers", workers)
    request = InFlight(server.issuer)
    os.kill(server.pid, number)
    wait_until(lambda: not listens(request.address))
    answer = request.finish()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'"invalid_client"' in answer
    assert server.wait() == Finished(0, "", server.log)
    assert "Traceback" not in server.log


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="waits at a named pipe")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_it_is_ready_ends_it_as_well(tmp_path: Path, number: int) -> None:
    os.mkfifo(tmp_path / "ring")
    server = Serving(tmp_path, environment={"CODEGRANT_SECRET_FILE": "ring"})
    server.spawn()
    with server:
        # From then on it comes to wait for somebody to write the key ring.
        wait_until((tmp_path / "codegrant.db").exists)
        assert server.stop(number) == Finished(0, "", "")


# --- several processes -----------------------------------------------------------------


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads /proc")


def children(pid: int) -> set[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return set(map(int, text.split()))


@needs_proc
def test_a_worker_that_is_killed_is_replaced(start: Start) -> None:
    server = start("--workers", "2")
    before = children(server.pid)
    assert len(before) == 2
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    deaths = [f"worker_died worker={worker}" for worker in before]
    wait_until(lambda: all(death in server.log for death in deaths))
    # Both are gone, so whoever answers has taken their place.
    assert get(server.issuer, "/readyz").status == 200
    wait_until(lambda: len(children(server.pid)) == 2)
    assert not children(server.pid) & before
    done = server.stop()
    assert (done.status, done.stdout) == (0, "")


@needs_proc
def test_the_workers_end_when_the_supervisor_is_killed(start: Start) -> None:
    server = start("--workers", "2")
    parts = urlsplit(server.issuer)
    workers = children(server.pid)
    # stdout is read to its end here, which every worker holds open as long as it lives.
    assert server.stop(signal.SIGKILL).status == -signal.SIGKILL
    assert not listens((str(parts.hostname), int(parts.port or 0)))
    for worker in workers:
        assert not Path(f"/proc/{worker}/exe").exists()


def test_every_worker_sees_what_a_command_changes_at_once(start: Start) -> None:
    server = start("--workers", "2")
    assert len({get(server.issuer, "/jwks").body for _ in range(8)}) == 1
    secret = server.add_client("app")["client_secret"]

    def errors() -> set[str]:
        """Return the errors for a code that is none, over a number of connections."""
        body = f"grant_type=authorization_code&code=x&client_id=app&client_secret={secret}"
        answers = [
            send_raw(server.issuer, "POST", "/token", [FORM], body.encode()) for _ in range(8)
        ]
        return {json.loads(answer.body)["error"] for answer in answers}

    server.run("clients", "update", "app", "--auth-method", "client_secret_post")
    assert errors() == {"invalid_grant"}
    server.run("clients", "rotate-secret", "app")
    assert errors() == {"invalid_client"}


# --- issuers ---------------------------------------------------------------------------


def test_an_issuer_with_a_path_is_served_there(tmp_path: Path) -> None:
    port = free_port()
    issuer = f"http://127.0.0.1:{port}/tenant/one"
    origin = f"http://127.0.0.1:{port}"
    with Serving(tmp_path, "--issuer", issuer, port=port) as server:
        assert server.issuer == issuer
        for path in (
            f"/tenant/one{METADATA}",
            "/.well-known/oauth-authorization-server/tenant/one",
        ):
            metadata = read_metadata(origin, path)
            assert metadata["issuer"] == issuer
            assert metadata["jwks_uri"] == f"{issuer}/jwks"
        assert get(origin, METADATA).status == 404
        assert get(origin, "/jwks").status == 404
        assert get(origin, "/tenant/one/jwks").status == 200
        assert get(origin, "/healthz").status == 200


def test_the_first_issuer_that_is_set_is_the_only_one(tmp_path: Path) -> None:
    # One that follows from host and port is recorded nowhere.
    with Serving(tmp_path):
        pass
    first, other = "https://login.example", "https://other.example"
    with Serving(tmp_path, "--issuer", first) as server:
        assert server.issuer == first
    line = refused(tmp_path, "--port", "0", CODEGRANT_ISSUER=other)
    assert line.startswith(f"the database belongs to the issuer {first}, not to {other} (set the")
    with Serving(tmp_path, environment={"CODEGRANT_ISSUER": first}) as server:
        assert server.issuer == first


def test_an_http_issuer_on_another_port_is_served_with_a_warning(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    issuer = f"http://127.0.0.1:{other}"
    with Serving(tmp_path, "--issuer", issuer, port=port) as server:
        assert server.issuer == issuer
        ended = server.stop()
    warned = f"codegrant: warning: issuer: {issuer} is where browsers will look, while port {port}"
    assert ended.stderr.startswith(warned)
    with Serving(tmp_path, "--issuer", issuer, port=other) as server:
        assert "warning:" not in server.stop().stderr


def test_an_https_issuer_stands_behind_a_proxy(tmp_path: Path) -> None:
    port = free_port()
    with Serving(tmp_path, "--issuer", "https://login.example", port=port) as server:
        assert server.issuer == "https://login.example"
        metadata = read_metadata(f"http://127.0.0.1:{port}")
        assert metadata["issuer"] == "https://login.example"


def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    own = self_signed(tmp_path)
    with Serving(tmp_path, "--tls-cert", str(own.file), "--tls-key", str(own.key_file)) as server:
        assert server.issuer.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(own.file))
        with urllib.request.urlopen(f"{server.issuer}{METADATA}", context=context) as answer:  # noqa: S310
            assert json.load(answer)["issuer"] == server.issuer
        with pytest.raises(OSError, match="certificate verify failed"):
            urllib.request.urlopen(server.issuer)  # noqa: S310
        assert get(server.issuer.replace("https", "http"), "/healthz").status == 0


# --- forwarded headers -----------------------------------------------------------------


def guess(origin: str, source: str) -> int:
    """Return the status for a client that does not exist, as a proxy would hand it on."""
    headers = [FORM, ("x-forwarded-for", source)]
    body = b"grant_type=authorization_code&code=x&client_id=nobody"
    return send_raw(origin, "POST", "/token", headers, body).status


@pytest.mark.requirement("CO-HTTP-06")
@pytest.mark.parametrize(
    ("trusted", "status"),
    [
        pytest.param("", 429, id="from nobody"),
        pytest.param("192.0.2.0/24", 429, id="from somebody else"),
        pytest.param("127.0.0.0/8,::1", 401, id="from the proxy"),
    ],
)
def test_forwarded_headers_count_from_trusted_proxies_alone(
    start: Start, trusted: str, status: int
) -> None:
    limits = {"CODEGRANT_LIMITS_SOURCE_FAILURES": "1", "CODEGRANT_PROXY_TRUSTED": trusted}
    server = start(environment=limits)
    assert guess(server.issuer, "198.51.100.1") == 401
    assert guess(server.issuer, "198.51.100.1") == 429
    assert guess(server.issuer, "198.51.100.2") == status


# --- what it does not start with -------------------------------------------------------


def test_a_taken_port_is_one_line(shared: Serving, tmp_path: Path) -> None:
    port = urlsplit(shared.issuer).port
    line = refused(tmp_path, "--port", str(port))
    assert line == f"port: {port} is taken on 127.0.0.1, choose another (0 is any free one)"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--port", "x"), "port: 'x' is not allowed, a whole number", id="port"),
        pytest.param(("--workers", "0"), "workers: '0' is not allowed", id="workers"),
        pytest.param(("--issuer", "http://a.example"), "issuer: 'http://a.example' is", id="http"),
        pytest.param(("--host", "192.0.2.1"), "issuer: an https URL must be set", id="host"),
        pytest.param(("--tls-cert", "x"), "tls_key: it must be set together", id="half of TLS"),
        pytest.param(("--ca", "x"), "ca: 'x' is not allowed", id="no CA file"),
        pytest.param(("--config", "x"), "config: x: No such file or directory", id="no file"),
        pytest.param(
            ("--database", "postgresql://u:s3cret@h/d"),
            "database: postgresql:… is not allowed yet",
            id="PostgreSQL",
        ),
        pytest.param(("--database", "sqlite:///no/a.db"), "{}/no/a.db: there is no", id="folder"),
    ],
)
def test_a_wrong_setting_is_one_line_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert refused(tmp_path, *arguments).startswith(said.format(tmp_path))
    assert list(tmp_path.iterdir()) == []


def newer(database: Path) -> None:
    SqliteStore.open(database).close()
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, 0)")


def foreign(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (a)")


def damaged(database: Path) -> None:
    database.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(newer, "has schema 99, this program knows 1", id="newer"),
        pytest.param(foreign, "is a database of another program", id="of another program"),
        pytest.param(damaged, "is no SQLite database, or a damaged one", id="damaged"),
        pytest.param(Path.mkdir, "is a folder", id="a folder"),
    ],
)
def test_a_database_that_cannot_be_served_is_one_line(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    database = tmp_path / "codegrant.db"
    make(database)
    assert refused(tmp_path, "--port", "0").startswith(f"{database} {said}")
    assert not Path(f"{database}.key").exists()


def test_a_database_that_another_program_locks_is_one_line(tmp_path: Path) -> None:
    database = tmp_path / "codegrant.db"
    SqliteStore.open(database).close()
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        line = refused(tmp_path, "--port", "0")
    assert line.startswith(f"{database} is locked by another program (try again;")


def test_a_database_that_must_not_be_written_is_one_line(
    tmp_path: Path,
) -> None:
    database = tmp_path / "codegrant.db"
    SqliteStore.open(database).close()
    # Root may write whatever its mode: what SQLite has to make beside it stands in its way.
    Path(f"{database}-wal").mkdir()
    assert refused(tmp_path, "--port", "0").startswith(f"{database} cannot be written (give this")


def test_the_wrong_key_ring_is_one_line(tmp_path: Path) -> None:
    with Serving(tmp_path, environment={"CODEGRANT_SECRET": "1" * 32}):
        assert not (tmp_path / "codegrant.db.key").exists()
    line = "the key ring does not open this database (set CODEGRANT_SECRET, or the key file,"
    assert refused(tmp_path, "--port", "0", CODEGRANT_SECRET="2" * 32).startswith(line)
    assert refused(tmp_path, "--port", "0").startswith("codegrant.db.key: there is no such file,")
    assert not (tmp_path / "codegrant.db.key").exists()
    with Serving(tmp_path, environment={"CODEGRANT_SECRET": f"{'2' * 32},{'1' * 32}"}):
        pass
    with Serving(tmp_path, environment={"CODEGRANT_SECRET": "2" * 32}):
        pass
