from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey, RSAKey

from codegrant.errors import TokenRejected
from codegrant.jose import KeySet, PrivateKey, parse_compact, sign_compact
from codegrant.jose.base64url import decode, encode

from .samples import ALGS, VECTORS, forge, private_key

HEADER = encode(b'{"alg":"ES256"}')
PAYLOAD = encode(b'{"sub":"alice"}')


def _refusal(token: str, max_bytes: int = 16384) -> str:
    with pytest.raises(TokenRejected) as refused:
        parse_compact(token, max_bytes=max_bytes)
    return refused.value.code


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("typ", ["", "at+jwt"])
def test_what_was_signed_parses_to_itself(alg: str, typ: str) -> None:
    key = private_key(alg)
    jws = parse_compact(sign_compact(key, b"\x00any octets\xff", typ=typ))
    assert (jws.alg, jws.kid, jws.typ, jws.payload) == (alg, key.kid, typ, b"\x00any octets\xff")
    key.public.verify(jws.signature, jws.signing_input)


def test_the_header_says_alg_kid_and_typ_and_nothing_more() -> None:
    key = private_key("ES256")
    header = decode(sign_compact(key, b"", typ="JWT").partition(".")[0])
    assert header == b'{"alg":"ES256","kid":"%s","typ":"JWT"}' % key.kid.encode()
    assert decode(sign_compact(key, b"").partition(".")[0]).endswith(b'"}')
    named = PrivateKey.from_pem(key.to_pem(), "ES256", 'a"b\\é')
    assert parse_compact(sign_compact(named, b"")).kid == 'a"b\\é'


def test_the_newer_name_of_eddsa_is_understood() -> None:
    token = forge({"alg": "Ed25519"}, sign=private_key("EdDSA").sign)
    jws = parse_compact(token)
    assert jws.alg == "EdDSA"
    private_key("EdDSA").public.verify(jws.signature, jws.signing_input)


def test_a_parsed_token_does_not_show_itself() -> None:
    jws = parse_compact(sign_compact(private_key("ES256"), b"personal", typ="JWT"))
    assert repr(jws) == f"UnverifiedJws(alg='ES256', kid={jws.kid!r}, typ='JWT')"


@pytest.mark.requirement("CO-JOSE-03")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param(".", id="one dot"),
        pytest.param("..", id="two dots"),
        pytest.param(HEADER, id="one segment"),
        pytest.param(f"{HEADER}.{PAYLOAD}", id="two segments"),
        pytest.param(f"{HEADER}.{PAYLOAD}.AAAA.AAAA", id="four segments"),
        pytest.param(f"{HEADER}.{PAYLOAD}.AAAA.", id="dot behind"),
        pytest.param(f".{HEADER}.{PAYLOAD}.AAAA", id="dot before"),
        pytest.param(f"{HEADER}.AAAA.AAAA.AAAA.AAAA", id="five segments"),
        pytest.param(f".{PAYLOAD}.AAAA", id="no header"),
        pytest.param(f"{HEADER}=.{PAYLOAD}.AAAA", id="padding in the header"),
        pytest.param(f"{HEADER}.{PAYLOAD}=.AAAA", id="padding in the payload"),
        pytest.param(f"{HEADER}.{PAYLOAD}.AAA=", id="padding in the signature"),
        pytest.param(f"{HEADER}.{PAYLOAD}.AAB", id="stray bits in the signature"),
        pytest.param(f"{HEADER}.{PAYLOAD}.A", id="one character"),
        pytest.param(f"{HEADER}.AA+A.AAAA", id="plain base64"),
        pytest.param(f" {HEADER}.{PAYLOAD}.AAAA", id="space before"),
        pytest.param(f"{HEADER}.{PAYLOAD}.AAAA\n", id="line feed behind"),
        pytest.param(f"{HEADER} .{PAYLOAD}.AAAA", id="space in the middle"),
        pytest.param(f"{HEADER}.{PAYLOAD}.ÄÄÄÄ", id="letters outside of ASCII"),
        pytest.param(f"{HEADER}.{PAYLOAD}.AAA\ud800", id="half a surrogate pair"),
        pytest.param(f"Bearer {HEADER}.{PAYLOAD}.AAAA", id="with its scheme"),
        pytest.param(f'"{HEADER}.{PAYLOAD}.AAAA"', id="in quotes"),
    ],
)
def test_anything_but_three_strict_segments_is_refused(token: str) -> None:
    parse_compact(f"{HEADER}.{PAYLOAD}.AAAA")
    assert _refusal(token) == "malformed_token"


