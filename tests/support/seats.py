"""An owner at the admin API: a wallet that signs each request as an unsigned one is told to."""

import hashlib
import json
import time
from typing import Any

from eth_account.signers.local import LocalAccount

from tests.support.buyer import fresh_signature
from tests.support.functions import HOST, Functions
from tests.support.lambda_events import Reply
from tollgate.ledger.owners import OwnersTable, put
from tollgate.payment.owners import Owner
from tollgate.wire.primitives import Address

READ = "x402-admin-read"


def declared(id: str | None = "tea", **changes: Any) -> dict[str, Any]:
    """A route of an owner below /acme; ``None`` leaves a field out."""
    route: dict[str, Any] = {
        "id": id,
        "method": "GET",
        "path": "/acme/tea",
        "price": "$0.01",
        "upstream": {"url": "https://api.example.org/tea"},
    }
    return {name: value for name, value in (route | changes).items() if value is not None}


def change_id(method: str, path: str, if_match: str, body: bytes) -> str:
    """What a change is signed with, written down anew from its description."""
    text = f"x402-admin-change\n{method}\n{path}\n{if_match}\n{hashlib.sha256(body).hexdigest()}"
    return hashlib.sha256(text.encode()).hexdigest()


def sign_in(
    account: LocalAccount,
    request_id: str,
    *,
    domain: str = HOST,
    below: str = "",
    age: float = 0,
    nonce: str | None = None,
) -> str:
    """A SIGN-IN-WITH-X header for a stack ``below`` a path of the domain."""
    how = {"domain": domain, "uri": f"https://{domain}{below}/x402/admin/routes", "version": "1", "type": "eip191"}
    how |= {"chainId": "eip155:84532", "requestId": request_id}
    return fresh_signature(account, how, now=time.time() - age, nonce=nonce)


class Seat:
    """A wallet, owner or not."""

    def __init__(self, functions: Functions, account: LocalAccount) -> None:
        self.functions = functions
        self.account = account
        self.address = Address.parse(account.address)
        self.path = ""

    @classmethod
    def of_an_owner(cls, functions: Functions, path: str = "/acme", **terms: Any) -> "Seat":
        """A new wallet, which the operator lets register routes below ``path``."""
        seat = cls(functions, functions.buyer())
        seat.admit(path, **terms)
        return seat

    def admit(self, path: str = "/acme", **terms: Any) -> None:
        """What ``tollgate owner set`` writes."""
        self.path = path
        table = OwnersTable(self.functions.client("dynamodb"), self.functions.resource("RoutesTable"))
        owner = Owner(self.address, path, **{"pay_to": (self.address,), **terms})
        table.write(put(owner, table.find(self.address)))

    def ask(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        version: int | None = None,
        header: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """One signed request; ``header`` is sent in the place of a signature of its own."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        if version is not None:
            sent["if-match"] = f'"{version}"'
        if method == "GET":
            request_id = READ
        else:
            request_id = change_id(method, url.split("?", 1)[0], sent.get("if-match", ""), data)
        sent["sign-in-with-x"] = header or sign_in(self.account, request_id)
        return self.functions.request(method, url, body=data, headers=sent)
