"""What KMS signs, and which node is believed about a block."""

from tests.faults.sabotage import Sabotage

_KMS = "tests/contract/chain/test_kms.py::test_thirty_signatures_are_low_s_and_recover_to_the_key[0]"

SABOTAGES = (
    Sabotage(
        "KMS hashes the digest once more",
        "chain/signer.py",
        'MessageType="DIGEST"',
        'MessageType="RAW"',
        _KMS,
    ),
    Sabotage(
        "a high s is left as KMS answers it",
        "chain/signer.py",
        "if s > HALF_ORDER:",
        "if False:",
        _KMS,
    ),
    Sabotage(
        "reconcile asks one endpoint whether a block is gone",
        "reconcile/visits.py",
        "block_hash_at(payment.block_number, RPC_TIMEOUT_SECONDS, payment.block_hash)",
        "block_hash_at(payment.block_number, RPC_TIMEOUT_SECONDS)",
        "tests/contract/reconcile/test_passes.py::test_a58_a_block_is_only_called_gone_with_its_hash_in_hand",
    ),
)
