"""The driver for threads: performs the effects of remote flows over httpx2. Layer: remote.

A `SyncDriver` may be shared between threads and survives a fork: connections, TLS
context and running flights belong to the process that made them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from codegrant.errors import TransportError, UsageError
from codegrant.flow import Effect, RandomBytes, run
from codegrant.http import Request, Response, Send
from codegrant.remote import transport
from codegrant.remote.effects import Call, Leased, Pause, Report, SingleFlight
from codegrant.remote.flights import outcome
from codegrant.remote.leases import LEASE, Lease, unleased
from codegrant.remote.transport import MAX_BODY, HttpSettings

if TYPE_CHECKING:
    import ssl
    from concurrent.futures import Future

    import httpx2

__all__ = ["SyncDriver"]

# Seconds of a read whose time is over: none at all would mean not to wait, which is no error.
_SOON = 0.001


class _Process:
    """What belongs to one process."""

    def __init__(self, settings: HttpSettings) -> None:
        self.tls = transport.make_tls_context(settings)
        self.http = _open(settings, self.tls)
        self.lock = threading.Lock()
        self.flights: dict[str, Future[Any]] = {}
        # Of those, the ones that must not be broken off, and the thread that each runs in.
        self.finishing: dict[Future[Any], int] = {}


class SyncDriver:
    """Performs the effects of `remote/` and `Send` and `RandomBytes` in the calling thread.

    Args:
        settings: time limit, trust and log.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._limit = _TimeLimit()
        # By process id: what a forked child inherits stays here, untouched and unused.
        self._processes: dict[int, _Process] = {}

    def perform(self, effect: Effect[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        """Carry out one effect and return its answer.

        Raises:
            TransportError: see `http.Send`.
            UsageError: the effect is none of this driver's.
        """
        match effect:
            case Send(request, guarded):
                lease = LEASE.get()
                if lease is not None and request.method != "GET":
                    lease.check()
                return self.send_guarded(request) if guarded else self.send(request)
            case RandomBytes():
                return os.urandom(effect.size)
            case Report():
                return transport.write_report(effect, self._settings)
            case SingleFlight():
                return self._once(effect)
            case Leased():
                return self._hold(effect)
            case Call(call):
                with unleased():
                    return call()
            case Pause(seconds):
                return sleep(seconds)
            case _:
                raise UsageError(f"{type(effect).__name__} is no effect of this driver")

    def pool(self) -> httpx2.Client:
        """Return the connection pool of this process, made on first use."""
        return self._process().http

    def send(self, request: Request) -> Response:
        """Send `request` and return the answer, whatever its status."""
        headers = transport.outgoing_headers(request)
        return self._exchange(self.pool(), request, request.url, headers, {})

    def send_guarded(self, request: Request) -> Response:
        """As `send`, to a public address only, over a connection of its own."""
        import socket

        from codegrant.remote.guard import address_url, check_guarded_url, judge_addresses

        host, port = check_guarded_url(request.url, allow_private=self._settings.allow_private)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            found = []  # no name that could have an address
        except OSError as error:
            raise transport.translate(error, request, self._settings) from None
        addresses = judge_addresses(
            host,
            (str(entry[4][0]) for entry in found),
            allow_private=self._settings.allow_private,
        )
        headers = transport.outgoing_headers(request, host=urlsplit(request.url).netloc)
        # Pools tell connections apart by address: a shared one could hand out a connection
        # whose certificate was checked for another name.
        with _open(self._settings, self._process().tls, guarded=True) as http:
            for address in addresses:
                url = address_url(request.url, address, port)
                try:
                    return self._exchange(http, request, url, headers, {"sni_hostname": host})
                except TransportError as error:
                    if error.code != "connect_failed" or address == addresses[-1]:
                        raise
        raise AssertionError("there was an address")

    def close(self) -> None:
        """Close the connections of this process; a later request opens new ones.

        What must not be broken off, a refresh say, comes to its end in its thread first.
        """
        pid, here = os.getpid(), threading.get_ident()
        process = self._processes.get(pid)
        if process is None:
            return
        with process.lock:
            others = [flight for flight, thread in process.finishing.items() if thread != here]
        if others:
            from concurrent.futures import wait

            wait(others)
        if self._processes.pop(pid, None) is process:
            process.http.close()

    def _process(self) -> _Process:
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            # No lock: a fork could leave it locked for ever. The loser of a race is unused.
            process = self._processes.setdefault(pid, _Process(self._settings))
        return process

    def _exchange(
        self,
        http: httpx2.Client,
        request: Request,
        url: str,
        headers: list[tuple[str, str]],
        extensions: Mapping[str, str],
    ) -> Response:
        limit, deadline = self._limit, monotonic() + self._settings.timeout
        limit.ends_at = deadline
        try:
            with http.stream(
                request.method,
                url,
                content=request.body or None,
                headers=headers,
                extensions={**extensions, "trace": limit.watch},
                follow_redirects=False,
            ) as answer:
                chunks = self._bounded(request, answer.iter_raw(), deadline)
                return transport.incoming(request, answer, chunks)
        except TransportError:
            raise
        except Exception as error:  # noqa: BLE001 - every failure of the network has one type
            if monotonic() >= deadline:
                raise transport.timed_out(request, self._settings) from None
            raise transport.translate(error, request, self._settings) from None
        finally:
            limit.ends_at = None

    def _bounded(
        self, request: Request, chunks: Iterator[bytes], deadline: float
    ) -> Iterator[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > MAX_BODY:
                raise transport.too_large(request)
            if monotonic() > deadline:
                raise transport.timed_out(request, self._settings)
            yield chunk

    def _once(self, effect: SingleFlight[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        from concurrent.futures import CancelledError, Future

        process = self._process()
        while True:
            with process.lock:
                flight = process.flights.get(effect.key)
                leads = flight is None
                if flight is None:
                    flight = process.flights[effect.key] = Future()
                    if effect.finishes:
                        process.finishing[flight] = threading.get_ident()
            if leads:
                return self._lead(process, effect, flight)
            try:
                return outcome(flight)
            except CancelledError:
                continue  # the leader was interrupted: somebody else leads

    def _lead(self, process: _Process, effect: SingleFlight[Any], flight: Future[Any]) -> Any:  # noqa: ANN401
        try:
            result = run(effect.start(), self.perform)
        except Exception as error:
            self._land(process, effect.key, flight)
            flight.set_exception(error)
            raise
        except BaseException:
            self._land(process, effect.key, flight)
            flight.cancel()
            raise
        self._land(process, effect.key, flight)
        flight.set_result(result)
        return result

    @staticmethod
    def _land(process: _Process, key: str, flight: Future[Any]) -> None:
        with process.lock:
            process.flights.pop(key, None)
            process.finishing.pop(flight, None)

    def _hold(self, effect: Leased[Any]) -> Any:  # noqa: ANN401 - as `flow.run` asks
        lease = Lease(effect)
        outer = LEASE.set(lease)
        try:
            while True:
                lease.begin()
                while not lease.take():
                    lease.check_patience()
                    sleep(Lease.LOOK_AFTER)
                lease.keep()
                try:
                    return run(effect.start(), self.perform)
                except TransportError:
                    if not lease.has_lapsed:
                        raise
        finally:
            LEASE.reset(outer)
            lease.release()


class _TimeLimit(threading.local):
    """Ends what a thread reads when the time of its whole request is over.

    The limits of a pool are for each single read: a head that drips byte by byte would keep
    them for hours. Connections are told of the limit when they are made, and keep to that
    of whoever uses them later. Calls of an API, which set none, are as they were.
    """

    def __init__(self) -> None:
        self.ends_at: float | None = None

    def watch(self, event: str, facts: Mapping[str, Any]) -> None:
        """Take a new connection in hand; a `trace` of httpx2."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            stream = facts["return_value"]
            stream.read = partial(self._read, stream.read)

    def _read(
        self, read: Callable[..., bytes], max_bytes: int, timeout: float | None = None
    ) -> bytes:
        if self.ends_at is not None:
            left = max(self.ends_at - monotonic(), _SOON)
            timeout = left if timeout is None else min(timeout, left)
        return read(max_bytes, timeout=timeout)


def _open(settings: HttpSettings, tls: ssl.SSLContext, *, guarded: bool = False) -> httpx2.Client:
    """Return a new pool; a guarded one knows no proxy, which would resolve the name again."""
    import httpx2

    return httpx2.Client(
        verify=tls,
        trust_env=not guarded,
        mounts={} if guarded else transport.loopback_mounts(),
        timeout=transport.timeouts(settings),
        cookies=transport.no_cookies(),
        headers=transport.default_headers(),
    )
