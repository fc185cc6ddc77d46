"""Which issuer an ID token must name at a provider whose issuer has several spellings.

Layer: rules. Nothing here lets a token pass without a check of its issuer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from codegrant.errors import TokenRejected
from codegrant.messages.json import JsonValue
from codegrant.providers import Provider, TenantRule
from codegrant.rules.claims import at_stage, read_text, rejected

__all__ = ["expected_callback_issuer", "expected_issuer"]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def expected_issuer(provider: Provider | None, issuer: str, claims: Mapping[str, JsonValue]) -> str:
    """Return the issuer that a token with `claims` must name.

    Args:
        provider: of the catalogue, or None.
        issuer: of the configuration.
        claims: nobody has vouched for them yet; they choose among what is allowed.

    Raises:
        TokenRejected: `tenant_refused`, `claim_missing` or `claim_malformed`.

    OpenID Connect Core §3.1.3.7 (2).
    """
    if provider is None or provider.tenants is None:
        return issuer
    with at_stage("id_token"):
        return _tenant_issuer(provider.tenants, read_text(claims, "tid"))


def expected_callback_issuer(provider: Provider | None, issuer: str, claimed: str | None) -> str:
    """Return the issuer that a callback must name, if it names one.

    Args:
        provider: of the catalogue, or None.
        issuer: of the configuration.
        claimed: what the callback names; it chooses among what is allowed.

    RFC 9207 §2.4.
    """
    if provider is None or provider.tenants is None or claimed is None:
        return issuer
    before, _, after = provider.tenants.template.partition("{tenantid}")
    try:
        return _tenant_issuer(provider.tenants, claimed.removeprefix(before).removesuffix(after))
    except TokenRejected:
        return issuer


def _tenant_issuer(rule: TenantRule, tenant: str) -> str:
    """Return the issuer of a tenant that may log people in."""
    if not _GUID.fullmatch(tenant):
        raise rejected(
            "tid", "the claim is no tenant's id", code="claim_malformed", expected="a GUID",
            got=tenant,
        )  # fmt: skip
    if tenant in rule.refused or (rule.allowed and tenant not in rule.allowed):
        raise rejected(
            "tid", "people of this tenant may not log in here", code="tenant_refused",
            got=tenant,
            hint="allowed_tenants of provider('microsoft', ...) says whose may",
        )  # fmt: skip
    return rule.template.replace("{tenantid}", tenant)
