"""The official SDK's seller with an official facilitator inside, as one ASGI application: its shortest paid call."""

from typing import Any

from eth_account import Account
from fastapi import FastAPI
from x402 import x402Facilitator, x402ResourceServer
from x402.http import PaymentOption, RouteConfig
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.mechanisms.evm import FacilitatorWeb3Signer
from x402.mechanisms.evm.exact import register_exact_evm_facilitator, register_exact_evm_server

from local.chain import Chain

PATH = "/report/oslo"


def official_app(chain: Chain, pay_to: str) -> Any:
    """FastAPI with the SDK's middleware; it verifies and settles by itself on ``chain``, with a key of its own."""
    network = str(chain.info.network)
    account = Account.create()
    chain.give_gas(account.address)
    signer = FacilitatorWeb3Signer("0x" + account.key.hex().removeprefix("0x"), chain.url)
    facilitator = register_exact_evm_facilitator(x402Facilitator(), signer, networks=network)
    server = register_exact_evm_server(x402ResourceServer(facilitator))
    option = PaymentOption(scheme="exact", pay_to=pay_to, price="$0.01", network=network)
    app = FastAPI()
    routes = {"GET /report/*": RouteConfig(accepts=option, mime_type="application/json")}
    app.add_middleware(PaymentMiddlewareASGI, routes=routes, server=server)

    @app.get("/report/{city}")
    async def report(city: str) -> Any:
        return {"report": city}

    return app
