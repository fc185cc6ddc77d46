"""Every requirement of the standards that Codegrant answers for, and where we stand.

A row is shown by the tests that carry `@pytest.mark.requirement("AS-AZ-01")`. A row that no
test carries stands in `OPEN`; one that waits for an endpoint or a grant to be whole stands
in `PARTIAL` with what it waits for. `test_requirements.py` holds the three together.

One row per line: id, `1` for the first milestone (code, PKCE, refresh, OpenID core,
metadata, revocation, introspection), what is demanded, where it is written, how strongly,
and how it is seen from outside. "project" marks where we are stricter than the source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Requirement(NamedTuple):
    """One row."""

    id: str
    milestone: bool
    sentence: str
    source: str
    level: str
    check: str

    @property
    def group(self) -> str:
        return self.id.rpartition("-")[0]


_TABLE = r"""
# AS-META: Metadata and discovery
AS-META-01 | 1 | Publishes JSON metadata at `/.well-known/oauth-authorization-server` (path inserted between host and issuer path) | RFC 8414 §3, §3.1 | MUST | GET the computed URL: 200, `application/json`; for issuer `https://h/t1` it is `https://h/.well-known/oauth-authorization-server/t1`
AS-META-02 | 1 | Publishes `{issuer}/.well-known/openid-configuration` (path appended to issuer) | OIDC Discovery §4.1 | MUST | GET: 200 JSON; `issuer` equals the configured issuer
AS-META-03 | 1 | `issuer` is https (http on loopback only), no query, no fragment, identical in both documents, in ID tokens and in response `iss` | RFC 8414 §2, §3.3; Disc. §4.3 | MUST | Compare all with `==` (no trailing-slash tolerance)
AS-META-04 | 1 | Required members present: `issuer`, `authorization_endpoint`, `token_endpoint`, `jwks_uri`, `response_types_supported`, `subject_types_supported`, `id_token_signing_alg_values_supported` (has RS256) | Disc. §3; RFC 8414 §2 | MUST | Schema check of both documents; shared members agree
AS-META-05 | 1 | Claims with zero elements are left out; no `null` values | RFC 8414 §3.2; Disc. §4.2 | MUST | Walk JSON: no `[]`, no `null`
AS-META-06 | 1 | Advertises `code_challenge_methods_supported` with `S256` and without `plain` | RFC 9700 §2.1.1; RFC 8414 §2 | SHOULD (MUST be detectable) | `== ["S256"]`; a `plain` request then fails
AS-META-07 | 1 | Advertises `authorization_response_iss_parameter_supported: true` | RFC 9207 §3 | MUST | True, and every redirect (success and error) carries `iss`
AS-META-08 | 1 | Advertised auth methods, grant types, response modes and algs equal what the endpoints accept | RFC 8414 §2 | MUST | One positive call for each advertised value; one negative for each known unadvertised value
AS-META-09 | 1 | Publishes `revocation_endpoint`, `introspection_endpoint` and their `*_auth_methods_supported` | RFC 8414 §2 | OPTIONAL (project MUST) | Members present; endpoints answer POST
AS-META-10 | 1 | Endpoint URLs and issuer do not depend on `Host`/`X-Forwarded-*` of the request | RFC 9700 §4.13 | MUST | GET discovery with `Host: evil.test`, `X-Forwarded-Host: evil.test`: same values, or 4xx
AS-META-11 | 1 | No endpoint URL has a fragment; all https (http only for loopback development issuers) | RFC 6749 §3.1, §3.2 | MUST | Parse every `*_endpoint`/`*_uri`
AS-META-12 | 1 | CORS allowed on metadata, JWKS, token, revocation, userinfo; never on the authorization endpoint | RFC 9700 §2.6; OAuth 2.1 §3.1 | MUST NOT (authz) | Send `Origin` and preflight: no `Access-Control-Allow-*` on the authz endpoint

# AS-AZ: Authorization endpoint
AS-AZ-01 | 1 | Supports GET, and POST form for OIDC | RFC 6749 §3.1; OIDC Core §3.1.2.1 | MUST | Same request by GET and by POST reaches the login page
AS-AZ-02 | 1 | HEAD, PUT and other methods never record consent or issue a code | Hardening (GitHub 2019 HEAD bypass) | MUST | HEAD/PUT with an authenticated session: no `code` in any `Location`
AS-AZ-03 | 1 | Missing or unknown `client_id`, or bad `redirect_uri`: error page, never a redirect | RFC 6749 §3.1.2.4, §4.1.2.1 | MUST NOT redirect | Status 400, no `Location`, in each case
AS-AZ-04 | 1 | Client and redirect URI are validated before any other parameter and before any error redirect | RFC 6749 §4.1.2.1; RFC 9700 §4.11.2 | MUST | Bad `redirect_uri` plus bad `response_type`/`scope`/`prompt=none`: still no redirect
AS-AZ-05 | 1 | Errors: missing `response_type` = `invalid_request`; unsupported = `unsupported_response_type`; not allowed = `unauthorized_client`; scope = `invalid_scope` | RFC 6749 §4.1.2.1 | MUST | One request each; redirected with `state` and `iss`
AS-AZ-06 | 1 | Implicit and hybrid response types are refused | OAuth 2.1 §10.1; RFC 9700 §2.1.2 | SHOULD NOT offer (project MUST NOT) | `token`, `id_token`, `code id_token`: `unsupported_response_type`
AS-AZ-07 | 1 | Repeated protocol parameter is refused with `invalid_request` | RFC 6749 §3.1 | MUST | `scope=a&scope=b`, two `state`; two `redirect_uri`/`client_id` give an error page
AS-AZ-08 | 1 | Parameter with empty value is treated as omitted | RFC 6749 §3.1 | MUST | `state=`: no `state` in response; `code_challenge=` counts as missing
AS-AZ-09 | 1 | Unknown parameters are ignored | RFC 6749 §3.1 | MUST | Add `foo=bar`: flow works
AS-AZ-10 | 1 | `state` is echoed unchanged in success and error redirects | RFC 6749 §4.1.2, §4.1.2.1 | MUST | State with `+ %20 & = #`, unicode, 512 chars round-trips
AS-AZ-11 | 1 | Adds `iss` (own issuer) to success and error responses | RFC 9207 §2 | MUST | Parse redirect; exact compare with metadata
AS-AZ-12 | 1 | Query of the registered redirect URI is retained when parameters are added | RFC 6749 §3.1.2 | MUST | Registered `https://c/cb?x=1`: `Location` has `x=1` and `code`
AS-AZ-13 | 1 | User denial gives `access_denied` at the client redirect URI | RFC 6749 §4.1.2.1 | MUST | Deny on the consent form
AS-AZ-14 | 1 | Redirects after a form post use 303 (never 307/308) | RFC 9700 §4.12; OAuth 2.1 §7.5.3 | MUST NOT 307; SHOULD 303 | Status of login and consent POST answers
AS-AZ-15 | 1 | Input sizes are bounded: over-long input gives 4xx, never 5xx | RFC 6749 §10.14 | MUST sanitise | 64 KiB `state`/`scope`: 400/413/414
AS-AZ-16 | 1 | Error text stays in `%x20-21 / %x23-5B / %x5D-7E` | RFC 6749 §4.1.2.1, §5.2 | MUST NOT exceed | Quotes, CR/LF, non-ASCII in values; charset check of `error_description`
AS-AZ-17 | 1 | Consent shows client name, redirect host, and scopes in words | RFC 6749 §10.2; OIDC Core §3.1.2.4 | SHOULD | Text of the consent page
AS-AZ-18 | 1 | Public clients with unassured identity get consent every time | RFC 8252 §8.6; RFC 6749 §10.2 | SHOULD NOT auto-approve | Second request of public loopback client shows consent again
AS-AZ-19 | - | `response_mode` limited to `query` and `form_post` | OAuth 2.0 Multiple Response Types §2.1; OAuth 2.1 | SHOULD | `response_mode=fragment`: error

