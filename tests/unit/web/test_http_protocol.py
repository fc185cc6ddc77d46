"""`web.http_protocol`: a head is bounded in size, number and time, however it is cut in pieces."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence

import pytest
from uvicorn.server import ServerState

from codegrant.web import http_protocol
from codegrant.web.asgi import AsgiReceive, AsgiScope, AsgiSend
from codegrant.web.http_protocol import BoundedProtocol
from codegrant.web.running import uvicorn_config

START = b"GET / HTTP/1.1\r\n"
END = b"Connection: close\r\n\r\n"


CHUNKED = b"POST / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nTransfer-Encoding: chunked\r\n"
CHUNKS = b"3\r\na=b\r\n3\r\n&c=\r\n0\r\n"


async def app(scope: AsgiScope, receive: AsgiReceive, send: AsgiSend) -> None:
    """Answer once the body is there, and say for whom the request was forwarded."""
    while (await receive()).get("more_body"):
        pass
    peers = b" ".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    headers = [(b"x-peers", peers)] if peers else []
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _connect() -> tuple[asyncio.BaseTransport, BoundedProtocol, socket.socket]:
    """Return both ends of a connection to the server."""
    ours, theirs = socket.socketpair()
    config = uvicorn_config(app)
    config.load()
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_accepted_socket(
        lambda: BoundedProtocol(config=config, server_state=ServerState(), app_state={}), ours
    )
    return transport, protocol, theirs


async def _exchange(pieces: Sequence[bytes]) -> bytes:
    """Return all that a connection is answered, to exactly these pieces."""
    transport, protocol, theirs = await _connect()
    for piece in pieces:
        if not transport.is_closing():
            protocol.data_received(piece)
    reader, writer = await asyncio.open_connection(sock=theirs)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def statuses(*pieces: bytes) -> list[int]:
    """Return the status of every answer to these pieces."""
    answer = asyncio.run(_exchange(pieces))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


def fields(size: int, count: int = 40) -> list[bytes]:
    """Return `count` fields that take `size` bytes together."""
    length = size // count
    return [
        f"X-{number:02}: ".encode().ljust(length - 2, b"v") + b"\r\n" for number in range(count)
    ]


@pytest.mark.parametrize(
    ("size", "status"),
    [(1_000, 204), (20_000, 204), (32_000, 204), (33_000, 431), (100_000, 431)],
)
@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
def test_a_head_is_judged_by_its_size_and_not_by_its_pieces(
    size: int, status: int, *, in_pieces: bool
) -> None:
    pieces = [START, *fields(size), END]
    assert statuses(*(pieces if in_pieces else [b"".join(pieces)])) == [status]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param([START, *fields(3_960, 99), END], 204, id="a hundred fields"),
        pytest.param([START, *fields(4_000, 100), END], 431, id="one more"),
        pytest.param([b"GET /", b"a" * 16_000, b" HTTP/1.1\r\n", END], 204, id="long address"),
        pytest.param([b"GET /", b"a" * 16_400, b" HTTP/1.1\r\n", END], 414, id="longer address"),
        pytest.param([START, b"X: ", *[b"v" * 1_000] * 40], 431, id="a field without an end"),
    ],
)
def test_number_of_fields_and_address_are_bounded(head: Sequence[bytes], status: int) -> None:
    assert statuses(*head) == [status]


def test_a_body_is_no_part_of_the_head() -> None:
    body = b"x" * 60_000
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n".encode()
    assert statuses(head + END + body) == [204]
    assert statuses(head, END, *[body[:10_000]] * 6) == [204]


@pytest.mark.parametrize(
    "trailer",
    [
        pytest.param([b"X-Forwarded-For: 203.0.113.9\r\n"], id="in one piece"),
        pytest.param([b"X-Forwarded-For: 203", b".0.113.9\r\n"], id="in pieces"),
    ],
)
def test_a_trailer_is_not_merged_into_the_head(trailer: Sequence[bytes]) -> None:
    answer = asyncio.run(_exchange([CHUNKED + END + CHUNKS, *trailer, b"\r\n"]))
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"x-peers: 192.0.2.1\r\n" in answer
    whole = asyncio.run(_exchange([b"".join([CHUNKED, END, CHUNKS, *trailer, b"\r\n"])]))
    assert b"x-peers: 192.0.2.1\r\n" in whole


@pytest.mark.parametrize(
    ("trailer", "status"),
    [
        pytest.param([*fields(20_000), b"\r\n"], 204, id="bounded"),
        pytest.param([*fields(40_000), b"\r\n"], 431, id="too large"),
        pytest.param([b"X: ", *[b"v" * 1_000] * 40], 431, id="a field without an end"),
    ],
)
def test_a_trailer_is_bounded_as_a_head_is(trailer: Sequence[bytes], status: int) -> None:
    assert statuses(CHUNKED, END, CHUNKS, *trailer) == [status]


def test_the_size_of_chunks_is_not_counted() -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    # Each piece ends with the beginning of the next chunk.
    pieces = [CHUNKED + END + b"8000\r\n", *[chunk[6:] + b"8000\r\n"] * 4, chunk[6:]]
    assert statuses(*pieces, b"0\r\n\r\n") == [204]


def test_a_second_head_is_counted_anew() -> None:
    post = b"POST / HTTP/1.1\r\nContent-Length: 40000\r\n\r\n"
    assert statuses(post + b"x" * 40_000 + START[:5], START[5:], END) == [204, 204]
    first = b"".join([START, *fields(20_000), b"\r\n"])
    assert statuses(first, START, *fields(20_000), END) == [204, 204]


@pytest.mark.parametrize("pieces", [[], [START, b"X: "]], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come_costs_the_connection(
    monkeypatch: pytest.MonkeyPatch, pieces: Sequence[bytes]
) -> None:
    monkeypatch.setattr(http_protocol, "_HEAD_SECONDS", 0.0)
    assert statuses(*pieces) == []


def test_so_does_a_second_head_that_does_not_become_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_HEAD_SECONDS", 0.05)

    async def ask_once_and_a_half() -> tuple[bytes, bytes]:
        _, protocol, theirs = await _connect()
        protocol.timeout_keep_alive = 1
        reader, writer = await asyncio.open_connection(sock=theirs)
        writer.write(START + b"\r\n")
        first = await reader.readuntil(b"\r\n\r\n")
        # The connection's one timer comes for the first head, and must come again.
        writer.write(START[:5])
        async with asyncio.timeout(10):
            rest = await reader.read()
        writer.close()
        await writer.wait_closed()
        return first, rest

    first, rest = asyncio.run(ask_once_and_a_half())
    assert first.startswith(b"HTTP/1.1 204")
    assert rest == b""
