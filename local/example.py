"""``make example NAME=workflow``: one of examples/, on a local stack of its own, paid for with the official client."""

import asyncio
import sys
import time

import httpx
from eth_account.signers.local import LocalAccount

from local.build import ToolFailed
from local.buyer import read_header
from local.demo import DemoFailed, expect, show, title, usdc
from local.examples import EXAMPLES, FOLDER, Example, served
from local.pay import fetch
from local.processes import StartFailed
from local.shutdown import end_on_signals
from local.stack import LocalStack

_PATIENCE = 40.0


def play(example: Example, stack: LocalStack) -> None:
    """The offer, the payment, and what it bought. Raises ``DemoFailed``."""
    method, path, said = example.call
    with served(example, stack) as server:
        title(f"1. The seller prices it: {(FOLDER / example.name / 'routes.yaml').relative_to(FOLDER.parent)}")
        print(stack.apply_routes(example.routes(server)).strip().splitlines()[-1])
        title(f"2. A buyer asks without paying: {method} {path}")
        answer = httpx.request(method, stack.api_url + path, json=said, timeout=_PATIENCE)
        expect(answer.status_code == 402, "402 Payment Required", answer)
        offer = read_header(answer.headers["payment-required"])["accepts"][0]
        show("price", usdc(int(offer["amount"])))
        title("3. The official x402 client pays")
        account = stack.funded_account()
        answer = asyncio.run(fetch(account, stack.api_url + path, method, json=said))
        expect(answer.status_code in (200, 202), f"{answer.status_code}", answer)
        show("body", answer.text)
        _expect_paid(stack, account, int(offer["amount"]), answer)
        if answer.status_code == 202:
            title("4. The result, under the link that only the buyer got")
            show("link", answer.headers["location"])
            show("body", _result(answer.headers["location"]).text)


def _expect_paid(stack: LocalStack, account: LocalAccount, price: int, answer: httpx.Response) -> None:
    receipt = read_header(answer.headers["payment-response"])
    show("transaction", receipt["transaction"])
    spent = 100_000_000 - stack.chain.balance(account.address)
    expect(receipt["success"] and spent == price, f"{usdc(price)} went to the seller", answer)


def _result(link: str) -> httpx.Response:
    ends = time.monotonic() + _PATIENCE
    while (answer := httpx.get(link, timeout=_PATIENCE)).status_code == 202 and time.monotonic() < ends:
        time.sleep(0.5)
    expect(answer.status_code == 200, "200 OK, without paying again", answer)
    return answer


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    known = {example.name: example for example in EXAMPLES}
    if len(arguments) != 1 or arguments[0] not in known:
        print(f"which example? make example NAME={' or '.join(known)}", file=sys.stderr)
        return 2
    end_on_signals()
    try:
        with LocalStack(block_seconds=1) as stack:
            play(known[arguments[0]], stack)
    except (DemoFailed, StartFailed, ToolFailed) as failure:
        print(f"\nThe example failed: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