# AS-RED: Redirect URI rules
AS-RED-01 | 1 | Clients register complete redirect URIs | RFC 9700 §4.1.3; OAuth 2.1 §2.3.1 | MUST | Registration without `redirect_uris` refused for code grant
AS-RED-02 | 1 | Comparison is exact string comparison (RFC 3986 §6.2.1) | RFC 9700 §2.1, §4.1.3 | MUST | Case, trailing slash, extra path, extra query, `%2e`, `:443`, `..` variants: refused
AS-RED-03 | 1 | Only loopback http redirect URIs may differ, and only in the port | RFC 8252 §7.3; RFC 9700 §2.1 | MUST | `http://127.0.0.1:{any}/cb` accepted; other path, host, query refused
AS-RED-04 | 1 | Loopback exception covers `127.0.0.1` and `[::1]` literals; `localhost` discouraged and never equal to them | RFC 8252 §7.3, §8.3 | NOT RECOMMENDED (localhost) | `http://localhost:9/cb` against registered `http://127.0.0.1/cb`: refused
AS-RED-05 | 1 | Redirect URI is absolute and has no fragment | RFC 6749 §3.1.2 | MUST | Register or request with `#x`: refused
AS-RED-06 | 1 | Plain `http` redirect URIs refused except loopback | RFC 9700 §2.6 | MUST NOT | Register `http://example.com/cb`: refused
AS-RED-07 | 1 | `redirect_uri` may be omitted only when exactly one is registered, and never for OIDC | RFC 6749 §3.1.2.3; OIDC Core §3.1.2.1 | MUST | Two registered, none sent: error page; `openid` and none sent: error
AS-RED-08 | - | Private-use schemes need a dot; `javascript:`, `data:`, `file:`, `vbscript:` refused | RFC 8252 §7.1, §8.4; OAuth 2.1 §2.3.1 | SHOULD | Register each: `invalid_redirect_uri`
AS-RED-09 | 1 | `redirect_uri` at the token endpoint, when sent, equals the one bound to the code; 2.0-mode clients must send it | RFC 6749 §4.1.3; OAuth 2.1 §10.2 | MUST | Other registered URI at token: `invalid_grant`; omitted: refused in 2.0 mode, accepted in 2.1 mode

# AS-PKCE: PKCE
AS-PKCE-01 | 1 | PKCE supported | RFC 9700 §2.1.1 | MUST | S256 round trip works
AS-PKCE-02 | 1 | Public clients without `code_challenge` are refused | RFC 9700 §2.1.1; RFC 7636 §4.4.1 | MUST | `invalid_request` at the redirect URI
AS-PKCE-03 | 1 | Required for confidential clients too (waiver only by policy with OIDC nonce) | OAuth 2.1 §4.1.1, §7.5.1 | MUST (2.1) | Confidential client without challenge: `invalid_request`
AS-PKCE-04 | 1 | If a challenge was sent, the correct `code_verifier` is required | RFC 7636 §4.6; RFC 9700 §2.1.1 | MUST | Omitted, empty, wrong: `invalid_grant` (`invalid_request` for missing)
AS-PKCE-05 | 1 | `code_verifier` without a challenge in the authorization request is refused | RFC 9700 §2.1.1, §4.8.2 | MUST | Policy-waived client sends verifier anyway: error
AS-PKCE-06 | 1 | Only `S256`; `plain` or absent method (= plain) refused | RFC 9700 §2.1.1; RFC 7636 §4.3 | SHOULD (project MUST) | Method omitted or `plain`: `invalid_request`
AS-PKCE-07 | 1 | Verifier syntax: 43-128 unreserved characters | RFC 7636 §4.1 | MUST | 42 and 129 chars, `+/=` chars: refused
AS-PKCE-08 | 1 | S256 challenge has 43 base64url characters without padding | RFC 7636 §4.2 | MUST | Padded or 42-char challenge: `invalid_request`
AS-PKCE-09 | 1 | Challenge bound to the code; never returned in a response | RFC 7636 §4.4 | MUST NOT | Search redirect and token response
AS-PKCE-10 | 1 | Verifier guessing is bounded | RFC 7636 §7.1 (entropy); CVE-2026-41213 | SHOULD | After 5 wrong verifiers the code is dead

# AS-CODE: Authorization code
AS-CODE-01 | 1 | Code bound to client, redirect URI, challenge, user, scope, nonce | RFC 6749 §4.1.2, §10.5 | MUST | Client B redeems code of A: `invalid_grant`
AS-CODE-02 | 1 | Code is single use | RFC 6749 §4.1.2 | MUST NOT reuse | Redeem twice: second `invalid_grant`
AS-CODE-03 | 1 | On a valid replay the tokens of the first redemption are revoked | RFC 6749 §4.1.2; OAuth 2.1 §4.1.3 | SHOULD | After replay: first AT inactive, first RT refused
AS-CODE-04 | 1 | Replay with wrong verifier or failed client authentication does not revoke | OAuth 2.1 §7.5.2 | SHOULD NOT | Replay with bad verifier: first AT still active
AS-CODE-05 | 1 | Concurrent redemption yields exactly one success | RFC 6749 §10.5 | MUST | 20 parallel requests: one 200
AS-CODE-06 | 1 | Lifetime ≤10 min; default 60 s | RFC 6749 §4.1.2; FAPI 2.0 §5.3.2.1 | MUST expire; RECOMMENDED ≤10 min | Past configured lifetime: `invalid_grant`
AS-CODE-07 | 1 | Unguessable: probability ≤2^-128 (2^-160 recommended) | RFC 6749 §10.10 | MUST | 1000 codes unique, ≥22 base64url chars
AS-CODE-08 | 1 | Code redemption checks that user and client are still enabled | RFC 6749 §5.2 (practice) | SHOULD | Disable user between redirect and token: `invalid_grant`
AS-CODE-09 | 1 | Code not exposed by `Referer`, page bodies or caches | RFC 9700 §4.2.4 | SHOULD | `Referrer-Policy: no-referrer`, `no-store` on AS pages

# AS-TOK: Token endpoint
AS-TOK-01 | 1 | Accepts only POST | RFC 6749 §3.2 | MUST | GET/PUT: 405 (or 400)
AS-TOK-02 | 1 | Takes parameters only from a form body | RFC 6749 §3.2, §4.1.3; OAuth 2.1 §2.4.1 | MUST | JSON body and query-string parameters: `invalid_request`
AS-TOK-03 | 1 | Success: 200 JSON with `access_token`, `token_type`, `expires_in` | RFC 6749 §5.1 | MUST (expires_in RECOMMENDED) | Schema check
AS-TOK-04 | 1 | `Cache-Control: no-store` on success and error (and `Pragma: no-cache` in 2.0 mode) | RFC 6749 §5.1; OAuth 2.1 §3.2.3 | MUST | Header check
AS-TOK-05 | 1 | Errors: 400 JSON; `invalid_client` 401 with `WWW-Authenticate` when the Authorization header was used | RFC 6749 §5.2 | MUST | Bad Basic secret: 401 + `WWW-Authenticate: Basic`
AS-TOK-06 | 1 | Missing `grant_type` = `invalid_request`; unknown = `unsupported_grant_type`; not allowed = `unauthorized_client` | RFC 6749 §5.2 | MUST | One request each
AS-TOK-07 | 1 | Password grant not implemented | RFC 9700 §2.4 | MUST NOT | `grant_type=password`: `unsupported_grant_type`
AS-TOK-08 | 1 | Repeated parameters: `invalid_request` | RFC 6749 §3.2 | MUST NOT repeat | Two `code`, `grant_type`, `client_id`
AS-TOK-09 | 1 | Empty parameter treated as omitted, never as a skip of verification | RFC 6749 §3.2; CVE-2026-73309 | MUST | `client_secret=`, `code_verifier=`: 400/401
AS-TOK-10 | 1 | Unknown parameters ignored | RFC 6749 §3.2 | MUST | Add `foo=1`: 200
AS-TOK-11 | 1 | `scope` returned when it differs from the request | RFC 6749 §5.1 | MUST | Ask more than allowed: response lists granted scope
AS-TOK-12 | 1 | Bad percent-encoding, non-UTF-8, NUL in the body: 400, never 500 | RFC 6749 App. B, §10.14 | MUST | `code=%ff%fe`, `code=%00`
AS-TOK-13 | 1 | Errors do not tell random, foreign, used and expired values apart | RFC 6749 §5.2 (`invalid_grant`) | SHOULD | Same body for each

