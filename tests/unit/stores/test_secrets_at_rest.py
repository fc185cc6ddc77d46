"""A person logs in and a client gets its token; then the database's files are searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from codegrant.flow import Effect, RandomBytes
from codegrant.secret import digest_of
from codegrant.stores.sqlite import SqliteStore
from tests.flows.authorization_server import CALLBACK, FORM, SECRET, VERIFIER, basic, document
from tests.flows.house import PASSWORDS, Browser, House, Page, parameters_of
from tests.support.leaks import find_leaks


class RecordingHouse(House):
    """Keeps all entropy that was drawn."""

    def __init__(self, **settings: Any) -> None:
        self.drawn: list[bytes] = []
        super().__init__(**settings)

    def perform(self, effect: Effect[Any]) -> Any:
        answer = super().perform(effect)
        if isinstance(effect, RandomBytes):
            self.drawn.append(answer)
        return answer


@pytest.fixture(params=["jwt", "opaque"])
def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecordingHouse]:
    def in_a_file(_: str) -> SqliteStore:
        return SqliteStore.open(tmp_path / "codegrant.db")

    monkeypatch.setattr("tests.flows.house.SqliteStore", SimpleNamespace(open=in_a_file))
    house = RecordingHouse(access_format=request.param)
    yield house
    house.close()


def token_request(browser: Browser, code: str, verifier: str = VERIFIER) -> Any:
    body = (
        f"grant_type=authorization_code&code={code}"
        f"&redirect_uri={quote(CALLBACK, safe='')}&code_verifier={verifier}"
    )
    headers = dict([basic("a", SECRET), FORM])
    return document(Browser(browser.house).send("POST", "/token", body, headers))


@pytest.mark.requirement("CO-SEC-05")
def test_the_database_holds_digests_and_no_secret(house: RecordingHouse, tmp_path: Path) -> None:
    browser = Browser(house)
    seen: set[str] = {SECRET, VERIFIER, PASSWORDS["alice"], PASSWORDS["alice"] + "x"}

    def watch(page: Page) -> Page:
        seen.update(browser.cookies.values(), page.inputs.values())
        seen.update(value for key, value in parameters_of(page).items() if key == "transaction")
        return page

    login = watch(browser.start())
    again = watch(browser.log_in(login, password=PASSWORDS["alice"] + "x"))
    consent = watch(browser.log_in(again))
    code = parameters_of(watch(browser.submit(consent, "consent-allow")))["code"]
    wrong = token_request(browser, code, "w" * 43)
    assert wrong["error"] == "invalid_grant"
    answer = token_request(browser, code)
    token = str(answer["access_token"])
    abandoned = parameters_of(watch(browser.start(prompt="login")))["transaction"]

    seen |= {code, token, str(answer["id_token"]), abandoned}
    # Of what is drawn, the first 32 bytes are a secret; ids that anybody may see come after.
    secrets = {value.encode() for value in seen if len(value) > 5}
    secrets |= {drawn[:32] for drawn in house.drawn if len(drawn) >= 32}
    assert len(house.drawn) >= 4

    found = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    # What was written last stands in the log beside the database.
    assert digest_of(abandoned) in found["codegrant.db-wal"]
    files = b"".join(found.values())
    for text in (code, abandoned, browser.session_cookie or "", SECRET):
        assert digest_of(text) in files
    assert (digest_of(token) in files) is (house.policy.access_format == "opaque")
    assert b"alice@people.test" in files  # what is no secret can be found
    assert find_leaks(files, secrets) == []