@pytest.mark.requirement("CO-JOSE-03")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"ES256"', id="text"),
        pytest.param(b'{"alg":"ES256"', id="cut short"),
        pytest.param(b'{"alg":"ES256"}}', id="too many brackets"),
        pytest.param(b'{"alg":"ES256"} {}', id="two objects"),
        pytest.param(b'{"alg":"none","alg":"ES256"}', id="alg twice"),
        pytest.param(b'{"alg":"ES256","alg":"ES256"}', id="alg twice the same"),
        pytest.param(b'{"alg":"ES256","\\u0061lg":"none"}', id="alg twice, escaped"),
        pytest.param(b'{"alg":"ES256","kid":"a","kid":"b"}', id="kid twice"),
        pytest.param(b'{"alg":"ES256","x":NaN}', id="NaN"),
        pytest.param(b'{"alg":"ES256","x":1e400}', id="infinite"),
        pytest.param(b'{"alg":"ES256","x":"\xff"}', id="not UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"alg":"ES256"}', id="byte order mark"),
        pytest.param('{"alg":"ES256"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"alg":"ES256","x":' + b"[" * 40 + b"]" * 40 + b"}", id="deep"),
        pytest.param(b'{"alg":"ES256","kid":null}', id="kid null"),
        pytest.param(b'{"alg":"ES256","kid":1}', id="kid a number"),
        pytest.param(b'{"alg":"ES256","kid":""}', id="kid empty"),
        pytest.param(b'{"alg":"ES256","kid":["a"]}', id="kid a list"),
        pytest.param(b'{"alg":"ES256","kid":"%s"}' % (b"k" * 257), id="kid too long"),
        pytest.param(b'{"alg":"ES256","typ":null}', id="typ null"),
        pytest.param(b'{"alg":"ES256","typ":7}', id="typ a number"),
        pytest.param(b'{"alg":"ES256","x":"%s"}' % (b"x" * 2048), id="header too long"),
    ],
)
def test_a_header_that_is_no_strict_object_is_refused(header: bytes) -> None:
    assert parse_compact(forge(b'{"alg":"ES256","kid":"%s"}' % (b"k" * 256))).kid == "k" * 256
    assert _refusal(forge(header)) == "malformed_token"


@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1=1--", "http://127.0.0.1/", "\x00", "💥"])
def test_any_text_is_a_name_and_no_more(kid: str) -> None:
    assert parse_compact(forge({"alg": "ES256", "kid": kid})).kid == kid
    assert KeySet([private_key("ES256").public]).find(kid, "ES256") == ()


@pytest.mark.requirement("CO-JOSE-02")
@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"crit": ["exp"], "exp": 1}, id="crit that is understood"),
        pytest.param({"crit": ["x"], "x": 1}, id="crit that is unknown"),
        pytest.param({"crit": ["b64"], "b64": False}, id="b64 false"),
        pytest.param({"crit": ["b64"], "b64": True}, id="b64 true"),
        pytest.param({"b64": False}, id="b64 without crit"),
        pytest.param({"b64": True}, id="b64 true without crit"),
        pytest.param({"crit": []}, id="crit empty"),
        pytest.param({"crit": ""}, id="crit a text"),
        pytest.param({"crit": None}, id="crit null"),
        pytest.param({"crit": ["alg"]}, id="crit of a registered name"),
        pytest.param({"crit": ["crit"]}, id="crit of itself"),
    ],
)
def test_a_signed_header_with_an_extension_is_refused(members: dict[str, object]) -> None:
    key = private_key("ES256")
    good = parse_compact(forge({"alg": "ES256", "x": 1, "cty": "text"}))
    key.public.verify(good.signature, good.signing_input)
    assert _refusal(forge({"alg": "ES256", **members})) == "forbidden_header"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jwk", private_key("ES256").public.to_jwk()),
        ("jwk", {}),
        ("jwk", None),
        ("jku", "http://127.0.0.1:9/jwks"),
        ("jku", ""),
        ("x5u", "file:///etc/passwd"),
        ("x5c", ["MIIB"]),
        ("zip", "DEF"),
    ],
)
def test_a_header_that_brings_its_key_or_compression_is_refused(name: str, value: object) -> None:
    assert _refusal(forge({"alg": "ES256", name: value})) == "forbidden_header"