# AS-CA: Client authentication
AS-CA-01 | 1 | Confidential clients authenticate at token, revocation, introspection, PAR | RFC 6749 §3.2.1; RFC 7009 §2.1; RFC 7662 §2.1 | MUST | No credentials: 401 `invalid_client`
AS-CA-02 | 1 | `client_secret_basic`: id and secret are form-urlencoded before base64 | RFC 6749 §2.3.1 | MUST | Secret with `:`, `%`, `+`, space, unicode works when encoded
AS-CA-03 | 1 | `client_secret_post` in the body only | RFC 6749 §2.3.1; OAuth 2.1 §2.4.1 | MUST (2.1) | Secret in the query string: refused
AS-CA-04 | 1 | More than one method in one request is refused | RFC 6749 §2.3 | MUST NOT | Basic + `client_secret`: `invalid_request`
AS-CA-05 | 1 | Only the registered `token_endpoint_auth_method` works | RFC 7591 §2 | SHOULD (project MUST) | Registered basic, sends post: `invalid_client`
AS-CA-06 | 1 | `client_id` in the body must equal the authenticated client | RFC 6749 §3.2.1; CVE-2026-118669 | MUST | Basic A + `client_id=B`: 400/401
AS-CA-07 | 1 | A confidential client cannot act as public by leaving out the secret | RFC 6749 §3.2.1 | MUST | `client_id` only: 401
AS-CA-08 | 1 | Secrets compared in constant time, stored hashed | RFC 6749 §10.10; RFC 9700 §2.5 | SHOULD | Timing test; storage inspection
AS-CA-09 | 1 | Secret guessing is rate-limited | RFC 6749 §2.3.1 | MUST | After N failures: 429
AS-CA-10 | 1 | Generated secrets ≥128 bits; client ids cannot equal a user `sub` | RFC 6749 §10.10; RFC 9700 §4.15.1 | MUST/SHOULD NOT | Secret length; client-chosen id refused
AS-CA-11 | - | `private_key_jwt`: `iss`=`sub`=client_id, `exp`, `jti`, signature by registered key and alg | RFC 7523 §3; OIDC Core §9 | MUST | Remove or alter each: 401 `invalid_client`
AS-CA-12 | - | Assertion `aud` is the issuer identifier as sole string value | draft-ietf-oauth-rfc7523bis; FAPI 2.0 §5.3.2.1 | MUST | aud = token endpoint, array, other AS: refused (legacy flag may admit token endpoint)
AS-CA-13 | - | `jti` used once until `exp`; `exp` bounded (≤5 min ahead) | RFC 7523 §3; RFC 7521 §5.2 | MAY (OIDC: single use; project MUST) | Replay: 401; `exp` +1 day: 401
AS-CA-14 | - | `client_assertion_type` exact URN; both parameters needed | RFC 7521 §4.2 | MUST | Omit one: `invalid_request`/`invalid_client`
AS-CA-15 | - | Assertions: `none` and HS* refused for `private_key_jwt` | RFC 8725 §3.1; OIDC Core §9 | MUST | `alg=none`, HS256 with public key: 401
AS-CA-16 | - | `client_id` beside an assertion must match `sub` | RFC 7521 §4.2 | MUST | Mismatch: 401
AS-CA-17 | - | Rotation through `jwks_uri`; unknown `kid` leads to a bounded number of fetches | OIDC Core §10.1.1; RFC 8725 | SHOULD | 100 unknown kids: ≤2 fetches

# AS-SCP: Scopes
AS-SCP-01 | 1 | Syntax space-delimited, case-sensitive, `%x21 / %x23-5B / %x5D-7E` | RFC 6749 §3.3 | MUST | `scope=a"b`, tab: `invalid_scope`
AS-SCP-02 | 1 | Scope outside the registration is refused or dropped, never granted | RFC 6749 §3.3 | MUST | Admin scope as low client: absent from token
AS-SCP-03 | 1 | Omitted scope: documented default or `invalid_scope` | RFC 6749 §3.3 | MUST | No `scope`: as documented
AS-SCP-04 | 1 | Granted scope ⊆ consented scope | RFC 6749 §3.3; RFC 9700 §2.3 | MUST | Tamper hidden scope field of the consent form: no effect
AS-SCP-05 | 1 | Order and duplicates of scope tokens have no effect | RFC 6749 §3.3 | MUST | `openid openid` same as `openid`

