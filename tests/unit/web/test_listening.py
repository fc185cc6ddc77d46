"""Sockets to listen on, and the lines for those that cannot be had."""

from __future__ import annotations

import errno
import socket

import pytest

from codegrant.errors import ConfigurationError
from codegrant.web import listening
from codegrant.web.listening import bind, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_free_port_is_found_and_answers(host: str) -> None:
    with bind(host, 0) as listener:
        listen(listener)
        with socket.create_connection(listener.getsockname(), timeout=5):
            assert listener.family == socket.AF_INET


def test_a_taken_port_is_refused_and_its_neighbour_is_not() -> None:
    with bind("127.0.0.1", 0) as first:
        listen(first)
        port = first.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"^port: {port} is taken on 127.0.0.1") as e:
            bind("127.0.0.1", port)
        assert e.value.code == "port_taken"
        with bind("127.0.0.2", port) as neighbour:
            listen(neighbour)


def test_of_two_who_are_bound_only_one_may_listen() -> None:
    with bind("127.0.0.1", 0) as first, bind("127.0.0.1", first.getsockname()[1]) as second:
        listen(first)
        with pytest.raises(ConfigurationError, match=r"^port: [0-9]+ is taken on 127\.0\.0\.1"):
            listen(second)


@pytest.mark.parametrize(
    ("host", "line"),
    [
        pytest.param("192.0.2.1", "host: '192.0.2.1' is not allowed", id="another machine"),
        pytest.param("name.invalid", "host: 'name.invalid' is not allowed", id="no such name"),
        pytest.param("a..b", "host: 'a..b' is not allowed", id="an empty label"),
        pytest.param("a" * 64, "host: 'aaaa", id="a label of 64 characters"),
        pytest.param("[::1]", "host: '[::1]' is not allowed", id="an address in brackets"),
    ],
)
def test_a_host_that_is_not_this_machine_is_refused(host: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bind(host, 0)
    assert caught.value.message.startswith(line)


@pytest.mark.parametrize(
    ("number", "line"),
    [
        pytest.param(errno.EADDRINUSE, "port: 80 is taken on ::1, choose another", id="taken"),
        pytest.param(errno.EACCES, "port: 80 is not allowed to this user", id="not for us"),
        pytest.param(errno.EADDRNOTAVAIL, "host: '::1' is not allowed", id="not here"),
        pytest.param(errno.ENOBUFS, "host: cannot listen on ::1:80: No room", id="anything else"),
    ],
)
def test_every_refusal_of_the_system_names_key_and_value(number: int, line: str) -> None:
    error = listening._refusal("::1", 80, OSError(number, "No room"))
    assert error.message.startswith(line)