@pytest.mark.parametrize(
    "alg",
    [
        *("none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "RS384", "RS512", "RS1", ""),
        *("ES384", "ES512", "ES256K", "PS384", "PS512", "Ed448", "es256", "ES256 ", "dir"),
    ],
)
def test_an_algorithm_that_is_not_ours_is_refused(alg: str) -> None:
    assert _refusal(forge({"alg": alg})) == "algorithm_refused"
    assert _refusal(forge({"alg": alg}, sign=lambda _: b"")) == "algorithm_refused"


@pytest.mark.parametrize("alg", [None, True, 0, 1.5, ["ES256"], {"alg": "ES256"}])
def test_an_alg_that_is_no_text_is_refused(alg: object) -> None:
    assert _refusal(forge({"alg": alg})) == "algorithm_refused"
    assert _refusal(forge({})) == "algorithm_refused"
    assert _refusal(forge({"ALG": "ES256"})) == "algorithm_refused"


def _published_forms() -> dict[str, bytes]:
    """Each form in which a public RSA key may be at hand, and so be taken for a secret."""
    private = private_key("RS256")._key
    assert isinstance(private, RSAPrivateKey)
    key: RSAPublicKey = private.public_key()
    jwk = private_key("RS256").public.to_jwk()
    spki, pkcs1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1
    pem = key.public_bytes(Encoding.PEM, spki)
    return {
        "PEM": pem,
        "PEM without line end": pem.rstrip(),
        "PEM of PKCS1": key.public_bytes(Encoding.PEM, pkcs1),
        "DER": key.public_bytes(Encoding.DER, spki),
        "DER of PKCS1": key.public_bytes(Encoding.DER, pkcs1),
        "SSH": key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": json.dumps(jwk).encode(),
        "JWK compact": json.dumps(jwk, separators=(",", ":")).encode(),
        "JWK set": KeySet([private_key("RS256").public]).to_json(),
        "n octets": decode(jwk["n"]),
        "n text": jwk["n"].encode(),
        "empty": b"",
    }


@pytest.mark.requirement("CO-JOSE-01", "CO-JOSE-05")
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("form", _published_forms())
def test_a_public_key_is_no_hmac_key_in_any_form(form: str, alg: str) -> None:
    secret = _published_forms()[form]
    kid = private_key("RS256").kid

    def sign(data: bytes) -> bytes:
        return hmac.digest(secret, data, f"sha{alg[2:]}")

    assert _refusal(forge({"alg": alg, "kid": kid}, sign=sign)) == "algorithm_refused"
    # Said to be RS256, the same signature does not hold; a genuine one does.
    key = private_key("RS256")
    lie = parse_compact(forge({"alg": "RS256", "kid": kid}, sign=sign))
    with pytest.raises(TokenRejected) as refused:
        key.public.verify(lie.signature, lie.signing_input)
    assert refused.value.code == "bad_signature"
    genuine = parse_compact(forge({"alg": "RS256", "kid": kid}, sign=key.sign))
    key.public.verify(genuine.signature, genuine.signing_input)


@pytest.mark.requirement("CO-JOSE-01")
@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("said", ALGS)
def test_a_signature_holds_under_its_own_algorithm_only(alg: str, said: str) -> None:
    jws = parse_compact(forge({"alg": said}, sign=private_key(alg).sign))
    key = private_key(said).public
    if said == alg:
        key.verify(jws.signature, jws.signing_input)
        return
    with pytest.raises(TokenRejected) as refused:
        key.verify(jws.signature, jws.signing_input)
    assert refused.value.code == "bad_signature"


@pytest.mark.requirement("CO-JOSE-04")
@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("A" * 10_000_000 + f".{PAYLOAD}.AAAA", "too_large", id="10 MB header"),
        pytest.param(f"{HEADER}.{'A' * 10_000_000}.AAAA", "too_large", id="10 MB payload"),
        pytest.param(f"{HEADER}.{PAYLOAD}.{'A' * 10_000_000}", "too_large", id="10 MB signature"),
        pytest.param("." * 1_000_000, "too_large", id="a million dots"),
        pytest.param("." * 16384, "malformed_token", id="as many dots as fit"),
        pytest.param("A." * 8192, "malformed_token", id="as many segments as fit"),
        pytest.param(f"{'A' * 16000}.{PAYLOAD}.AAAA", "malformed_token", id="header of 16 kB"),
        pytest.param("\ud800" * 16385, "too_large", id="surrogates"),
    ],
)
def test_a_bomb_is_refused_before_anything_is_decoded(
    token: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse_compact(f"{HEADER}.{encode(bytes(11_000))}.AAAA")

    def never(text: str) -> bytes:
        raise AssertionError("a bomb was decoded")

    monkeypatch.setattr("codegrant.jose.jws.decode", never)
    assert _refusal(token) == code


def test_a_token_of_the_size_allowed_is_read_and_a_longer_one_is_not() -> None:
    token = forge({"alg": "ES256"})
    assert parse_compact(token, max_bytes=len(token)).alg == "ES256"
    assert _refusal(token, max_bytes=len(token) - 1) == "too_large"


def _encrypted(header: dict[str, str]) -> str:
    """A JWE as joserfc makes it, for a key that its algorithm wants."""
    algorithms = [header["alg"], header["enc"], "DEF"]
    if header["alg"].startswith("RSA"):
        key: RSAKey | OctKey = RSAKey.import_key({**VECTORS["keys"]["RFC 7520 3.3"], "use": "enc"})
    else:
        key = OctKey.generate_key(256 if header["alg"] == "dir" else 128)
    return jwe.encrypt_compact(header, b'{"sub":"alice"}' * 99, key, algorithms=algorithms)


@pytest.mark.requirement("CO-JOSE-04", "CO-JOSE-05")
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"alg": "RSA1_5", "enc": "A128CBC-HS256"}, id="RSA1_5"),
        pytest.param({"alg": "RSA-OAEP", "enc": "A256GCM"}, id="RSA-OAEP"),
        pytest.param({"alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256"}, id="PBES2"),
        pytest.param({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}, id="compressed"),
    ],
)
def test_an_encrypted_token_is_refused(header: dict[str, str]) -> None:
    token = _encrypted(header)
    assert token.count(".") == 4
    assert _refusal(token) == "malformed_token"
    # Nor does it help to bring its header, and a costly count, into three segments.
    costly = {**header, "p2c": 10**9, "p2s": "AAAAAAAAAAAAAAAAAAAAAA"}
    code = "forbidden_header" if "zip" in header else "algorithm_refused"
    assert _refusal(forge(costly)) == code
    parse_compact(forge({"alg": "ES256"}))


