"""``tollgate receipts``: have a payment's receipt signed by its stack, and verify one with nothing but the file."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tollgate.errors import BadRequest, ConfigurationError
from tollgate.ledger.dynamo import Table
from tollgate.schemes.signed_receipt import Verified, verify
from tollgate.wire.primitives import Address
from tollgate.wire.strict_json import loads
from tollgate_cli.ages import moment
from tollgate_cli.aws import Aws, invoke
from tollgate_cli.payment_lookup import beginning_with, digest_of, is_beginning, is_transaction, of_transaction
from tollgate_cli.result import Progress, Result
from tollgate_cli.stack import read_stack

_MAX_FILE_BYTES = 1_048_576
_SHOWN = ("payment", "network", "transaction", "signer", "kid")

_EPILOG = """\
examples:
  tollgate receipts show 0x5f3a... --stack tollgate --json > receipt.json     sign one, and keep it
  tollgate receipts verify receipt.json --signer 0x1234...                    did that key sign it? asks nobody
"""


def add_receipt_commands(groups: Any, common: argparse.ArgumentParser, stack: argparse.ArgumentParser) -> None:
    """Add ``receipts show|verify``."""
    actions = groups.add_parser(
        "receipts",
        help="have a payment's receipt signed, and verify one offline",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).add_subparsers(metavar="ACTION", required=True)
    show = actions.add_parser(
        "show",
        parents=[common, stack],
        help="have the stack sign the receipt of a settled payment",
        description="Signs a receipt of x402's offer-receipt extension, in both of its forms, of a payment that is"
        " settled and served. Exit code 1 when there is none.",
    )
    show.add_argument(
        "id",
        metavar="TRANSACTION|ID",
        help="the transaction (0x and 64 hex digits), the payment's id (64 hex digits, or 8 and more of its first),"
        " or network#asset#payer#nonce",
    )
    show.add_argument("--check-chain", action="store_true", help="look for the transfer on the chain again first")
    show.set_defaults(command="receipts show")
    check = actions.add_parser(
        "verify",
        parents=[common],
        help="verify a receipt offline",
        description="Says whose key signed the receipts in a file: what show --json or /x402/receipts/ answered, a"
        " signed receipt alone, or a PAYMENT-RESPONSE with one. Asks nobody. Exit code 1 when a signature does not"
        " hold, or is not --signer's.",
    )
    check.add_argument("file", metavar="FILE", help="JSON; - is standard input")
    check.add_argument("--signer", metavar="0x...", help="the account that must have signed")
    check.set_defaults(command="receipts verify")


def show(id: str, stack_name: str, aws: Aws, progress: Progress, *, check_chain: bool) -> Result:
    """The receipt of each payment that ``id`` names; exit code 1 when there is none.

    Raises ``ConfigurationError`` when ``id`` names no payment or the stack cannot sign receipts yet.
    """
    digests = [] if is_transaction(id) or is_beginning(id) else [digest_of(id)]
    stack = read_stack(aws.cloudformation, stack_name)
    if not stack.records_function:
        raise ConfigurationError(f"stack {stack.name} signs no receipts yet: deploy this version of Tollgate to it")
    payments = Table(aws.dynamodb, stack.payments_table)
    if is_transaction(id):
        digests = of_transaction(id, stack, payments, aws, progress)
    elif is_beginning(id):
        digests = beginning_with(id, stack, payments, aws, progress)
    if not digests:
        return _failed(f"{stack.name} knows no payment {id}")
    if is_beginning(id) and len(digests) > 1:
        return _failed(f"several payments begin with {id}: " + ", ".join(digests))
    asked = {"op": "receipt", "check": check_chain}
    answers = [invoke(aws.functions, stack.records_function, {**asked, "payment": digest}) for digest in digests]
    refused = [answer["sentence"] for answer in answers if answer.pop("outcome") == "refused"]
    if refused:
        return _failed(" ".join(refused))
    lines = [line for answer in answers for line in _lines(answer)]
    return Result(answers[0] if len(answers) == 1 else {"payments": answers}, lines)


def verify_file(file: str, signer: str | None) -> Result:
    """Check every receipt of a file; exit code 1 when one does not hold. Raises ``ConfigurationError``."""
    try:
        wanted = None if signer is None else Address.parse(signer)
    except ValueError as error:
        raise ConfigurationError(f"--signer {error}") from error
    receipts = _receipts(_read(file))
    if not receipts:
        return _failed(f"{file} holds no signed receipt")
    try:
        found = [verify(receipt) for receipt in receipts]
    except ValueError as error:
        return _failed(f"a receipt in {file} does not hold: {error}")
    strangers = {str(one.signer) for one in found if wanted is not None and one.signer != wanted}
    if strangers:
        return _failed(f"signed by {', '.join(sorted(strangers))}, and not by {wanted}")
    lines = [line for one in found for line in _verified(one)]
    if wanted is None:
        lines.append("whether that key is the seller's, the receipt itself cannot say: compare it with the seller's")
        lines.append("DID document (/x402/did.json at the resource's origin), or with --signer")
    document = {"valid": True, "signerChecked": wanted is not None, "receipts": [_document(one) for one in found]}
    return Result(document, lines)


def _read(file: str) -> Any:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return loads(data, max_bytes=_MAX_FILE_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except BadRequest as bad:
        raise ConfigurationError(f"{file}: {bad.sentence}") from bad


def _receipts(document: Any) -> list[Any]:
    """The signed receipts in what ``show``, the endpoint or a PAYMENT-RESPONSE says."""
    match document:
        case {"format": _}:
            return [document]
        case {"receipts": list(receipts)}:
            return receipts
        case {"payments": list(payments)}:
            return [one for payment in payments for one in _receipts(payment)]
        case {"extensions": {"offer-receipt": {"info": {"receipt": receipt}}}}:
            return [receipt]
    return []


def _lines(answer: dict[str, Any]) -> list[str]:
    receipts = answer["receipts"]
    payload = next(one["payload"] for one in receipts if one["format"] == "eip712")
    lines = [f"{name:<12} {answer[name]}" for name in _SHOWN]
    lines += [
        f"{'resource':<12} {payload['resourceUrl']}",
        f"{'payer':<12} {payload['payer']}",
        f"{'issued':<12} {moment(payload['issuedAt'])}",
    ]
    if "chain" in answer:
        lines.append(f"{'chain':<12} shows the transfer in block {answer['chain']['blockNumber']}")
    return lines + [f"{one['format']:<12} {one['signature']}" for one in receipts]


def _verified(one: Verified) -> list[str]:
    receipt = one.receipt
    return [
        f"{one.format}: the signature holds, by {one.signer}" + (f" ({one.kid})" if one.kid else ""),
        f"  {receipt.payer} paid for {receipt.resource_url}, issued {moment(receipt.issued_at)}",
        f"  on {receipt.network}, " + (receipt.transaction or "no transaction named"),
    ]


def _document(one: Verified) -> dict[str, Any]:
    said = {"format": one.format, "signer": str(one.signer), "payload": one.receipt.to_json()}
    return said if one.kid is None else {**said, "kid": one.kid}


def _failed(sentence: str) -> Result:
    return Result({"error": sentence}, [], [sentence], code=1)