# AS-RT: Refresh tokens
AS-RT-01 | 1 | RT bound to client | RFC 6749 §6, §10.4 | MUST | B uses RT of A: `invalid_grant`; RT of A works after
AS-RT-02 | 1 | RT bound to consented scope and resource servers | RFC 9700 §4.14.2; RFC 6749 §6 | MUST | Broader scope at refresh: `invalid_scope`
AS-RT-03 | 1 | Omitted scope = original; a narrowed request does not narrow the RT | RFC 6749 §6; OAuth 2.1 §4.3.3 | MUST | Refresh narrow, then full: works
AS-RT-04 | 1 | Public clients: rotation with reuse detection, or sender-constrained RT | RFC 9700 §2.2.2, §4.14.2 | MUST | RT changes at each refresh
AS-RT-05 | 1 | Use of a rotated RT revokes the active RT (and the grant's ATs) | RFC 9700 §4.14.2; OAuth 2.1 §4.3.1 | MUST | Reuse old: `invalid_grant`; newest RT refused; AT inactive
AS-RT-06 | 1 | Concurrent use of one RT gives at most one valid successor | RFC 9700 §4.14.2 | MUST | 20 parallel: one 200 (or documented grace)
AS-RT-07 | 1 | RT expires by inactivity and absolute age | RFC 9700 §4.14.2 | SHOULD | Configured TTLs honoured
AS-RT-08 | 1 | RT revoked at password change, deactivation, consent withdrawal | RFC 9700 §4.14.2; CVE-2025-65430 | MAY (project MUST) | Deactivate user: refresh `invalid_grant`, userinfo 401
AS-RT-09 | 1 | RT refused as AT and AT refused as RT | RFC 6749 §1.5 | MUST | Swap: 401 / `invalid_grant`
AS-RT-10 | 1 | `offline_access` needs consent; ignored otherwise | OIDC Core §11 | MUST | Without consent: no offline RT
AS-RT-11 | 1 | Refreshed ID token keeps `iss`,`sub`,`aud`,`auth_time`; no new `nonce` | OIDC Core §12.2 | MUST/SHOULD NOT | Compare claims
AS-RT-12 | 1 | RT ≥128 bits; stored hashed | RFC 6749 §10.10, §10.4 | MUST | Length; storage inspection

# AS-CC: Client credentials
AS-CC-01 | 1 | Only confidential clients | RFC 6749 §4.4 | MUST | Public client: `unauthorized_client`/`invalid_client`
AS-CC-02 | 1 | Only clients registered for the grant | RFC 6749 §5.2 | MUST | Other client: `unauthorized_client`
AS-CC-03 | 1 | No RT, no `id_token` in response | RFC 6749 §4.4.3 | SHOULD NOT | Schema check
AS-CC-04 | 1 | `sub` not confusable with an end-user subject | RFC 9700 §4.15; RFC 9068 §5 | SHOULD | `sub` in a separate namespace

# AS-REV: Revocation
AS-REV-01 | 1 | POST form with `token`; client authenticates (public: `client_id`) | RFC 7009 §2.1 | MUST | Missing `token`: `invalid_request`
AS-REV-02 | 1 | Unknown, expired or revoked token: 200 | RFC 7009 §2.2 | MUST | Random token: 200
AS-REV-03 | 1 | Foreign client's token is not revoked | RFC 7009 §2.1 | MUST | B revokes A's token: stays active
AS-REV-04 | 1 | Wrong `token_type_hint` still finds the token | RFC 7009 §2.1 | MUST | hint=refresh_token for AT: revoked
AS-REV-05 | 1 | Revoking an RT invalidates ATs of the grant | RFC 7009 §2.1 | SHOULD | AT inactive after
AS-REV-06 | 1 | Revoking an AT may revoke the RT; documented | RFC 7009 §2.1 | MAY | As documented
AS-REV-07 | 1 | Effective at once at introspection, userinfo and own RS | RFC 7009 §2 | MUST | Call right after 200
AS-REV-08 | 1 | `unsupported_token_type` error; storage failure gives 503, not 200 | RFC 7009 §2.2.1; CVE-2020-15223 | MUST | Fault injection

# AS-INT: Introspection
AS-INT-01 | 1 | Caller must be authorised (client auth or bearer) | RFC 7662 §2.1 | MUST | No auth: 401; public client with any secret: 401
AS-INT-02 | 1 | POST only; `token` required | RFC 7662 §2.1 | MUST | GET: 405; missing: 400
AS-INT-03 | 1 | Unknown, foreign, revoked, expired, malformed: 200 `{"active":false}` and no more | RFC 7662 §2.2 | MUST / SHOULD NOT add | Body equality
AS-INT-04 | 1 | Active response has `active`, and `scope`,`client_id`,`sub`,`exp`,`iat`,`iss`,`aud`,`token_type` as applicable | RFC 7662 §2.2 | MUST (`active`) | Values equal to the grant
AS-INT-05 | 1 | A caller sees only its own tokens or tokens for its audience | RFC 7662 §4 | SHOULD | B introspects A's token: `active:false`
AS-INT-06 | 1 | RT introspection by a resource server: `active:false` | RFC 7662 §4 | SHOULD | RS credentials + RT
AS-INT-07 | 1 | Token guessing limited | RFC 7662 §4 | SHOULD | Many random tokens: 429
AS-INT-08 | - | DPoP tokens: `cnf.jkt`, `token_type=DPoP` | RFC 9449 §6.2 | MUST | Members

# AS-OIDC: OIDC authentication and ID token
AS-OIDC-01 | 1 | `openid` scope gives an ID token; without it none | OIDC Core §3.1.2.1 | MUST | Both cases
AS-OIDC-02 | 1 | ID token signed; `iss`,`sub`,`aud`,`exp`,`iat`; `sub` ≤255 ASCII, never reassigned | OIDC Core §2 | MUST | Decode and verify with JWKS
AS-OIDC-03 | 1 | `aud` contains client_id; `azp` equals client_id if present | OIDC Core §2 | MUST | Check
AS-OIDC-04 | 1 | `nonce` passed through unmodified; absent when not sent | OIDC Core §2, §3.1.2.1 | MUST | Both cases
AS-OIDC-05 | 1 | `auth_time` present when `max_age` used or requested as essential | OIDC Core §2, §3.1.2.1 | MUST | Request with `max_age`
AS-OIDC-06 | 1 | `max_age` exceeded: re-authentication; `max_age=0` = `prompt=login` | OIDC Core §3.1.2.1 | MUST | Log in, wait, `max_age=1`: login page, new `auth_time`
AS-OIDC-07 | 1 | `prompt=none`: no UI; `login_required`, `consent_required`, `interaction_required`, `account_selection_required` | OIDC Core §3.1.2.1, §3.1.2.6 | MUST NOT UI | No session: redirect `login_required`
AS-OIDC-08 | 1 | `prompt=none` with other values is an error | OIDC Core §3.1.2.1 | MUST | `prompt=none login`: `invalid_request`
AS-OIDC-09 | 1 | `prompt=login` forces re-authentication; `prompt=consent` forces consent | OIDC Core §3.1.2.1 | SHOULD, else MUST error | Active session still gets the form
AS-OIDC-10 | 1 | Re-authentication as another user never keeps the old session's `sid`/grants | CVE-2023-6787 | MUST | `prompt=login`, log in as B: new session id, tokens for B
AS-OIDC-11 | 1 | `at_hash` correct when present | OIDC Core §3.1.3.6 | OPTIONAL; MUST be right | Recompute
AS-OIDC-12 | - | `c_hash` (hybrid) correct; hybrid not offered by default | OIDC Core §3.3.2.11 | MUST if hybrid | Hybrid refused
AS-OIDC-13 | 1 | Essential `acr` not reachable: error, no lower token | OIDC Core §5.5.1.1 | MUST | `claims` with unknown essential acr: error
AS-OIDC-14 | 1 | `amr` values true to what was done | OIDC Core §2 | OPTIONAL | Check
AS-OIDC-15 | 1 | `id_token_hint` for another user with `prompt=none`: `login_required` | OIDC Core §3.1.2.1 | SHOULD | Hint B while A is logged in
AS-OIDC-16 | 1 | `id_token_hint` may be expired but signature and issuer are verified | OIDC Core §3.1.2.2 | MUST | Forged hint refused
AS-OIDC-17 | 1 | `login_hint`, `ui_locales`, `display` harmless and escaped | OIDC Core §3.1.2.1 | OPTIONAL | Markup in `login_hint`
AS-OIDC-18 | 1 | RS256 supported; `none` never used for ID tokens | OIDC Core §15.1; RFC 8725 §3.2 | MUST | Register `none`: refused
AS-OIDC-19 | 1 | ID token `exp` short, `iat` current | OIDC Core §2 | MUST | Deltas
AS-OIDC-20 | 1 | Unsupported `request`, `request_uri`, `registration` give `request_not_supported`, `request_uri_not_supported`, `registration_not_supported` | OIDC Core §3.1.2.6, §6 | MUST | One request each
AS-OIDC-21 | - | Pairwise `sub` differs per sector, not reversible | OIDC Core §8.1 | MUST | Two sectors, same user

# AS-UI: UserInfo and claims
AS-UI-01 | 1 | GET and POST with bearer AT | OIDC Core §5.3.1 | MUST | Both work
AS-UI-02 | 1 | Needs an AT with `openid`; else 403 `insufficient_scope` | OIDC Core §5.3; RFC 6750 §3.1 | MUST | Non-OIDC AT
AS-UI-03 | 1 | `sub` always returned, equal to ID token `sub` | OIDC Core §5.3.2 | MUST | Compare
AS-UI-04 | 1 | Claims only for granted scopes (`profile`,`email`,`address`,`phone`) | OIDC Core §5.4 | MUST | Each scope alone
AS-UI-05 | 1 | Unavailable claims omitted, not null/empty | OIDC Core §5.3.2 | SHOULD | JSON check
AS-UI-06 | 1 | Errors per RFC 6750 | OIDC Core §5.3.3 | SHOULD | No token: 401 without code; bad: `invalid_token`
AS-UI-07 | 1 | ID token, RT, code, revoked AT, AT of disabled user: 401 | OIDC Core §5.3.1; CVE-2025-65430 | MUST | Each
AS-UI-08 | 1 | `claims` parameter: `userinfo`/`id_token`, `essential`, `value(s)`; unknown ignored; bad JSON `invalid_request` | OIDC Core §5.5 | OPTIONAL | Round trip
AS-UI-09 | 1 | `email_verified` true only if verified | OIDC Core §5.1 | MUST | Unverified: false
AS-UI-10 | - | Signed UserInfo has `iss`,`aud` | OIDC Core §5.3.2 | SHOULD | `application/jwt`

# AS-AUTHN: Login, consent and session UI
AS-AUTHN-01 | 1 | Login and consent POST protected against CSRF (token bound to session) | RFC 6749 §10.12; OIDC Core §3.1.2.3 | MUST | POST without or with another session's token: 403/400, no code
AS-AUTHN-02 | 1 | Framing of login, consent and error pages denied | RFC 6749 §10.13; RFC 9700 §4.16 | MUST | `frame-ancestors 'none'` and `X-Frame-Options: DENY`
AS-AUTHN-03 | 1 | Session identifier changes at login | OWASP; CVE-2026-7507 | MUST | Old cookie useless after login
AS-AUTHN-04 | 1 | Session cookies `Secure`, `HttpOnly`, `SameSite=Lax` or `Strict`, `__Host-` prefix on https | Hardening; RFC 6265bis | SHOULD | `Set-Cookie` attributes
AS-AUTHN-05 | 1 | Same message and time for unknown user and bad password | CVE-2024-39329 class | SHOULD | Body equality; timing test
AS-AUTHN-06 | 1 | Password guessing limited per account and source | RFC 6749 §10.10 | MUST | N+1 failures: 429/delay
AS-AUTHN-07 | 1 | Password length bounded before hashing; no silent truncation | CVE-2013-1443, CVE-2025-22228 class | MUST | 1 MiB password: fast 4xx; difference after byte 72 matters
AS-AUTHN-08 | 1 | Passwords stored with memory-hard hash (argon2id/scrypt) | OWASP | MUST | Storage inspection
AS-AUTHN-09 | 1 | All dynamic text escaped; CSP without inline scripts | RFC 6749 §10.14; RFC 9700 §4.16 | MUST/SHOULD | Markup in every reflected parameter
AS-AUTHN-10 | 1 | `no-store` on login, consent, error, redirect responses | RFC 9700 §4.2-4.3 (practice) | SHOULD | Header check
AS-AUTHN-11 | 1 | `Referrer-Policy: no-referrer`; no third-party resources on AS pages | RFC 9700 §4.2.4 | SHOULD NOT | Header; HTML scan
AS-AUTHN-12 | 1 | Consent applies to exactly the displayed transaction, kept at the server | RFC 6749 §10.2; CVE-2018-15758, CVE-2021-27582 | MUST | Edit hidden fields: ignored or refused
AS-AUTHN-13 | 1 | Post-login target is an internal transaction id, not a URL | RFC 9700 §4.11.2 | MUST | `?next=//evil`: ignored
AS-AUTHN-14 | 1 | User can withdraw grants; tokens then die | RFC 6749 §10.2 (practice) | SHOULD | Withdraw: AT inactive, RT refused

# AS-JWK: Signing keys
AS-JWK-01 | 1 | `jwks_uri` serves public keys only, with `kty`,`use`,`alg`,`kid` | RFC 7517; Disc. §3 | MUST NOT private | No `d,p,q,dp,dq,qi,oth,k`
AS-JWK-02 | 1 | Token `kid` matches a published key; kids unique | OIDC Core §10.1 | MUST (several keys) | Look-up
AS-JWK-03 | 1 | Rotation: publish before use, keep while tokens live | OIDC Core §10.1.1 | SHOULD | Rotate, verify an old token
AS-JWK-04 | 1 | RSA ≥2048; EC P-256; Ed25519 | RFC 7518 §3.3; FAPI 2.0 §5.4 | MUST | Key sizes
AS-JWK-05 | 1 | JWKS has cache headers | OIDC Core §10.1.1 | SHOULD | `Cache-Control: max-age`

# AS-JAT: JWT access tokens
AS-JAT-01 | 1 | Header `typ` is `at+jwt` | RFC 9068 §2.1 | MUST | Decode
AS-JAT-02 | 1 | `iss,exp,aud,sub,client_id,iat,jti`; `scope` if requested | RFC 9068 §2.2, §2.2.3 | MUST (scope SHOULD) | Decode
AS-JAT-03 | 1 | Asymmetric signature; never `none`; RS256 supported | RFC 9068 §2.1 | MUST | Header
AS-JAT-04 | 1 | `aud` is the resource or a default, not the client_id | RFC 9068 §3, §5 | MUST | `aud` ≠ `client_id`
AS-JAT-05 | 1 | `auth_time`,`acr`,`amr` stay those of the original authentication | RFC 9068 §2.2.1 | SHOULD | Compare after refresh
AS-JAT-06 | 1 | Short lifetime (default 5-10 min, ≤1 h) | RFC 6750 §5.3 | SHOULD | `exp-iat`

# AS-LO: RP-initiated logout
AS-LO-01 | - | `end_session_endpoint` published; GET and POST | RP-Init Logout §2, §2.1 | MUST | Both work
AS-LO-02 | - | `post_logout_redirect_uri` exact registered value and a client proven by hint or `client_id`; else no redirect | RP-Init Logout §2, §3 | MUST | Unregistered, or hint of other client: no redirect
AS-LO-03 | - | Expired `id_token_hint` accepted for a recent session; `client_id` must match its `aud` | RP-Init Logout §2 | SHOULD / MUST | Mismatch refused
AS-LO-04 | - | Without a valid hint the user must confirm | RP-Init Logout §2, §6 | MUST ask | GET without hint: confirmation, session alive
AS-LO-05 | - | `state` passed to the redirect | RP-Init Logout §2 | MUST | Round trip

# AS-BCL: Back-channel logout
AS-BCL-01 | - | `backchannel_logout_supported`, `backchannel_logout_session_supported` | BC Logout §2.1 | OPTIONAL | Members
AS-BCL-02 | - | Logout token: `typ` `logout+jwt`, `iss,aud,iat,exp,jti,events`, `sub`/`sid`, no `nonce` | BC Logout §2.4 | MUST | Capture with a mock RP
AS-BCL-03 | - | POST form `logout_token`; timeouts, no redirects, SSRF guard | BC Logout §2.5 | MUST | Slow/redirecting RP does not hang logout
AS-BCL-04 | - | `sid` stable per session, unguessable | BC Logout §2.1 | MUST if session support | Compare tokens

# AS-FP: form_post response mode
AS-FP-01 | - | HTML page auto-posts fields; all values attribute-escaped | Form Post §2, §4 | MUST | State `"><script>` escaped
AS-FP-02 | - | `no-store`; CSP nonce/hash; `form-action` limited | Form Post §4 (practice) | SHOULD | Headers
AS-FP-03 | - | Errors also by form_post | Form Post §2 | MUST | Deny: POST has `error`,`state`,`iss`

# AS-PAR: Pushed authorization requests
AS-PAR-01 | - | POST form; client authentication as at token endpoint | RFC 9126 §2, §2.1 | MUST | No auth: 401
AS-PAR-02 | - | 201 with unguessable `request_uri` and `expires_in` | RFC 9126 §2.2 | MUST | Schema
AS-PAR-03 | - | `request_uri` inside the PAR body refused | RFC 9126 §2.1 | MUST | `invalid_request`
AS-PAR-04 | - | PAR validated as an authorization request | RFC 9126 §2.1 | MUST | Bad redirect/scope/PKCE: 400
AS-PAR-05 | - | `request_uri` bound to client; one-time | RFC 9126 §4, §7.3 | MUST / SHOULD | Other client: refused; reuse: refused
AS-PAR-06 | - | Expired URI refused | RFC 9126 §4 | MUST | `invalid_request_uri`
AS-PAR-07 | - | `require_pushed_authorization_requests`: plain requests refused | RFC 9126 §5, §6 | MUST | Error
AS-PAR-08 | - | Parameters outside the pushed request ignored | RFC 9126 §4; RFC 9101 §6.3 | MUST | Extra `scope` in URL: no effect
AS-PAR-09 | - | 405, 413, 429 for method, size, rate | RFC 9126 §2.3 | SHOULD | One each

# AS-JAR: Request objects
AS-JAR-01 | - | Signature by registered key and alg; `iss`=client_id, `aud`=issuer | RFC 9101 §4, §6.2 | MUST (aud/iss SHOULD) | Alter each: `invalid_request_object`
AS-JAR-02 | - | Outer `client_id` equals the claim | RFC 9101 §5 | MUST | Mismatch: error
AS-JAR-03 | - | Only parameters inside the object count | RFC 9101 §6.3 | MUST | Outer `scope`,`state` ignored
AS-JAR-04 | - | No `request`/`request_uri` inside; not both outside | RFC 9101 §4, §5 | MUST NOT | Error
AS-JAR-05 | - | Unsigned refused when `require_signed_request_object` | RFC 9101 §10.5 | MUST | Error
AS-JAR-06 | - | Other JWT kinds refused as request objects | RFC 9101 §10.8 | SHOULD | Client assertion/ID token as `request`
AS-JAR-07 | - | External `request_uri` only pre-registered https; no redirects; bounds | RFC 9101 §10.4; OIDC Core §6.2 | SHOULD (project MUST) | Unregistered URI: no outgoing request

# AS-DPOP: DPoP at the AS
AS-DPOP-01 | - | All checks: one header, `typ`, asymmetric alg, public `jwk`, signature, `htm`,`htu`,`iat`,`jti` | RFC 9449 §4.3 | MUST | Alter each: 400 `invalid_dpop_proof`
AS-DPOP-02 | - | `htu` compared without query/fragment after normalisation | RFC 9449 §4.3 | SHOULD | Host case, default port accepted; other path refused
AS-DPOP-03 | - | `jti` replay refused in the window | RFC 9449 §11.1 | SHOULD | Same proof twice: refused
AS-DPOP-04 | - | `token_type=DPoP`, `cnf.jkt` = RFC 7638 thumbprint | RFC 9449 §5, §6.1 | MUST | Recompute
AS-DPOP-05 | - | RT of public client bound to the proof key | RFC 9449 §5 | MUST | Other key at refresh: refused
AS-DPOP-06 | - | `use_dpop_nonce` with `DPoP-Nonce`; stale refused | RFC 9449 §8, §8.2 | MUST if used | Nonce dance
AS-DPOP-07 | - | `dpop_jkt` binds the code | RFC 9449 §10 | MUST | Other key at token: refused
AS-DPOP-08 | - | PAR + DPoP header binds; conflict refused | RFC 9449 §10.1 | MUST | Conflict: error
AS-DPOP-09 | - | `dpop_signing_alg_values_supported`; no `none`/HS | RFC 9449 §5.1, §11.6 | MUST | Metadata

# AS-RES: Resource indicators
AS-RES-01 | - | `resource` absolute, no fragment; may repeat | RFC 8707 §2 | MUST | Relative/fragment: `invalid_target`
AS-RES-02 | - | Unknown resource: `invalid_target` | RFC 8707 §2 | SHOULD | One request
AS-RES-03 | - | Token-time resources ⊆ granted; `aud` limited | RFC 8707 §2.2 | SHOULD (project MUST) | Other resource at token/refresh: `invalid_target`

# AS-DCR: Dynamic registration
AS-DCR-01 | - | 201 JSON with `client_id`, `client_secret_expires_at` if secret, all registered metadata | RFC 7591 §3.2.1 | MUST | Schema
AS-DCR-02 | - | `invalid_redirect_uri`, `invalid_client_metadata`; 400 | RFC 7591 §3.2.2 | MUST | One each
AS-DCR-03 | - | Grant/response types consistent | RFC 7591 §2.1 | SHOULD | Contradiction refused/corrected
AS-DCR-04 | - | Client cannot choose `client_id`, privileged scopes or grants | RFC 7591 §5; RFC 9700 §4.15.1 | SHOULD NOT | `client_id`, `scope=admin`: not granted
AS-DCR-05 | - | `jwks` and `jwks_uri` together refused; fetch guarded | RFC 7591 §2 | MUST NOT | Both: 400; internal URL not fetched
AS-DCR-06 | - | Display metadata validated, escaped | RFC 7591 §5 | SHOULD | `javascript:` `logo_uri`/`client_uri` refused
AS-DCR-07 | - | Rate limit or initial access token | RFC 7591 §3 | MAY (project MUST) | Flood: 429
AS-DCR-08 | - | Registration access token bound to its client | RFC 7592 §2, §5; CVE-2026-116672 | MUST | Token of A on client B: 401
AS-DCR-09 | - | PUT includes matching `client_id`; server-managed fields refused | RFC 7592 §2.2 | MUST | Wrong id: 400
AS-DCR-10 | - | DELETE: 204; tokens and grants die | RFC 7592 §2.3 | SHOULD | Client unusable

# AS-CIMD: Client ID metadata documents (draft-01)
AS-CIMD-01 | - | URL: https, has path, no dot segments, fragment, userinfo; query discouraged | CIMD §2 (Client Identifier) | MUST | Each bad form: error page, no fetch
AS-CIMD-02 | - | Only 200; redirects not followed; document `client_id` equals URL | CIMD §3, §3.1 | MUST | 302/204/mismatch: error
AS-CIMD-03 | - | No shared-secret methods in the document | CIMD §3.1 | MUST NOT | Refused
AS-CIMD-04 | - | Special-use addresses (RFC 6890) refused, also for URLs inside | CIMD security considerations (SSRF) | MUST / SHOULD NOT | 127.0.0.1, 169.254.169.254, ::1, mapped, rebinding: no connection
AS-CIMD-05 | - | Size (5 KB) and time limits | CIMD security considerations (size) | SHOULD | 1 MB document refused fast
AS-CIMD-06 | - | Errors and invalid documents not cached | CIMD §3 (caching) | MUST NOT | Error, then good: works
AS-CIMD-07 | - | Consent shows the `client_id` host | CIMD security considerations (phishing) | SHOULD | Text search
AS-CIMD-08 | - | Metadata flag; generated ids never start with `https://` | CIMD §4 (AS metadata) | MUST / SHOULD | Metadata

# AS-DEV: Device grant
AS-DEV-01 | - | Response: `device_code,user_code,verification_uri,expires_in` | RFC 8628 §3.2 | MUST | Schema
AS-DEV-02 | - | `authorization_pending`, `slow_down`, `access_denied`, `expired_token` | RFC 8628 §3.5 | MUST | Drive each state
AS-DEV-03 | - | `device_code` bound to client, single use, high entropy | RFC 8628 §3.4, §5.2 | MUST | Other client: `invalid_grant`
AS-DEV-04 | - | `user_code` guessing limited; case/dash-insensitive | RFC 8628 §5.1, §6.1 | MUST / SHOULD | Many guesses: blocked
AS-DEV-05 | - | User confirms code and client, also with `verification_uri_complete` | RFC 8628 §3.3.1, §5.4 | SHOULD | GET of complete URI grants nothing

# AS-TX: Token exchange (few)
AS-TX-01 | - | `subject_token` + type required; `actor_token_type` iff `actor_token` | RFC 8693 §2.1 | MUST | Missing: `invalid_request`
AS-TX-02 | - | Exchange authorised per client; scope/audience never widened | RFC 8693 §2.1, §5; CVE-2026-56668 | MUST | Foreign token/wider scope refused
AS-TX-03 | - | `issued_token_type`, `token_type`; delegation in `act` | RFC 8693 §2.2.1, §4.1 | MUST | Schema
AS-TX-04 | - | Unusable `subject_token` fails; no fall-back to another grant | RFC 8693 §2.2.2; CVE-2026-9704 | MUST | 10 KB token: error

# AS-FAPI: FAPI 2.0 security profile
AS-FAPI-01 | - | Confidential clients only; PAR required; S256 required; `code` only | FAPI 2.0 §5.3.2.1-2 | MUST | Plain requests refused
AS-FAPI-02 | - | `private_key_jwt` or mTLS; only sender-constrained ATs | FAPI 2.0 §5.3.2.1 | MUST | Secret client refused; no bearer
AS-FAPI-03 | - | Code ≤60 s; PAR URI <600 s; `redirect_uri` in PAR | FAPI 2.0 §5.3.2.1-2 | MUST | 61 s: refused
AS-FAPI-04 | - | JWT `iat`/`nbf` up to 10 s ahead accepted, over 60 s refused | FAPI 2.0 §5.3.2.1 | MUST | +8 s ok; +61 s refused
AS-FAPI-05 | - | No RT rotation except extraordinary cases; `iss` returned; no 307 | FAPI 2.0 §5.3.2.1-2 | MUST NOT / MUST | RT unchanged at refresh
AS-FAPI-06 | - | PS256, ES256, Ed25519 only; RSA ≥2048; credentials ≥128 bits | FAPI 2.0 §5.4.1 | MUST | RS256 assertion refused

# CL-FLOW: Authorization request and response
CL-FLOW-01 | 1 | Only `response_type=code`, always S256 PKCE, new verifier (256 bit) for each request | OAuth 2.1 §4.1.1, §7.5.1; RFC 7636 §4.1, §7.1 | MUST | Mock OP: challenges differ; verifier hashes to it
CL-FLOW-02 | 1 | Refuses an OP that does not advertise S256, unless told by config | RFC 9700 §2.1.1, §4.8.2 | MUST ensure support | Mock OP without `code_challenge_methods_supported`: error
CL-FLOW-03 | 1 | `state` one-time, random, bound to browser session and OP; missing, wrong, reused refused | RFC 6749 §10.12; RFC 9700 §2.1, §4.7; CVE-2025-68158 | MUST | Callback with other session's state; second use from another browser, or after 60 s: refused; never a second token request
CL-FLOW-04 | 1 | `state`, `nonce`, verifier are separate values; verifier never in a URL | RFC 7636 §7.2; CVE-2026-34511 | MUST | Search captured URLs
CL-FLOW-05 | 1 | `nonce` sent and verified for OIDC; the token cannot switch the check off | OIDC Core §3.1.3.7 (11); CVE-2026-114617 | MUST if sent | Mock OP drops/alters nonce, adds `nonce_supported:false`: refused
CL-FLOW-06 | 1 | Transaction record holds provider identity: issuer, client_id, redirect URI, token endpoint | RFC 9700 §4.4.2; CVE-2026-73419 | MUST | Callback of provider B with transaction of A: refused
CL-FLOW-07 | 1 | `iss` response parameter compared (simple string); required if OP advertises it | RFC 9207 §2.4 | MUST | Wrong/missing `iss`: no token request
CL-FLOW-08 | 1 | Error responses processed only after state and `iss` checks; text escaped | RFC 6749 §4.1.2.1; RFC 9207 §2.4; CVE-2021-32702 | MUST | `error=<script>`: escaped
CL-FLOW-09 | 1 | Duplicate parameters, or `code` with `error`: refused | RFC 6749 §3.1 | SHOULD | `code=a&code=b`: no token request
CL-FLOW-10 | 1 | Callback answers 303 to a clean URL, `no-store`, `no-referrer` | RFC 9700 §4.2.4, §4.3 | SHOULD | Headers
CL-FLOW-11 | 1 | Post-login target limited to same-origin paths stored in the transaction | RFC 9700 §4.11.1; CVE-2026-75628 | MUST NOT | `//evil`, `/\evil`, `/%09/evil`: ignored
CL-FLOW-12 | 1 | Pending transactions bounded in number and life | CVE-2022-22969 | SHOULD | 1000 starts in one session: bounded
CL-FLOW-13 | - | PAR used when required; front channel has only `client_id`,`request_uri` | RFC 9126 §4 | MUST | Capture
CL-FLOW-14 | - | `resource` sent for a configured API | RFC 8707 §2 | SHOULD | Capture

# CL-TOK: Token handling
CL-TOK-01 | 1 | Token request by POST over TLS; redirects not followed; time and size caps | RFC 6749 §3.2; CVE-2026-111769 | MUST | Mock 307/302 to other host: no second request
CL-TOK-02 | 1 | `token_type` known (case-insensitive), else not used | RFC 6749 §7.1 | MUST NOT | `token_type=mac`: error
CL-TOK-03 | 1 | Basic auth uses form-encoding before base64 | RFC 6749 §2.3.1 | MUST | Secret `a:b%+ ü` intact at the mock
CL-TOK-04 | 1 | Secrets and tokens never in URLs, logs, exceptions, repr | RFC 6750 §5.3; CVE-2024-51753 | MUST NOT | Search debug log
CL-TOK-05 | 1 | AT goes to the https (or loopback) origin that the program names in the call, never across a redirect to another origin; with configured API origins, to no other | RFC 6750 §5.2; RFC 9700 §4.9.1; CVE-2018-18074 | MUST | Mock RS redirects: no `Authorization` at new host; configured origins: other origin refused before sending
CL-TOK-06 | 1 | AT treated as opaque | RFC 6749 §1.4; RFC 9068 §6 | MUST NOT parse | Random AT works
CL-TOK-07 | 1 | RT replaced atomically; single-flight refresh | RFC 6749 §6 | MUST discard old | 10 threads: one refresh call
CL-TOK-08 | 1 | `invalid_grant` at refresh: tokens dropped, login asked | RFC 6749 §5.2 | SHOULD | Mock
CL-TOK-09 | 1 | Reduced `scope` reported to the caller | RFC 6749 §5.1 | SHOULD | Mock
CL-TOK-10 | 1 | Stored tokens and registrations bound to their issuer | CVE-2026-115563; CVE-2026-104850 | MUST | Issuer changes in RS metadata: no credential sent
CL-TOK-11 | 1 | CLI token store 0600 or keyring; atomic write | RFC 8252 §8 (practice) | MUST | stat
CL-TOK-12 | 1 | Revokes tokens at logout | RFC 7009 §1 | SHOULD | Mock sees call
CL-TOK-13 | - | DPoP: fresh `jti`, right `htm`,`htu`,`ath`; nonce per origin, one retry | RFC 9449 §4.2, §7, §8-9 | MUST | Mock RS demands nonce
CL-TOK-14 | - | Assertion `aud` = issuer string; `jti`; ≤60 s life | draft rfc7523bis; FAPI 2.0 §5.3.3.1 | MUST | Capture

# CL-IDT: ID token and UserInfo validation
CL-IDT-01 | 1 | Signature by the issuer's JWKS; alg from configured list, never from the token; `none` refused | OIDC Core §3.1.3.7; RFC 8725 §3.1 | MUST | none, HS256 with RSA public key: refused
CL-IDT-02 | 1 | `iss` exact; `aud` contains client_id, no untrusted others; `azp` = client_id if present | OIDC Core §3.1.3.7; CVE-2024-53861 | MUST | Substring issuer, wrong aud, unknown extra aud
CL-IDT-03 | 1 | `exp`,`iat`,`nbf` with skew ≤60 s; numbers only | OIDC Core §3.1.3.7 | MUST | Expired, future, string, bool, 1e308, NaN
CL-IDT-04 | 1 | `at_hash` (and `c_hash`,`s_hash`) checked when present; unknown alg fails closed | OIDC Core §3.1.3.8, §3.3.2.11; CVE-2026-28498 | OPTIONAL (project MUST) | Wrong hash: refused
CL-IDT-05 | 1 | `auth_time` fresh if `max_age` was sent; `acr` checked if essential | OIDC Core §3.1.3.7 (12,13); CVE-2026-71575 | SHOULD | Missing or old: refused
CL-IDT-06 | 1 | Missing or mistyped required claims: refused | OIDC Core §2 | MUST | Drop each of iss, sub, aud, exp, iat
CL-IDT-07 | 1 | UserInfo `sub` equals ID token `sub` | OIDC Core §5.3.2 | MUST | Other `sub`: discarded
CL-IDT-08 | 1 | Account key is (`iss`,`sub`), never e-mail or username | OIDC Core §5.7; CVE-2023-3128, CVE-2025-65431 | MUST NOT | Other `sub`, same e-mail: other account
CL-IDT-09 | 1 | Refreshed ID token: same `iss`,`sub`,`aud` | OIDC Core §12.2 | MUST | Mock swaps sub: refused
CL-IDT-10 | 1 | `jku`,`x5u`,`jwk`,`x5c` not used; unknown `crit` refused | RFC 7515 §4.1; RFC 8725 §3.10; CVE-2026-27962 | MUST | Embedded `jwk` forgery: refused

# CL-META: Discovery and trust
CL-META-01 | 1 | Metadata `issuer` equals the issuer used for retrieval, on every discovery path | RFC 8414 §3.3; Disc. §4.3 | MUST | Mismatch: refused
CL-META-02 | 1 | Endpoints https (loopback dev excepted), strictly parsed | RFC 8414 §6.1; CVE-2025-6514 | MUST | `javascript:`, `file:`, `http:`: refused
CL-META-03 | 1 | JWKS cached with bounds; unknown `kid` refetch limited; no redirects, caps | OIDC Core §10.1.1; CVE-2026-102267 | SHOULD | 100 random kids: ≤2 fetches
CL-META-04 | 1 | SSRF guard for user-supplied issuers | RFC 8414 §6; RFC 9728 §7 | SHOULD | `http://169.254.169.254`: refused
CL-META-05 | - | RS metadata `resource` equals the URL used; AS checked before credentials go out | RFC 9728 §3.3, §7 | MUST | Mismatch: refused

# CL-NAT: CLI login (native app)
CL-NAT-01 | 1 | System browser; never embedded view or password prompt | RFC 8252 §4, §8.12 | MUST NOT | Opens browser or prints URL
CL-NAT-02 | 1 | Loopback listener on 127.0.0.1/::1, ephemeral port, open only during the flow | RFC 8252 §7.3, §8.3 | SHOULD | `ss`: no 0.0.0.0; closed after
CL-NAT-03 | 1 | Redirect uses IP literal, not `localhost` | RFC 8252 §8.3 | NOT RECOMMENDED | Captured URI
CL-NAT-04 | 1 | One GET on the exact path; a bad-state hit neither ends the wait nor leaks | RFC 8252 §8.9 | MUST | Bad state first, then good: good wins
CL-NAT-05 | 1 | `Host` checked (DNS rebinding); page reflects no input | GHSA-mxxr-jv3v-6pgc | SHOULD | `Host: evil`, `error=<script>`
CL-NAT-06 | 1 | Browser opened with an argument vector and validated http(s) URL; no shell | CVE-2025-6514 | MUST | Metadata with `file:` or `$(x)` URL: refused
CL-NAT-07 | 1 | Overall time-out, clean Ctrl-C; fall-back by device grant or paste | Hardening | SHOULD | No callback: clean exit
CL-NAT-08 | - | Device grant client respects `interval`, `slow_down` | RFC 8628 §3.3-3.5 | MUST | Mock timing

# CL-LO: Logout
CL-LO-01 | - | RP-initiated logout with `id_token_hint`,`state`; local session ends first | RP-Init Logout §2 | SHOULD | Mock
CL-LO-02 | - | Back-channel endpoint validates all: signature, `iss`,`aud`,`iat`,`exp`,`jti`, `events`, no `nonce` | BC Logout §2.6, §2.8 | MUST | Forge each: 400
CL-LO-03 | 1 | RP session id rotates at login | OWASP; CVE-2024-52553 class | MUST | Cookie before ≠ after
CL-LO-04 | - | FAPI client: confidential, PAR, S256, `iss`, DPoP/mTLS | FAPI 2.0 §5.3.3 | MUST | Profile switch

# RS-BR: Bearer usage
RS-BR-01 | 1 | Accepts `Authorization: Bearer` (scheme case-insensitive, b64token) | RFC 6750 §2.1 | MUST | `bearer` fine; bad chars refused
RS-BR-02 | 1 | Query-string token refused; form-body token off by default | OAuth 2.1 §5.1; RFC 9700 §4.3.2 | MUST NOT | `?access_token=`: 401/400
RS-BR-03 | 1 | More than one method or two Authorization headers: 400 `invalid_request` | RFC 6750 §2, §3.1 | MUST | Header + body
RS-BR-04 | 1 | No credentials: 401 + `WWW-Authenticate: Bearer`, no error code | RFC 6750 §3, §3.1 | MUST / SHOULD NOT | Header
RS-BR-05 | 1 | Bad token 401 `invalid_token`; scope 403 `insufficient_scope` | RFC 6750 §3.1 | MUST/SHOULD | One each
RS-BR-06 | 1 | Challenge values limited to allowed chars; no reflected input | RFC 6750 §3; CVE-2026-50630 | MUST NOT | CRLF, quotes in token
RS-BR-07 | 1 | Authorised responses carry `Cache-Control: private`/`no-store` | RFC 6750 §2.3, §5.2 | SHOULD | Header
RS-BR-08 | 1 | Scope check by whole-token membership | RFC 6749 §3.3 | MUST | `read-all` ≠ `read`
RS-BR-09 | 1 | Token size bounded before parsing | CVE-2025-61920 | MUST | 1 MB header: fast 4xx

# RS-JAT: JWT access tokens
RS-JAT-01 | 1 | `typ` is `at+jwt`/`application/at+jwt` | RFC 9068 §4 | MUST | ID token: 401
RS-JAT-02 | 1 | `iss` exact; `aud` includes this resource | RFC 9068 §4; RFC 9700 §2.3; CVE-2026-50627 | MUST | Other API's token: 401
RS-JAT-03 | 1 | Signature by this issuer's JWKS; alg list; `none`/HS refused | RFC 9068 §4; RFC 8725 §3.1 | MUST | alg tricks
RS-JAT-04 | 1 | `exp` with small skew; types checked | RFC 9068 §4 | MUST | Expired: 401
RS-JAT-05 | 1 | Keys tied to issuer (no shared pool) | RFC 8725 §3.8; Storm-0558 | MUST | Token of issuer A by key of B: 401
RS-JAT-06 | 1 | Client-credentials tokens told from user tokens | RFC 9068 §5; RFC 9700 §4.15 | SHOULD | CC token on user API: 403
RS-JAT-07 | 1 | Revocation bound documented: short life or introspection | RFC 7009 §3 | SHOULD | Revoked token refused in the bound

# RS-INT: Introspection client
RS-INT-01 | 1 | Authenticates; needs `active===true`; checks `exp`,`aud`,`iss`,`scope`,`token_type` | RFC 7662 §2, §4 | MUST | Mock `active:"true"`: refused
RS-INT-02 | 1 | Cache by token hash, TTL ≤ `exp`; fail closed | RFC 7662 §4 | MUST | AS down: not allowed

# RS-DPOP: DPoP at the resource
RS-DPOP-01 | - | Scheme `DPoP`; exactly one proof header | RFC 9449 §7.1, §4.3 | MUST | Two headers: 401
RS-DPOP-02 | - | `ath`,`htm`,`htu`,`cnf.jkt` all match | RFC 9449 §7.1, §4.3 | MUST | Swap each: 401
RS-DPOP-03 | - | Bound AT as Bearer refused | RFC 9449 §7.2; CVE-2024-49755 | MUST | `Bearer` + bound AT: 401
RS-DPOP-04 | - | `jti` replay store, `iat` window or nonce | RFC 9449 §11.1, §9 | SHOULD | Replay: 401
RS-DPOP-05 | - | Challenge `DPoP algs=...`, `use_dpop_nonce` | RFC 9449 §7.1, §9 | MUST/SHOULD | Header
RS-DPOP-06 | - | `htu` from configured origin, not `Host` | RFC 9449 §4.3; RFC 9700 §4.13 | MUST | Spoofed headers

# RS-PRM: Protected resource metadata
RS-PRM-01 | - | `/.well-known/oauth-protected-resource` with `resource`, `authorization_servers` | RFC 9728 §2, §3.1 | MUST (`resource`) | GET
RS-PRM-02 | - | 401 carries `resource_metadata` | RFC 9728 §5.1 | SHOULD | Header
RS-PRM-03 | - | FAPI: no query tokens; validity, scope, sender constraint | FAPI 2.0 §5.3.4 | MUST | Profile

# CO-JOSE: JOSE rules
CO-JOSE-01 | 1 | Algorithm and key type agree; no public key as HMAC key (PEM, DER, SSH, JWK) | RFC 8725 §3.1-3.2; CVE-2022-29217, CVE-2024-33663 | MUST | Each form
CO-JOSE-02 | 1 | Unknown `crit` refused; `b64=false` refused | RFC 7515 §4.1.11; CVE-2025-59420, CVE-2026-32597 | MUST | Signed token with `crit`
CO-JOSE-03 | 1 | Strict base64url, three segments, strict JSON (no duplicate members, no NaN) | RFC 7515 §2, §5.2; CVE-2026-62995 | MUST | Mutate each
CO-JOSE-04 | 1 | Size and segment limits before decode; JWE compression off | CVE-2025-61920, CVE-2025-62706, CVE-2025-30204 | MUST | Bombs
CO-JOSE-05 | 1 | Empty/short HMAC keys refused; PBES2 and RSA1_5 off | RFC 7518 §3.2; RFC 8725 §3.2; CVE-2026-114616, CVE-2023-6681 | MUST | Keys
CO-JOSE-06 | 1 | Curve matches alg; r=s=0 and off-curve points refused | RFC 8725 §3.4; CVE-2022-21449 | MUST | Forgeries
CO-JOSE-07 | 1 | Each JWT kind has its own validator (`typ`, required claims, aud) | RFC 8725 §3.11-3.12 | SHOULD (project MUST) | Cross-JWT matrix

# CO-SEC: Secrets, randomness, time
CO-SEC-01 | 1 | All secrets from a CSPRNG, ≥128 bits (default 256) | RFC 6749 §10.10; CVE-2022-31034 | MUST | Static check: `secrets` only
CO-SEC-02 | 1 | Constant-time comparison for every secret | CVE-2016-7036 | MUST | Static check
CO-SEC-03 | 1 | One injectable clock; skew ≤60 s | RFC 7519 §4.1.4 | SHOULD | Fake clock
CO-SEC-04 | 1 | Single-use stores use atomic compare-and-delete and typed namespaces | CVE-2026-1035, CVE-2026-4282 | MUST | Races; code used as another object
CO-SEC-05 | 1 | Tokens stored as hashes | RFC 6749 §10.3-10.5 (practice) | SHOULD | DB scan

# CO-HTTP: HTTP surface
CO-HTTP-01 | 1 | TLS ≥1.2, certificate verification on | RFC 6749 §1.6; RFC 9325 | MUST | Self-signed mock refused
CO-HTTP-02 | 1 | Outgoing fetch helper: https, no redirects, resolved-address guard, caps | RFC 9700 §4.11; CVE-2026-48522 | MUST | SSRF matrix
CO-HTTP-03 | 1 | Body, field-count, header limits; slow bodies time out | CVE-2023-30798 | MUST | Large/many/slow
CO-HTTP-04 | 1 | Response headers never from unchecked input | RFC 9110 §5.5; CVE-2026-50630 | MUST NOT | `%0d%0a` everywhere
CO-HTTP-05 | 1 | No 5xx on malformed input; no stack traces | RFC 6749 §10.14 | MUST | Fuzz: zero 5xx
CO-HTTP-06 | 1 | Trusted-proxy headers off by default | RFC 9700 §4.13 | MUST | `X-Forwarded-*` ignored

# CO-LOG: Logs
CO-LOG-01 | 1 | Tokens, codes, secrets, passwords, assertions, verifiers, cookies redacted at all levels | RFC 6750 §5.3; CVE-2025-65015 | MUST NOT | Full flow at DEBUG, search for known values
CO-LOG-02 | 1 | CR/LF and control chars encoded | CVE-2026-50629 | MUST | `client_id=a%0aFAKE`: one line
CO-LOG-03 | 1 | Security events recorded (login failure, code replay, RT reuse, client-auth failure) | Practice | SHOULD | Event sink
"""


def _rows() -> Iterator[Requirement]:
    for line in _TABLE.splitlines():
        if line and not line.startswith("#"):
            row, milestone, sentence, source, level, check = line.split(" | ")
            yield Requirement(row, milestone == "1", sentence, source, level, check)


def _expand(ranges: Mapping[str, str]) -> frozenset[str]:
    """Return the ids of `{"AS-AZ": "01-03 07"}`."""
    return frozenset(
        f"{group}-{number:02}"
        for group, text in ranges.items()
        for first, last in re.findall(r"(\d\d)(?:-(\d\d))?", text)
        for number in range(int(first), int(last or first) + 1)
    )


REQUIREMENTS: Mapping[str, Requirement] = {row.id: row for row in _rows()}

# No test shows these yet.
OPEN = _expand(
    {
        "AS-CA": "11-17",
        "AS-INT": "08",
        "AS-OIDC": "12 21",
        "AS-UI": "10",
        "AS-LO": "01-05",
        "AS-BCL": "01-04",
        "AS-FP": "01-03",
        "AS-PAR": "01-09",
        "AS-JAR": "01-07",
        "AS-DPOP": "01-09",
        "AS-DCR": "01-10",
        "AS-CIMD": "01-08",
        "AS-DEV": "01-05",
        "AS-TX": "01-04",
        "AS-FAPI": "01-06",
        "CL-NAT": "01-07",
        "RS-DPOP": "01-06",
        "RS-PRM": "01-03",
    }
)

# What exists is tested; the row waits for the rest.
PARTIAL: Mapping[str, str] = {
    "AS-AZ-19": "form_post",
    "AS-CA-01": "pushed requests",
    "CL-TOK-10": "dynamic registrations",
}
