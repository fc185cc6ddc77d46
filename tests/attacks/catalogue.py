"""The catalogue of attacks as code: what each row tries, and what a row still waits for.

A row's tests are named for it: `test_atk_004_...` shows ATK-004. `test_catalogue.py` holds
the two together.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["ATTACKS", "REST", "WAITS"]

_ROWS = """
ATK-004 | redirect URI compared without regard to case
ATK-006 | redirect URI taken for a pattern
ATK-007 | redirect URI not compared at all
ATK-011 | fragment in a redirect URI
ATK-012 | redirect URI whose scheme runs a program
ATK-013 | redirect URI with another port
ATK-016 | redirect URI with path parameters and dot segments
ATK-017 | redirect URI that brings parameters of the answer
ATK-018 | redirect URI that breaks its parser
ATK-019 | another redirect URI at the token endpoint
ATK-020 | application that sends people on to anywhere after a login
ATK-021 | login page that sends people on to anywhere
ATK-022 | logout that sends people on to anywhere
ATK-024 | consent given by a form of another site
ATK-025 | consent page inside a frame
ATK-027 | consent not asked for a client that anybody can pretend to be
ATK-028 | transaction approved in one browser, resumed in another
ATK-030 | demanded login done by another person
ATK-032 | what is left of one person used by the next
ATK-033 | login by a form of another site
ATK-034 | logout by a form or link of another site
ATK-035 | answers that tell who exists
ATK-036 | time that tells who exists
ATK-037 | passwords guessed
ATK-038 | account locked by guessing
ATK-040 | password of which only a part counts
ATK-041 | usernames that look alike
ATK-042 | cookies placed beside the real ones
ATK-044 | markup in what a client says of itself
ATK-045 | markup in `state`
ATK-047 | redirect that repeats the credentials
ATK-048 | code or state in `Referer`
ATK-049 | secret answers kept by caches
ATK-050 | authorization requests without end
ATK-052 | scope beyond the registration
ATK-055 | another origin reads with the person's cookies
ATK-056 | parameters of unexpected JSON types
ATK-057 | challenge taken out of the request
ATK-058 | verifier left out of the token request
ATK-060 | challenge method plain
ATK-062 | verifier that an address gives away
ATK-063 | challenge chosen by the attacker
ATK-064 | code redeemed twice
ATK-069 | code put into another login
ATK-070 | code that lives too long
ATK-072 | code or state that can be foreseen
ATK-073 | token request that is no posted form
ATK-074 | two client authentications in one request
ATK-077 | grant that the client is not registered for
ATK-079 | secret compared byte by byte
ATK-080 | client secrets guessed
ATK-081 | client assertion used twice
ATK-082 | client assertion that does not expire
ATK-083 | client assertion for another audience
ATK-084 | client assertion with another algorithm, or another kind of JWT
ATK-085 | unknown grant type taken for a known one
ATK-086 | token exchanged for a greater one
ATK-089 | requests that are large, many or slow
ATK-090 | refresh token used again after its rotation
ATK-092 | revoked refresh token alive after a restart
ATK-095 | refresh token of a public client without `client_id`
ATK-096 | tokens of a person who is out
ATK-097 | revocation that does nothing
ATK-100 | script callback at an endpoint for programs
ATK-101 | introspection without authentication, or always active
ATK-103 | introspection of other kinds of text
ATK-105 | code or refresh token used as access token
ATK-106 | typed token used as another type
ATK-107 | userinfo beyond the scope
ATK-108 | userinfo for a token without a person
ATK-110 | access token in the address
ATK-113 | public key used as HMAC secret
ATK-114 | signature by another algorithm than the header names
ATK-115 | key embedded in the token
ATK-116 | key address in the token
ATK-117 | key id that is a path or a query
ATK-118 | critical extension passed over
ATK-119 | token of enormous size or shape
ATK-120 | token that inflates
ATK-121 | key derivation without end, empty key
ATK-122 | token in several forms, members said twice
ATK-123 | signature of zeros, key off its curve
ATK-124 | issuer or audience that contains the right one
ATK-125 | token for somebody else
ATK-126 | key of one issuer for the token of another
ATK-127 | hash claim that does not fit and is passed over
ATK-128 | token that switches off its own check
ATK-129 | times that are no sane numbers
ATK-130 | private keys published
ATK-131 | answer of one server taken for another's
ATK-132 | answer without its issuer
ATK-133 | callback of the attacker in the victim's browser
ATK-134 | check that vanishes with assertions off
ATK-135 | login begun at one provider and ended at another
ATK-136 | pending login used as session
ATK-137 | markup in a callback
ATK-138 | account taken over by an e-mail address
ATK-139 | userinfo about somebody else
ATK-140 | server that gives itself out for another
ATK-141 | credentials that follow a redirect
ATK-142 | endpoint that is a command
ATK-143 | loopback listener reached by others
ATK-144 | keys fetched from anywhere
ATK-145 | keys fetched without end
ATK-146 | account linking started by another site
ATK-147 | one consent for two clients of one upstream client
ATK-148 | `jwks_uri` of a registration fetched from anywhere
ATK-149 | `request_uri` fetched from anywhere
ATK-150 | other addresses of a client fetched from anywhere
ATK-151 | logout address called anywhere
ATK-152 | registration with privileges
ATK-153 | registration managed by another client
ATK-154 | pushed request of another client, used twice, guessed
ATK-155 | pushed parameters shown to the browser
ATK-156 | signed request against its outer parameters
ATK-157 | DPoP proof used twice
ATK-158 | DPoP proof that does not fit
ATK-159 | bound token used as bearer token
ATK-160 | DPoP address by a forged Host
ATK-161 | user codes guessed, device code of another client
ATK-162 | device approved by its link alone
ATK-163 | logout token forged
ATK-165 | lines put into the log
ATK-166 | secrets in the log, log without end
ATK-167 | answers that tell how the server is made
ATK-170 | certificate not verified
ATK-171 | token store that others can read
"""

ATTACKS: Mapping[str, str] = {
    attack_id.strip(): name.strip()
    for attack_id, _, name in (line.partition("|") for line in _ROWS.strip().splitlines())
}
"""What each row tries, by its id."""

WAITS: Mapping[str, str] = {
    "ATK-081": "private_key_jwt",
    "ATK-082": "private_key_jwt",
    "ATK-083": "private_key_jwt",
    "ATK-084": "private_key_jwt",
    "ATK-143": "the login of command lines, with its loopback listener (CL-NAT)",
    "ATK-146": "account linking",
    "ATK-147": "an upstream provider behind the authorization server (MCP)",
    "ATK-148": "dynamic client registration",
    "ATK-151": "back-channel logout",
    "ATK-152": "dynamic client registration",
    "ATK-153": "dynamic client registration",
    "ATK-154": "pushed authorization requests",
    "ATK-155": "pushed authorization requests",
    "ATK-157": "DPoP",
    "ATK-158": "DPoP",
    "ATK-160": "DPoP",
    "ATK-161": "the device grant",
    "ATK-162": "the device grant",
    "ATK-163": "back-channel logout",
}
"""The rows of which nothing can be tried yet, and what they wait for."""

REST: Mapping[str, str] = {
    "ATK-012": "dynamic client registration: the same refusals at /register",
    "ATK-022": "RP-initiated logout: a registered address is gone to, any other is not",
    "ATK-034": "RP-initiated logout: with a hint of somebody else",
    "ATK-036": "never timed: shown is that the same hash is computed, at the same cost",
    "ATK-045": "response_mode=form_post: shown is that it is refused",
    "ATK-079": "never timed: shown is that digests of one length are compared as a whole",
    "ATK-086": "never offered: shown is that the grant type is refused",
    "ATK-106": "back-channel logout and client assertions: shown with forged ones",
    "ATK-137": "the page that a command line shows after its login (CL-NAT)",
    "ATK-140": "metadata of protected resources, which name a server (RFC 9728, MCP)",
    "ATK-142": "the login of command lines, which starts a browser (CL-NAT)",
    "ATK-149": "signed requests by reference: shown is that they are refused",
    "ATK-150": "dynamic client registration and client id metadata documents",
    "ATK-156": "signed requests: shown is that they are refused",
    "ATK-159": "DPoP: shown with tokens that say they are bound",
}
"""The rows of which a part is tried another way, or waits."""
