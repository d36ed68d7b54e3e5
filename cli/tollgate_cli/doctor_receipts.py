"""The doctor about receipts: whoever verifies one looks for the key where buyers look, under the public URL."""

from urllib3.exceptions import HTTPError

from tollgate.errors import BadRequest
from tollgate.gateway.receipt_issuer import did_of
from tollgate.schemes.secp256k1 import address_of_public_key
from tollgate.wire import strict_json
from tollgate.wire.offer_receipt import point_of
from tollgate_cli.doctor_offer import ask
from tollgate_cli.doctor_report import Report
from tollgate_cli.stack import Stack

_MAX_BYTES = 65_536


def check_receipts(stack: Stack, report: Report) -> None:
    """The DID document must be this URL's, and name one key in both of its forms."""
    url = f"{stack.facts.base_url}/x402/did.json"
    todo = "see where PublicBaseUrl points: what stands under /x402/ there must be this stack's; else read the log: "
    todo += stack.log("records")
    try:
        status, _, body = ask("GET", url)
        document = strict_json.loads(body, max_bytes=_MAX_BYTES) if status == 200 else {}
        methods = document.get("verificationMethod", ())
        key, account = methods[0]["publicKeyJwk"], str(methods[1]["blockchainAccountId"])
        address = str(address_of_public_key(point_of(key)))
    except (HTTPError, OSError) as error:
        report.mend("receipts", f"{url} cannot be reached ({type(error).__name__})", todo)
        return
    except (BadRequest, AttributeError, IndexError, KeyError, TypeError, ValueError):
        report.mend("receipts", f"{url} does not say whose key signs receipts", todo)
        return
    if document.get("id") != did_of(stack.facts.base_url) or not account.endswith(f":{address}"):
        report.mend("receipts", f"{url} is not the document of this URL's key: no receipt can be verified", todo)
    else:
        report.ok("receipts", f"{url} says that {address} signs receipts")
