"""Signed receipts against software of others (eth-account, cryptography), and against whoever changes a byte."""

import base64
import json
import string
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from eth_account import Account
from eth_account.messages import encode_typed_data

from tests.support.payments import some_claim
from tollgate.chain.signer import LocalSigner
from tollgate.gateway.receipt_issuer import ReceiptIssuer, did_of
from tollgate.payment.record import Payment
from tollgate.payment.states import State
from tollgate.schemes.signed_receipt import verify
from tollgate.wire.offer_receipt import Receipt, parse_jws, point_of
from tollgate.wire.primitives import Address, Bytes32

KEY = bytes.fromhex("11" * 32)
NOW = 1_800_000_000
BASE = "https://api.example"
# As the extension's section 5.3 has them.
TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
    ],
    "Receipt": [
        {"name": "version", "type": "uint256"},
        {"name": "network", "type": "string"},
        {"name": "resourceUrl", "type": "string"},
        {"name": "payer", "type": "string"},
        {"name": "issuedAt", "type": "uint256"},
        {"name": "transaction", "type": "string"},
    ],
}
DOMAIN = {"name": "x402 receipt", "version": "1", "chainId": 1}


CLAIM = some_claim(payer=Address(b"\xaa" * 20))
PAYMENT = Payment(CLAIM, State.SETTLED, 1, transaction=Bytes32(b"\x77" * 32), settled_at=NOW - 5)


def issued(key: bytes = KEY) -> tuple[dict[str, Any], dict[str, Any]]:
    """A receipt in both forms."""
    eip712, jws = ReceiptIssuer(LocalSigner(key), BASE).issue(PAYMENT, NOW)
    return eip712, jws


def test_the_eip712_form_is_what_a_wallet_library_signs() -> None:
    """eth-account, given the extension's domain and types, recovers our key from our signature."""
    eip712, _ = issued()
    assert set(eip712) == {"format", "payload", "signature"}
    assert list(eip712["payload"]) == [field["name"] for field in TYPES["Receipt"]]
    message = {"types": TYPES, "primaryType": "Receipt", "domain": DOMAIN, "message": eip712["payload"]}
    signable = encode_typed_data(full_message=message)
    assert Account.recover_message(signable, signature=eip712["signature"]) == Account.from_key(KEY).address
    assert verify(eip712).signer == LocalSigner(KEY).address()


def test_the_jws_form_verifies_with_another_library_and_says_the_same() -> None:
    """ES256K by RFC 8812 over the canonical payload; no payload beside it, and the kid is of the seller's DID."""
    eip712, jws = issued()
    assert set(jws) == {"format", "signature"}
    read = parse_jws(jws["signature"])
    point = point_of(read.header["jwk"])
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), b"\x04" + point)
    r, s = (int.from_bytes(read.signature[i : i + 32], "big") for i in (0, 32))
    signed, _, _ = jws["signature"].rpartition(".")
    key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        key.verify(encode_dss_signature(r, s), signed.encode() + b"x", ec.ECDSA(SHA256()))
    assert read.receipt.to_json() == eip712["payload"]
    found = verify(jws)
    assert found.signer == LocalSigner(KEY).address()
    assert found.kid == f"did:web:api.example:x402#{found.signer.lower}"


def test_the_payload_of_a_jws_is_canonical() -> None:
    """RFC 8785: sorted names, no spaces, UTF-8 as it is."""
    signed = issued()[1]["signature"]
    part = signed.split(".")[1]
    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _flipped(text: str) -> list[str]:
    """The text with each of its characters changed, one at a time: to a digit, and by its lowest bit."""
    others = [("1" if c != "1" else "2", chr(ord(c) ^ 1)) for c in text]
    return [text[:i] + other + text[i + 1 :] for i, both in enumerate(others) for other in both]


def _still_believed(signed: Any) -> bool:
    try:
        return verify(signed).signer == LocalSigner(KEY).address()
    except ValueError:
        return False


def test_a101_no_byte_of_an_eip712_receipt_can_be_changed() -> None:
    """Every character of the signature and of every field: it is no receipt of the seller's key any more."""
    eip712, _ = issued()
    assert _still_believed(eip712)
    for signature in _flipped(eip712["signature"]):
        assert not _still_believed({**eip712, "signature": signature}), signature
    for name, value in eip712["payload"].items():
        for text in _flipped(str(value)):
            changed = {**eip712["payload"], name: int(text) if isinstance(value, int) and text.isdecimal() else text}
            assert not _still_believed({**eip712, "payload": changed}), (name, text)


def test_a101_no_byte_of_a_jws_receipt_can_be_changed() -> None:
    """Header, payload and signature: base64url has one spelling here, so not even the padding bits are free."""
    _, jws = issued()
    assert _still_believed(jws)
    last = [jws["signature"][:-1] + c for c in string.ascii_letters + string.digits + "-_="]
    for signature in {*_flipped(jws["signature"]), *last} - {jws["signature"]}:
        assert not _still_believed({**jws, "signature": signature}), signature


def test_a101_a_forgers_own_key_is_not_the_sellers() -> None:
    """It signs perfectly; whose key it is comes from outside, and is another."""
    eip712, _ = issued()
    forged = issued(b"\x22" * 32)
    assert forged[0]["payload"] == eip712["payload"]
    assert {verify(one).signer for one in forged} == {LocalSigner(b"\x22" * 32).address()}
    # The seller's kid on the forger's key changes nothing: the key counts, not its name.
    assert verify(forged[1]).signer != LocalSigner(KEY).address()


@pytest.mark.parametrize(
    "signed",
    [
        None,
        {},
        {"format": "eip712"},
        {"format": "jws", "signature": "a.b"},
        {"format": "jws", "signature": "a.b.c"},
        {"format": "none", "payload": {}, "signature": ""},
        {"format": "eip712", "payload": {}, "signature": "0x"},
        {"format": "eip712", "payload": [], "signature": "0x"},
        {"format": "jws", "signature": "", "payload": {}},
    ],
)
def test_what_is_no_receipt_says_so(signed: Any) -> None:
    """A sentence, never another exception."""
    with pytest.raises(ValueError, match=r"\w"):
        verify(signed)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"issuedAt": "1800000000"},
        {"issuedAt": -1},
        {"payer": None},
        {"amount": "10000"},
    ],
)
def test_a_payload_of_another_form_is_refused(change: dict[str, Any]) -> None:
    """The schema is closed: what it does not know was not signed."""
    payload = issued()[0]["payload"] | change
    with pytest.raises(ValueError, match=r"receipt|issuedAt|version"):
        Receipt.from_json(payload)


@pytest.mark.parametrize(
    ("base_url", "did"),
    [
        ("https://api.example", "did:web:api.example:x402"),
        ("http://127.0.0.1:4000", "did:web:127.0.0.1%3A4000:x402"),
        ("https://shop.example/v1/api", "did:web:shop.example:v1:api:x402"),
    ],
)
def test_the_did_resolves_to_our_document(base_url: str, did: str) -> None:
    """did:web: colons are slashes, a port's is escaped, and /did.json comes at the end."""
    assert did_of(base_url) == did
