"""Which exchange belongs to which login, and how much is kept."""

from __future__ import annotations

import pytest

from codegrant.demo.recording import Exchange, Opened, Party, Recorder
from codegrant.http import Headers, Request, Response

APP, SERVER, API = Party.APPLICATION, Party.SERVER, Party.API
COOKIE = "cg-app-abc123"
FORM = ("content-type", "application/x-www-form-urlencoded")
JSON = ("content-type", "application/json")


def get(target: str, *fields: tuple[str, str]) -> Request:
    path, _, query = target.partition("?")
    return Request(method="GET", url=f"http://host{path}", query=query, headers=Headers(fields))


def post(path: str, body: str) -> Request:
    headers = Headers([FORM])
    return Request(method="POST", url=f"http://host{path}", headers=headers, body=body.encode())


def to(location: str, *fields: tuple[str, str]) -> Response:
    return Response(status=303, headers=Headers([("location", location), *fields]))


PAGE = Response(status=200)


class Wire:
    """Lets parties talk before a recorder."""

    def __init__(self, **bounds: int) -> None:
        self.recorder = Recorder(COOKIE, **bounds)

    def say(self, party: Party, request: Request, response: Response = PAGE) -> None:
        self.recorder.end(self.recorder.begin(party, request), request, response)

    def log_in(self, number: int, *, cookie: str = "") -> None:
        """A whole login; the browser still has the cookie of another."""
        old = [("cookie", f"{COOKIE}={cookie}")] if cookie else []
        state, txn, code = f"state=s{number}", f"transaction=t{number}", f"code=c{number}"
        self.say(APP, get("/login", *old), to(f"http://server/authorize?{state}"))
        self.say(SERVER, get(f"/authorize?{state}", *old), to(f"/login?{txn}"))
        self.say(SERVER, post("/login", f"{txn}&password=p"), to(f"/consent?{txn}"))
        self.say(SERVER, post("/consent", txn), to(f"http://app/callback?{code}&{state}"))
        callback = get(f"/callback?{code}&{state}", *old)
        opened = self.recorder.begin(APP, callback)
        token = Response(
            status=200, headers=Headers([JSON]), body=f'{{"access_token":"a{number}"}}'.encode()
        )
        self.say(SERVER, post("/token", code), token)
        session = ("set-cookie", f"{COOKIE}=k{number}; Path=/")
        self.recorder.end(opened, callback, to("/profile", session))

    def look(self, number: int) -> Opened:
        """The page, as far as the API call in it."""
        opened = self.recorder.begin(APP, self.page(number))
        self.say(API, get("/profile", ("authorization", f"Bearer a{number}")))
        return opened

    def page(self, number: int) -> Request:
        return get("/profile", ("cookie", f"{COOKIE}=k{number}"))

    def found(self, number: int) -> list[str]:
        return [told(one) for one in self.recorder.find(f"a{number}")]


def told(exchange: Exchange) -> str:
    return f"{exchange.step} {exchange.sender.name} {exchange.request.title}"


LOGIN = [
    "3 BROWSER GET /login",
    "3 BROWSER GET /authorize",
    "3 BROWSER POST /login",
    "3 BROWSER POST /consent",
    "4 BROWSER GET /callback",
    "5 APPLICATION POST /token",
]
LOOK = ["6 BROWSER GET /profile", "6 APPLICATION GET /profile"]


def test_a_login_is_put_together_from_what_goes_over_the_wire() -> None:
    wire = Wire()
    wire.log_in(1)
    opened = wire.look(1)
    assert wire.found(1) == [*LOGIN, *LOOK]
    assert wire.recorder.find("a1")[-2].answer is None
    wire.recorder.end(opened, wire.page(1), PAGE)
    assert wire.recorder.find("a1")[-2].answer is not None


def test_the_answer_to_the_callback_comes_after_the_token() -> None:
    wire = Wire()
    wire.log_in(1)
    callback, token = wire.recorder.find("a1")[-2:]
    assert callback.asked_at < token.asked_at < token.answered_at < callback.answered_at


def test_two_logins_at_once_are_told_apart() -> None:
    wire = Wire()
    first = get("/login")
    opened = wire.recorder.begin(APP, first)
    wire.log_in(2)
    wire.recorder.end(opened, first, to("http://server/authorize?state=s1"))
    wire.say(SERVER, get("/authorize?state=s1"), to("http://app/callback?code=c1&state=s1"))
    assert wire.found(2) == LOGIN
    assert [told(one) for one in wire.recorder.find_newest()] == LOGIN[:2]


def test_the_cookie_of_the_login_before_does_not_mix_the_two() -> None:
    wire = Wire()
    wire.log_in(1)
    wire.log_in(2, cookie="k1")
    wire.recorder.end(wire.look(1), wire.page(1), PAGE)
    assert wire.found(1) == [*LOGIN, *LOOK]
    assert wire.found(2) == LOGIN


