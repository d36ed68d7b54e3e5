"""The KMS signer against a KMS server over HTTP."""

import random

import boto3
import pytest

from tollgate.chain.signer import KmsSigner, parse_der
from tollgate.errors import ConfigurationError
from tollgate.schemes.secp256k1 import HALF_ORDER, recover_address

RANDOM = random.Random(256)


@pytest.mark.parametrize("round_", range(2))
def test_thirty_signatures_are_low_s_and_recover_to_the_key(aws_endpoint: str, round_: int) -> None:
    """KMS itself answers a high s about half of the time; that it did is checked too."""
    kms = boto3.client(
        "kms",
        endpoint_url=aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    high: list[bool] = []
    kms.meta.events.register(
        "after-call.kms.Sign",
        lambda parsed, **_: high.append(parse_der(parsed["Signature"])[1] > HALF_ORDER),
    )
    key_id = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    signer = KmsSigner(kms, key_id)
    for _ in range(30):
        digest = RANDOM.randbytes(32)
        signature = signer.sign(digest)
        assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
        assert recover_address(digest, signature) == signer.address()
    assert len(high) == 30
    assert any(high), f"round {round_}: no high s in thirty signatures"
    assert not all(high)


def test_a_key_of_another_curve_is_refused_by_name(aws_endpoint: str) -> None:
    """A relayer key made with the wrong spec stops before anything is signed."""
    kms = boto3.client(
        "kms",
        endpoint_url=aws_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    key_id = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    with pytest.raises(ConfigurationError, match="ECC_SECG_P256K1"):
        KmsSigner(kms, key_id).address()