@given(st.text(max_size=120) | st.text("eyJhbGciOiJFUzI1NiJ9.-_=", max_size=120))
def test_no_text_raises_anything_else(token: str) -> None:
    with suppress(TokenRejected):
        parse_compact(token)


HEADER_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64", "cty", "enc"]), HEADER_VALUES
)


@given(HEADERS | HEADERS.map(lambda header: {**header, "alg": "ES256"}), st.binary(max_size=20))
def test_no_header_raises_anything_else(header: dict[str, object], payload: bytes) -> None:
    try:
        jws = parse_compact(forge(header, payload))
    except TokenRejected:
        return
    assert (jws.alg, jws.payload) == ("ES256", payload)
    assert isinstance(jws.typ, str)
    assert jws.kid == header.get("kid")


@pytest.mark.parametrize("alg", ALGS)
def test_a_token_with_any_one_character_changed_is_refused(alg: str) -> None:
    key = private_key(alg)
    token = sign_compact(key, hashlib.sha256(b"payload").digest(), typ="JWT")
    assert _holds(key, token)
    alphabet = "AZaz09-_.=+ \n"
    for position, character in enumerate(token):
        kept, rest = token[:position], token[position + 1 :]
        others = alphabet[position % 3 :: 3].replace(character, "")
        for changed in ("", 2 * character, *others):
            assert not _holds(key, f"{kept}{changed}{rest}")


def _holds(key: PrivateKey, token: str) -> bool:
    try:
        jws = parse_compact(token)
        key.public.verify(jws.signature, jws.signing_input)
    except TokenRejected:
        return False
    return (jws.alg, jws.kid) == (key.alg, key.kid)
