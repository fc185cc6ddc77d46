"""docs/providers/index.md, written from the catalogue: `python -m tests.support.provider_index`."""

from __future__ import annotations

from codegrant.providers import IDS, Provider, find_entry
from codegrant.providers.entry import Entry
from tests.support.documents import ROOT

INDEX = ROOT / "docs" / "providers" / "index.md"
PAGES = ROOT / "docs" / "providers"

HEAD = """\
# Known providers

`Client("google", ...)` names a provider of this catalogue instead of an issuer; one that
differs from customer to customer is named by `provider("microsoft", tenant=...)`. Any other
OpenID provider works by its issuer, `Client("https://issuer.example", ...)`.

This page is written from the data that the client uses
(`python -m tests.support.provider_index`), and a test compares the two. A *quirk* is where a
provider departs from the standards: the client makes that one exception for that one provider,
and stays strict in everything else, and for everybody else.

`client.identity(tokens)`, and `login.identity` in a web application, say who somebody is in one
form for all of them: `Identity(issuer, subject, email, email_verified, name, picture, raw)`. The
key of an account is (`issuer`, `subject`). `email_verified` is true only where the provider is
known to prove addresses, and says that it has; never link accounts by an address without it.

What stands under *unverified* was not seen in a source of the provider: try it before you rely
on it.
"""

_PROOF = {
    "told": "`email_verified` as the provider says it",
    "always": "every address it gives is a verified one",
    "never": "`email_verified` is always False",
}
_PKCE = {"always": "S256", "if_listed": "S256 where the metadata lists it", "never": "none"}


def write() -> str:
    """Return the page."""
    contents = "\n".join(f"- [{_name(one)}](#{_anchor(one)})" for one in _entries())
    return "\n".join([HEAD, contents, "", *map(_section, _entries())])


def _entries() -> list[Entry]:
    return [find_entry(name) for name in IDS]


def _name(entry: Entry) -> str:
    return entry.provider.name


def _anchor(entry: Entry) -> str:
    kept = "".join(c for c in _name(entry).lower() if c.isalnum() or c in " -")
    return kept.replace(" ", "-")


def _section(entry: Entry) -> str:
    known = entry.provider
    rows = [
        ("In the program", f"`{_call(entry)}`"),
        ("Speaks", "OpenID Connect" if known.user.source == "id_token" else "OAuth 2"),
        ("Default scope", _code(known.scope_separator.join(known.scope)) or "none"),
        ("Client authentication", f"`{known.auth_method}`"),
        ("PKCE", _PKCE[known.pkce]),
        ("Refresh token", _offline(known)),
        ("E-mail", _PROOF[known.user.email_proof] if known.user.email or known.emails else "none"),
    ]
    if known.emails is not None:
        rows[-1] = ("E-mail", "verified only as the list of addresses says it")
    lines = [f"## {known.name}", ""]
    if (PAGES / f"{known.id}.md").exists():
        lines += [f"Step by step: [{known.name}]({known.id}.md).", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows), ""]
    for title, texts in (
        ("Quirks", [one.value for one in sorted(known.quirks, key=lambda one: one.name)]),
        ("To know", known.notes),
        ("Unverified", known.unverified),
    ):
        if texts:
            lines += [f"{title}:", "", *(f"- {text}" for text in texts), ""]
    return "\n".join(lines)


def _call(entry: Entry) -> str:
    name = entry.provider.id
    if not entry.needs:
        return f'Client("{name}", ...)'
    given = ", ".join(f"{variable}=..." for variable in entry.needs)
    return f'Client(provider("{name}", {given}), ...)'


def _offline(known: Provider) -> str:
    ways = [f"`{name}={value}`" for name, value in known.offline_params]
    if known.offline_scope:
        ways.append(f"the scope `{known.offline_scope}`")
    if ways:
        return f"with `offline=True`, by {' and '.join(ways)}"
    return "as the provider gives it"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    INDEX.write_text(write(), encoding="utf-8")
