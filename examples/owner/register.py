"""Register a route on somebody's Tollgate, or change it: what an owner of routes runs.

    pip install eth-account
    OWNER_KEY=0x... python register.py https://api.example route.json

The route is one of a routes.yaml, as JSON, with an id. The gateway says what to sign; docs/owners.md has what it is.
"""

import base64
import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct

CHAIN_ID = "1"  # any: a wallet has the same address on every EVM chain


def signed(how: dict[str, Any], key: str) -> str:
    """A SIGN-IN-WITH-X header (EIP-4361) for what an unsigned request was answered."""
    account = Account.from_key(key)
    nonce, issued = secrets.token_hex(8), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    text = (
        f"{how['domain']} wants you to sign in with your Ethereum account:\n{account.address}\n\n\n"
        f"URI: {how['uri']}\nVersion: 1\nChain ID: {CHAIN_ID}\nNonce: {nonce}\nIssued At: {issued}\n"
        f"Request ID: {how['requestId']}"
    )
    message = {
        "domain": how["domain"],
        "address": account.address,
        "uri": how["uri"],
        "version": "1",
        "chainId": f"eip155:{CHAIN_ID}",
        "type": "eip191",
        "nonce": nonce,
        "issuedAt": issued,
        "requestId": how["requestId"],
        "signature": account.sign_message(encode_defunct(text=text)).signature.to_0x_hex(),
    }
    return base64.b64encode(json.dumps(message).encode()).decode()


def ask(method: str, url: str, key: str, body: bytes | None = None, version: int | None = None) -> tuple[int, Any]:
    """One request: unsigned, and then signed as its answer says."""
    headers = {"content-type": "application/json"}
    if version is not None:
        headers["if-match"] = f'"{version}"'
    status, answer = send(method, url, body, headers)
    if status == 401:
        headers["sign-in-with-x"] = signed(answer["details"]["signIn"], key)
        status, answer = send(method, url, body, headers)
    return status, answer


def send(method: str, url: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def main(base_url: str, file: str) -> int:
    """Register the route of a file, or put it in the place of what is registered under its id."""
    body = Path(file).read_bytes()
    key, routes = os.environ["OWNER_KEY"], f"{base_url.rstrip('/')}/x402/admin/routes"
    one = f"{routes}/{json.loads(body)['id']}"
    status, found = ask("GET", one, key)
    if status == 404:
        status, answer = ask("POST", routes, key, body)
    elif status == 200:
        status, answer = ask("PUT", one, key, body, found["version"])
    else:
        answer = found
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0 if status in (200, 201) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
