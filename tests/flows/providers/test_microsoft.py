"""Entra's issuer is a template; it is never unchecked."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from codegrant import (
    CallbackRejected,
    ConfigurationError,
    MetadataRejected,
    TokenRejected,
    provider,
)
from codegrant.testing.personas import Person
from tests.flows.providers.conftest import MakeSite
from tests.support.personas import TENANT, Site, find_facts, make_persona

OTHER = "11111111-2222-3333-4444-555555555555"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"


def site_of(make: MakeSite, tenant: str, allowed: object, person: str) -> Site:
    persona = make_persona("microsoft", variables={"tenant": tenant}, person=Person(tenant=person))
    known = provider("microsoft", tenant=tenant, allowed_tenants=allowed)  # type: ignore[arg-type]
    return make("microsoft", known, persona=persona)


@pytest.mark.parametrize(
    ("tenant", "allowed", "person"),
    [
        pytest.param(TENANT, (), TENANT, id="one tenant"),
        pytest.param("common", [TENANT], TENANT, id="a listed one"),
        pytest.param("common", [OTHER.upper(), TENANT.upper()], TENANT, id="in capitals"),
        pytest.param("common", "any", OTHER, id="any"),
        pytest.param("common", "any", PERSONAL, id="any, a personal account"),
        pytest.param("organizations", "any", TENANT, id="organizations"),
        pytest.param("consumers", (), PERSONAL, id="consumers"),
    ],
)
def test_people_of_an_allowed_tenant_log_in(
    make: MakeSite, tenant: str, allowed: object, person: str
) -> None:
    site = site_of(make, tenant, allowed, person)
    tokens = site.log_in()
    found = site.identity(tokens)
    assert found.issuer == f"https://login.microsoftonline.com/{person}/v2.0"
    assert found.email == site.persona.person.email
    assert not found.email_verified
    assert site.identity(site.refresh(tokens)).issuer == found.issuer


@pytest.mark.parametrize(
    ("tenant", "allowed", "person", "code"),
    [
        pytest.param("common", [TENANT], OTHER, "tenant_refused", id="not listed"),
        pytest.param("common", [TENANT], PERSONAL, "tenant_refused", id="a personal account"),
        pytest.param("organizations", "any", PERSONAL, "tenant_refused", id="no organization"),
        pytest.param("organizations", [TENANT], OTHER, "tenant_refused", id="not listed there"),
        pytest.param("consumers", (), TENANT, "tenant_refused", id="no consumer"),
        pytest.param("common", "any", "../evil", "claim_malformed", id="no GUID"),
        pytest.param("common", "any", "", "claim_malformed", id="empty"),
    ],
)
def test_people_of_another_tenant_do_not(
    make: MakeSite, tenant: str, allowed: object, person: str, code: str
) -> None:
    with pytest.raises(TokenRejected) as caught:
        site_of(make, tenant, allowed, person).log_in()
    assert caught.value.code == code
    assert caught.value.stage == "id_token"


@pytest.mark.parametrize("tenant", [TENANT, "common"])
def test_a_token_whose_issuer_and_tenant_differ_is_refused(make: MakeSite, tenant: str) -> None:
    facts = replace(
        find_facts("microsoft"), second_issuer=f"https://login.microsoftonline.com/{OTHER}/v2.0"
    )
    persona = make_persona(facts, variables={"tenant": tenant})
    allowed = [TENANT, OTHER] if tenant == "common" else ()
    known = provider("microsoft", tenant=tenant, allowed_tenants=allowed)
    with pytest.raises(TokenRejected) as caught:
        make(facts, known, persona=persona).log_in()
    assert caught.value.code == "issuer_mismatch"


def test_a_callback_may_name_the_tenant_s_issuer_and_no_other(make: MakeSite) -> None:
    facts = replace(find_facts("microsoft"), iss=True)
    known = provider("microsoft", tenant="common", allowed_tenants=[TENANT])
    persona = make_persona(facts, variables={"tenant": "common"})
    site = make(facts, known, persona=persona)
    assert site.identity(site.log_in()).issuer.endswith(f"/{TENANT}/v2.0")
    for iss in (f"https://login.microsoftonline.com/{OTHER}/v2.0", "https://evil.example", TENANT):
        login = site.start()
        callback = site.persona.authorize(login.url)
        query = dict(parse_qsl(urlsplit(callback).query)) | {"iss": iss}
        with pytest.raises(CallbackRejected) as caught:
            site.finish(f"{callback.partition('?')[0]}?{urlencode(query)}", login)
        assert caught.value.code == "iss_mismatch"


def test_a_refresh_that_moves_to_another_tenant_is_refused(make: MakeSite) -> None:
    site = site_of(make, "common", [TENANT, OTHER], TENANT)
    tokens = site.log_in()
    site.persona.person = Person(tenant=OTHER)
    site.persona.move_grants()
    with pytest.raises(TokenRejected) as caught:
        site.refresh(tokens)
    assert caught.value.code == "issuer_mismatch"


@pytest.mark.parametrize(
    "published",
    ["https://evil.example/{tenantid}/v2.0", "https://login.microsoftonline.com/other/v2.0", ""],
)
def test_metadata_of_another_issuer_is_refused(make: MakeSite, published: str) -> None:
    facts = replace(find_facts("microsoft"), published_issuer=published or "null")
    persona = make_persona(facts, variables={"tenant": "common"})
    known = provider("microsoft", tenant="common", allowed_tenants=[TENANT])
    with pytest.raises(MetadataRejected) as caught:
        make(facts, known, persona=persona).start()
    assert caught.value.code == "issuer_mismatch"


def test_the_template_is_no_issuer_for_one_tenant(make: MakeSite) -> None:
    template = "https://login.microsoftonline.com/{tenantid}/v2.0"
    facts = replace(find_facts("microsoft"), published_issuer=template)
    with pytest.raises(MetadataRejected):
        make(facts).start()
    with pytest.raises(MetadataRejected):
        make(replace(find_facts("gitlab"), published_issuer=template)).start()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "tenant: Microsoft Entra ID needs it", id="no tenant"),
        pytest.param({"tenant": "contoso.example"}, "tenant: 'contoso.example' is not", id="name"),
        pytest.param({"tenant": "common"}, "allowed_tenants: common lets", id="no list"),
        pytest.param({"tenant": "organizations"}, "allowed_tenants: org", id="no list either"),
        pytest.param(
            {"tenant": "common", "allowed_tenants": ["contoso"]}, "allowed_tenants: 'con", id="id"
        ),
        pytest.param(
            {"tenant": "common", "allowed_tenants": TENANT}, "a list of ids", id="one text"
        ),
        pytest.param(
            {"tenant": TENANT, "allowed_tenants": [TENANT]}, "one tenant by itself", id="both"
        ),
    ],
)
def test_tenants_are_named_with_care(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        provider("microsoft", **arguments)  # type: ignore[arg-type]
