"""What clients and resource servers of a `House` do with tokens: ask about them, revoke them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient, AddResource
from codegrant.server.records import ClientRecord, ResourceRecord
from tests.flows.authorization_server import SECRET, basic, document
from tests.flows.house import CLIENTS, FORM_TYPE, Browser, House
from tests.flows.oidc import redeem, send, sign_in

API = "https://api.test"
OTHER_API = "https://other-api.test"
API_SECRET = "the secret of a resource server, long enough"

# What D8 and RFC 7662 §2.2 allow to be said of a token that the caller may not use or see.
INACTIVE = b'{"active":false}'


def add_apis(house: House) -> None:
    """Register two resource servers, `api` and `other-api`; client a may name both."""
    for resource_id, audience in (("api", API), ("other-api", OTHER_API)):
        resource = ResourceRecord(
            audience=audience,
            resource_id=resource_id,
            secret_digest=digest_of(API_SECRET),
            scope=("read",),
        )
        assert house.perform(AddResource(resource))
    house.change_client("a", audiences=(API, OTHER_API))


def add_second_client(house: House, **changes: Any) -> ClientRecord:
    """Register client b, which is like client a; return it."""
    first = next(client for client in CLIENTS if client.client_id == "a")
    client = replace(first, client_id="b", redirect_uris=("https://b.test/cb",), **changes)
    assert house.perform(AddClient(client))
    return client


def tokens_of_b(house: House, browser: Browser, scope: str) -> dict[str, Any]:
    """Return the tokens that a whole flow of client b gives."""
    page = sign_in(browser, client_id="b", redirect_uri="https://b.test/cb", scope=scope)
    return redeem(house, page, "b")


def revoke(
    house: House,
    token: str | None,
    *,
    auth: tuple[str, str] | None = ("a", SECRET),
    **form: str,
) -> Response:
    """Send a revocation request; None leaves the token out."""
    return _post(house, "/revoke", token, auth, form)


def introspect(
    house: House,
    token: str | None,
    *,
    auth: tuple[str, str] | None = ("a", SECRET),
    **form: str,
) -> Response:
    """Send an introspection request; None leaves the token out."""
    return _post(house, "/introspect", token, auth, form)


def is_active(house: House, token: str, auth: tuple[str, str] = ("a", SECRET)) -> bool:
    """Return whether a token is active; what is not must say so and nothing else."""
    answer = introspect(house, token, auth=auth)
    assert answer.status == 200, answer.body
    if document(answer)["active"]:
        return True
    assert answer.body == INACTIVE
    return False


def _post(
    house: House,
    path: str,
    token: str | None,
    auth: tuple[str, str] | None,
    form: dict[str, str],
) -> Response:
    pairs = form if token is None else {"token": token, **form}
    headers = (FORM_TYPE, *(() if auth is None else (basic(*auth),)))
    return send(house, "POST", path, urlencode(pairs), headers)
