"""Everyone who can check one signed payment: Tollgate, the official SDK, and libsecp256k1 alone as the limit."""

from typing import Any

from tests.bench.measure import Once
from tests.bench.sample import ASSET, NETWORK, PAY_TO, Sample


def ours(sample: Sample) -> dict[str, Once]:
    """The signature alone, with the terms, and everything that is checked before the chain is asked."""
    from tollgate.payment.terms import check_authorization, check_time, match_requirements  # noqa: PLC0415
    from tollgate.schemes.exact import eip3009  # noqa: PLC0415
    from tollgate.wire.models import PaymentPayload  # noqa: PLC0415
    from tollgate.wire.parse import parse_payment  # noqa: PLC0415

    payment = parse_payment(sample.header)

    def signature() -> None:
        eip3009.check_signature(ASSET, NETWORK.network, payment.payload.authorization, payment.payload.signature)

    def checked(parsed: PaymentPayload = payment) -> None:
        authorization = parsed.payload.authorization
        requirements = match_requirements(parsed, (sample.requirements,))
        check_authorization(requirements, authorization)
        check_time(requirements, authorization, sample.now, 10)
        eip3009.check_signature(ASSET, NETWORK.network, authorization, parsed.payload.signature)

    return {
        "tollgate: signature": signature,
        "tollgate: terms and signature": checked,
        "tollgate: header, terms and signature": lambda: checked(parse_payment(sample.header)),
    }


def official(sample: Sample) -> dict[str, Once]:
    """The official facilitator's verify, its own signer included, with the chain's answers stubbed."""
    from x402.http.utils import decode_payment_signature_header  # noqa: PLC0415
    from x402.mechanisms.evm.exact.facilitator import ExactEvmScheme  # noqa: PLC0415
    from x402.mechanisms.evm.signers import FacilitatorWeb3Signer  # noqa: PLC0415
    from x402.schemas import PaymentRequirements  # noqa: PLC0415

    class Stubbed(FacilitatorWeb3Signer):
        """Every read succeeds at once; the signature is really checked."""

        def read_contract(self, *_: Any) -> Any:
            return None

        def get_code(self, address: str) -> bytes:
            return b"\x60" if address.lower() == str(ASSET.address).lower() else b""

    scheme = ExactEvmScheme(Stubbed("0x" + "11" * 32, "http://127.0.0.1:9"))
    requirements = PaymentRequirements.model_validate(sample.message["accepted"])
    payload = decode_payment_signature_header(sample.header)
    assert requirements.pay_to == PAY_TO

    def verify() -> None:
        _valid(scheme.verify(payload, requirements))

    def whole() -> None:
        _valid(scheme.verify(decode_payment_signature_header(sample.header), requirements))

    return {"official: verify": verify, "official: header and verify": whole}


def limit(sample: Sample) -> dict[str, Once]:
    """libsecp256k1's recover, called through cffi on a signature that is parsed already: no hash, no address."""
    from coincurve._libsecp256k1 import ffi, lib  # noqa: PLC0415
    from coincurve.context import GLOBAL_CONTEXT  # noqa: PLC0415

    from tollgate.schemes.exact import eip3009  # noqa: PLC0415
    from tollgate.wire.parse import parse_payment  # noqa: PLC0415

    payload = parse_payment(sample.header).payload
    digest = eip3009.digest(ASSET, NETWORK.network, payload.authorization)
    signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    key = ffi.new("secp256k1_pubkey *")
    context, compact, v = GLOBAL_CONTEXT.ctx, payload.signature[:64], payload.signature[64]
    assert lib.secp256k1_ecdsa_recoverable_signature_parse_compact(context, signature, compact, v - 27) == 1
    assert lib.secp256k1_ecdsa_recover(context, key, signature, digest) == 1
    return {"libsecp256k1: recover": lambda: lib.secp256k1_ecdsa_recover(context, key, signature, digest)}


def _valid(answer: Any) -> None:
    if not answer.is_valid:
        raise RuntimeError(f"the official facilitator refused the sample: {answer.invalid_reason}")