@pytest.mark.parametrize(
    ("party", "request_"),
    [
        pytest.param(SERVER, get("/authorize?state=foreign"), id="foreign state"),
        pytest.param(SERVER, get("/authorize?state=s1&state=s1"), id="a state twice"),
        pytest.param(SERVER, post("/login", "transaction=foreign"), id="foreign transaction"),
        pytest.param(SERVER, post("/token", "code=foreign"), id="foreign code"),
        pytest.param(SERVER, get("/authorize", ("cookie", f"{COOKIE}=k1")), id="cookie, elsewhere"),
        pytest.param(API, get("/profile", ("authorization", "Bearer foreign")), id="foreign token"),
        pytest.param(API, get("/profile", ("authorization", "Basic a1")), id="another scheme"),
        pytest.param(API, get("/profile"), id="no token"),
        pytest.param(APP, get("/profile", ("cookie", f"{COOKIE}=foreign")), id="foreign cookie"),
        pytest.param(APP, get("/profile"), id="nobody"),
    ],
)
def test_what_belongs_to_nobody_is_not_kept(party: Party, request_: Request) -> None:
    wire = Wire()
    wire.log_in(1)
    wire.say(party, request_)
    assert wire.found(1) == LOGIN
    assert not wire.recorder.find("foreign")


def test_a_start_that_leads_nowhere_is_no_login() -> None:
    wire = Wire()
    wire.say(APP, get("/login"), Response(status=503))
    assert wire.recorder.find_newest() == ()


def test_what_a_party_looks_up_belongs_to_the_login_that_made_it_ask() -> None:
    wire = Wire()
    start = get("/login")
    opened = wire.recorder.begin(APP, start)
    wire.say(SERVER, get("/.well-known/openid-configuration"))
    wire.recorder.end(opened, start, to("http://server/authorize?state=s1"))
    assert [told(one) for one in wire.recorder.find_newest()] == [
        "3 BROWSER GET /login",
        "3 APPLICATION GET …/openid-configuration",
    ]


def test_what_the_api_looks_up_is_the_apis() -> None:
    wire = Wire()
    wire.log_in(1)
    page = wire.recorder.begin(APP, wire.page(1))
    call = get("/profile", ("authorization", "Bearer a1"))
    opened = wire.recorder.begin(API, call)
    wire.say(SERVER, get("/jwks"))
    wire.recorder.end(opened, call, PAGE)
    wire.recorder.end(page, wire.page(1), PAGE)
    assert wire.found(1) == [*LOGIN, *LOOK, "6 API GET /jwks"]


def test_what_either_of_two_may_have_asked_for_is_nobodys() -> None:
    wire = Wire()
    first, second = get("/login"), get("/login")
    both = [wire.recorder.begin(APP, first), wire.recorder.begin(APP, second)]
    wire.say(SERVER, get("/.well-known/openid-configuration"))
    for number, (opened, asked) in enumerate(zip(both, (first, second), strict=True)):
        wire.recorder.end(opened, asked, to(f"http://server/authorize?state=s{number}"))
    assert [told(one) for one in wire.recorder.find_newest()] == ["3 BROWSER GET /login"]


def test_a_reloaded_page_takes_the_place_of_the_one_before() -> None:
    wire = Wire()
    wire.log_in(1)
    for _ in range(3):
        wire.recorder.end(wire.look(1), wire.page(1), PAGE)
    assert wire.found(1) == [*LOGIN, *LOOK]


def test_a_request_without_an_answer_is_over_as_well() -> None:
    wire = Wire()
    wire.log_in(1)
    opened = wire.recorder.begin(APP, wire.page(1))
    wire.recorder.end(opened, wire.page(1), None)
    assert wire.found(1) == [*LOGIN, LOOK[0]]
    assert not wire.recorder._open


def test_the_login_that_was_quiet_longest_goes_first_and_whole() -> None:
    wire = Wire(most_logins=2)
    wire.log_in(1)
    wire.log_in(2)
    wire.recorder.end(wire.look(1), wire.page(1), PAGE)
    wire.log_in(3)
    assert wire.found(2) == []
    assert wire.found(1) == [*LOGIN, *LOOK]
    assert wire.found(3) == LOGIN
    kept = {mark for login in wire.recorder._logins for mark in login.marks}
    assert set(wire.recorder._owners) == kept


def test_one_login_cannot_grow_without_end() -> None:
    wire = Wire(most_exchanges=8)
    wire.log_in(1)
    for number in range(200):
        wire.say(APP, get(f"/callback?state=s1&code=x{number}"))
    assert len(wire.found(1)) == 8
    assert len(wire.recorder._owners) <= 64
