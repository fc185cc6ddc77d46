"""The benchmark's driver measures nothing that it has not seen do the protocol right."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import api_call, login_callbacks
from benchmarks.client_side import token_response
from benchmarks.driver import WORKS, Target, Work, WrongServerError, measure, prove
from benchmarks.floor import (
    CLIENT_ID,
    CLIENT_SECRET,
    PERSON,
    REDIRECT_URI,
    Floor,
    as_json,
    digest_of,
    fields_of,
    serve,
)


class TakesAnyVerifier(Floor):
    async def redeem(self, form: dict[str, str], refresh_digest: bytes) -> tuple[Any, ...]:
        challenge = self.challenge_of(form["code_verifier"])
        self.database.reader.execute("UPDATE grants SET challenge = ?", (challenge,))
        return await super().redeem(form, refresh_digest)


class TakesACodeTwice(Floor):
    async def redeem(self, form: dict[str, str], refresh_digest: bytes) -> tuple[Any, ...]:
        self.database.reader.execute("UPDATE grants SET code_used = 0")
        return await super().redeem(form, refresh_digest)


class SignsWithAnotherKey(Floor):
    def sign(self, typ: str, claims: dict[str, object]) -> str:
        token = super().sign(typ, claims)
        if typ == "at+jwt":
            return token
        return f"{token[:-4]}{'AAAA' if token[-4:] != 'AAAA' else 'BBBB'}"


class ForgetsTheNonce(Floor):
    def claims(
        self, sub: str, auth_time: int, nonce: str | None, access_token: str
    ) -> dict[str, object]:
        return super().claims(sub, auth_time, "another", access_token)


class ShowsSomebodyElse(Floor):
    async def userinfo(self, *arguments: Any) -> Any:
        await super().userinfo(*arguments)
        return as_json({**PERSON, "sub": "person-2"})


class ShowsEverybody(Floor):
    async def userinfo(self, *_: Any) -> Any:
        return as_json(PERSON)


class CallsEveryTokenActive(Floor):
    async def introspect(self, *_: Any) -> Any:
        return as_json({"active": True})


class CallsNoTokenActive(Floor):
    async def introspect(self, *_: Any) -> Any:
        return as_json({"active": False})


class RotatesNothing(Floor):
    async def token(self, scope: Any, headers: dict[bytes, bytes], body: bytes) -> Any:
        status, fields, answer = await super().token(scope, headers, body)
        form = fields_of(body)
        if "refresh_token" in form:
            answer = json.dumps({**json.loads(answer), **form}).encode()
        return status, fields, answer


class RefreshesForSomebodyElse(Floor):
    def claims(
        self, sub: str, auth_time: int, nonce: str | None, access_token: str
    ) -> dict[str, object]:
        return super().claims("person-2" if nonce is None else sub, auth_time, nonce, access_token)


class TakesOldRefreshTokens(Floor):
    async def rotate(self, form: dict[str, str], successor: bytes) -> tuple[Any, ...]:
        digest = digest_of(form["refresh_token"])
        sql = "UPDATE grants SET refresh_digest = ? WHERE scope LIKE '%offline_access%'"
        self.database.reader.execute(sql, (digest,))
        return await super().rotate(form, successor)


def drive(make: type[Floor], folder: Path, *doings: Callable[[Target], Any]) -> list[Any]:
    """Serve, and do one thing after the other to the server."""

    async def main() -> list[Any]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
            floor = make(issuer, folder)
            target = Target(
                name="floor",
                issuer=issuer,
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
                redirect_uri=REDIRECT_URI,
                cookie=f"session={floor.cookie}",
            )
            server = serve(floor)
            running = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                return [await doing(target) for doing in doings]
            finally:
                server.should_exit = True
                await running
                floor.database.close()

    return asyncio.run(main())


def test_the_floor_does_the_protocol_right(tmp_path: Path) -> None:
    assert drive(Floor, tmp_path, prove) == [None]


@pytest.mark.parametrize("work", WORKS)
def test_each_work_can_be_driven(work: Work, tmp_path: Path) -> None:
    (rate,) = drive(
        Floor, tmp_path, lambda target: measure(target, work, requests=8, concurrency=2)
    )
    assert rate > 0


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        pytest.param(TakesAnyVerifier, "wrong verifier", id="verifier"),
        pytest.param(TakesACodeTwice, "a code works twice", id="replay"),
        pytest.param(
            RefreshesForSomebodyElse, "refreshed ID token is about somebody else", id="refreshed"
        ),
        pytest.param(SignsWithAnotherKey, "signature", id="signature"),
        pytest.param(ForgetsTheNonce, "the ID token is another's", id="nonce"),
        pytest.param(ShowsSomebodyElse, "somebody else", id="userinfo-sub"),
        pytest.param(ShowsEverybody, "nobody issued", id="userinfo-token"),
        pytest.param(CallsEveryTokenActive, "nobody issued", id="introspection-unknown"),
        pytest.param(CallsNoTokenActive, "a live token", id="introspection-live"),
        pytest.param(RotatesNothing, "not rotated", id="rotation"),
        pytest.param(TakesOldRefreshTokens, "old refresh token", id="old-refresh-token"),
    ],
)
def test_a_broken_server_is_found_out(broken: type[Floor], fault: str, tmp_path: Path) -> None:
    with pytest.raises(WrongServerError, match=fault):
        drive(broken, tmp_path, prove)


def test_a_browser_without_a_session_gets_no_code(tmp_path: Path) -> None:
    async def without_a_session(target: Target) -> None:
        await prove(replace(target, cookie=f"session={secrets.token_urlsafe(32)}"))

    with pytest.raises(WrongServerError, match="no redirect but 401"):
        drive(Floor, tmp_path, without_a_session)


@pytest.mark.parametrize("place", login_callbacks.PLACES)
def test_each_application_finishes_its_logins(place: login_callbacks.Place) -> None:
    rates = login_callbacks.measure(place, rounds=1, portion=2)
    assert all(rate > 0 for (rate,) in rates.values())
    for ours, theirs in login_callbacks.BUDGETS:
        assert len(login_callbacks.ratios(rates, ours, theirs)) == 1


def test_a_callback_that_fails_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_another_login(_: str, issuer: str) -> bytes:
        return token_response("another", issuer)

    monkeypatch.setattr(login_callbacks, "token_response", of_another_login)
    with pytest.raises(SystemExit, match="a callback was answered with"):
        login_callbacks.measure("no network", rounds=1, portion=1)


def test_every_way_to_call_an_api_is_measured_bare_and_signed() -> None:
    taken = api_call.measure(turns=1)
    assert {"codegrant api", "codegrant api, async"} <= taken.keys()
    assert {(len(bare), len(signed)) for bare, signed in taken.values()} == {(1, 1)}
