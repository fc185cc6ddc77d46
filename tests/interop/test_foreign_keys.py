"""Our keys change while foreign clients know the old ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.authlib_client import FlaskApp, fetch
from tests.interop.conftest import Scripts, Site
from tests.interop.foreign_client import ForeignClient, ForeignRefusal, NodeClient
from tests.interop.idpyoidc_client import IdpyoidcClient
from tests.support.relying_party import administer
from tests.support.waiting import wait_until

# oauth4webapi, and openid-client on it, take this long for granted that they know all keys.
LOOKS_AGAIN = 60


def published(site: Site) -> set[str]:
    return {key["kid"] for key in fetch(f"{site.issuer}/jwks")["keys"]}


def log_in(client: ForeignClient, site: Site, **more: Any) -> str:
    tokens = client.finish(site.alice.authorize(client.start("openid", **more)))
    return str(tokens["claims"]["sub"])


@pytest.mark.needs("node")
def test_libraries_that_know_the_old_keys_learn_the_new_ones(
    root_site: Site, scripts: Scripts
) -> None:
    party = root_site.party()
    libraries = [scripts(name) for name in ("openid-client", "oauth4webapi")]
    clients = [NodeClient(script, party) for script in libraries]
    idpyoidc = IdpyoidcClient(party)
    authlib = FlaskApp(party)
    everybody: list[ForeignClient] = [*clients, idpyoidc]
    for each in everybody:
        assert log_in(each, root_site) == root_site.subject
    assert "claims" in authlib.finish(root_site.alice.authorize(authlib.start()))
    known = published(root_site)

    administer(root_site.server, "keys", "rotate", "--now", "--json")
    wait_until(lambda: published(root_site) > known)

    for client in clients:
        first = client.login
        with pytest.raises(ForeignRefusal) as caught:
            log_in(client, root_site, keys_of=first)
        assert "key" in str(caught.value), caught.value
        again = {"keys_of": first, "keys_age": LOOKS_AGAIN}
        assert log_in(client, root_site, **again) == root_site.subject
    assert log_in(idpyoidc, root_site) == root_site.subject
    assert "claims" in authlib.finish(root_site.alice.authorize(authlib.start()))
