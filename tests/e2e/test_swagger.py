"""`web.fastapi_resource.Bearer`: an API whose Swagger page logs in, at a running server."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import fastapi
import httpx2
import pytest

from codegrant.resource import AsyncResourceServer
from codegrant.web.fastapi_resource import AccessToken, Bearer
from tests.support.documents import ROOT, example
from tests.support.person import Person
from tests.support.serving import Serving

API = "http://127.0.0.1:5001"
REDIRECT_URI = f"{API}/docs/oauth2-redirect"  # where FastAPI's page has it
AUDIENCE = "https://swagger.example"


@pytest.fixture(scope="module")
def client_id(shared_server: Serving) -> str:
    """Return the public client of the page, which the server knows like any other."""
    shared_server.run("resources", "add", AUDIENCE, "--id", "swagger-api", "--scope", "profile")
    options = ["--public", "--audience", AUDIENCE, "--scope", "openid profile email"]
    shared_server.run("clients", "add", "swagger", "--redirect-uri", REDIRECT_URI, *options)
    return "swagger"


@pytest.fixture
def app(shared_server: Serving, client_id: str) -> Iterator[fastapi.FastAPI]:
    app = fastapi.FastAPI()
    server = AsyncResourceServer(shared_server.issuer, audience=AUDIENCE)
    bearer = Bearer(
        app,
        server,
        authorization_url=f"{shared_server.issuer}/authorize",
        token_url=f"{shared_server.issuer}/token",
        scopes={"profile": "who you are", "email": "your address"},
        client_id=client_id,
    )

    def profile(
        token: AccessToken = fastapi.Security(bearer, scopes=["profile"]),  # noqa: B008
    ) -> dict[str, Any]:
        return {"subject": token.subject}

    def mail(
        token: AccessToken = fastapi.Security(bearer, scopes=["email"]),  # noqa: B008
    ) -> dict[str, Any]:
        return {"subject": token.subject}

    app.get("/profile")(profile)
    app.get("/mail")(mail)
    yield app
    asyncio.run(server.aclose())


def ask(app: fastapi.FastAPI, path: str, bearer: str = "") -> httpx2.Response:
    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=API) as client:
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            return await client.get(path, headers=headers)

    return asyncio.run(send())


def test_the_document_says_how_to_log_in_and_fetches_nothing(
    app: fastapi.FastAPI, shared_server: Serving
) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"] == {
        "OAuth2": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{shared_server.issuer}/authorize",
                    "tokenUrl": f"{shared_server.issuer}/token",
                    "scopes": {"profile": "who you are", "email": "your address"},
                }
            },
        }
    }
    assert document["paths"]["/profile"]["get"]["security"] == [{"OAuth2": ["profile"]}]
    assert document["paths"]["/mail"]["get"]["security"] == [{"OAuth2": ["email"]}]


def log_in_as_the_page_does(app: fastapi.FastAPI, shared_server: Serving, scope: str) -> str:
    """Return the access token that Swagger's page gets with what the two documents say."""
    page = ask(app, "/docs").text
    settings = json.loads(page.partition("ui.initOAuth(")[2].partition(")")[0])
    assert settings["usePkceWithAuthorizationCodeGrant"] is True
    flow = app.openapi()["components"]["securitySchemes"]["OAuth2"]["flows"]["authorizationCode"]
    verifier, state = token_urlsafe(32), token_urlsafe(8)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": settings["clientId"],
        "redirect_uri": REDIRECT_URI,
        "scope": scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    person = Person(shared_server.issuer)
    callback = person.authorize(f"{flow['authorizationUrl']}?{urlencode(asked)}")
    assert callback.startswith(f"{REDIRECT_URI}?")
    answer = dict(parse_qsl(urlsplit(callback).query))
    assert answer["state"] == state
    # The page's request has a header that makes a browser ask before it.
    preflight = httpx2.options(
        flow["tokenUrl"],
        headers={
            "origin": API,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,x-requested-with",
        },
    )
    allowed = preflight.headers["access-control-allow-headers"].split(", ")
    assert {"content-type", "x-requested-with"} <= set(allowed)
    redeemed = httpx2.post(
        flow["tokenUrl"],
        data={
            "grant_type": "authorization_code",
            "code": answer["code"],
            "client_id": settings["clientId"],
            "redirect_uri": REDIRECT_URI,
            "code_verifier": verifier,
        },
        headers={"origin": API, "x-requested-with": "XMLHttpRequest"},
    )
    # Or the page could not read it.
    assert redeemed.headers["access-control-allow-origin"] in {"*", API}
    return str(redeemed.json()["access_token"])


def test_the_page_logs_in_with_pkce_and_its_token_is_good(
    app: fastapi.FastAPI, shared_server: Serving
) -> None:
    subject = shared_server.run("users", "show", "alice").json["sub"]
    token = log_in_as_the_page_does(app, shared_server, "profile")
    answer = ask(app, "/profile", token)
    assert (answer.status_code, answer.json()) == (200, {"subject": subject})
    assert answer.headers["cache-control"] == "private, no-store"
    refused = ask(app, "/mail", token)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    both = log_in_as_the_page_does(app, shared_server, "profile email")
    assert ask(app, "/mail", both).status_code == 200


@pytest.mark.parametrize("bearer", ["", "x.y.z", "opaque"])
def test_without_a_good_token_there_is_a_challenge(app: fastapi.FastAPI, bearer: str) -> None:
    refused = ask(app, "/profile", bearer)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert ask(app, f"/profile?access_token={bearer or 'x'}").status_code in {400, 401}


def test_without_a_client_the_page_has_none(tmp_path: Path) -> None:
    app = fastapi.FastAPI()
    server = AsyncResourceServer("https://issuer.example", audience=AUDIENCE)
    Bearer(app, server, authorization_url="https://a.example", token_url="https://t.example")
    assert "initOAuth" not in ask(app, "/docs").text
    asyncio.run(server.aclose())


def test_the_program_of_the_page_about_fastapi_runs(
    shared_server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSUER", shared_server.issuer)
    program = example("fastapi_api.py", ROOT / "docs" / "fastapi.md")
    names: dict[str, Any] = {"__name__": "fastapi_api"}
    exec(compile(program.text, program.name, "exec"), names)  # noqa: S102 - the documentation
    document = names["app"].openapi()
    assert document["paths"]["/profile"]["get"]["security"] == [{"OAuth2": ["profile"]}]
    assert ask(names["app"], "/profile").status_code == 401
    assert '"clientId": "swagger"' in ask(names["app"], "/docs").text
    asyncio.run(names["bearer"]._resource_server.aclose())
