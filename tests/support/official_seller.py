"""A seller on the official SDK's server middleware, as a process: ``OFFICIAL='{...}' python -m`` this.

It sells ``GET /report/{city}`` and counts how often its handler ran; ``/runs`` is free.
"""

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI
from flask import Flask, jsonify
from x402 import x402ResourceServer, x402ResourceServerSync
from x402.http import HTTPFacilitatorClient, HTTPFacilitatorClientSync, PaymentOption, RouteConfig
from x402.http.middleware.fastapi import PaymentMiddlewareASGI
from x402.http.middleware.flask import payment_middleware
from x402.mechanisms.evm.exact import register_exact_evm_server


@dataclass(frozen=True, slots=True)
class Settings:
    """``framework`` is fastapi or flask; ``key`` is the facilitator's bearer key, or empty for none."""

    framework: str
    port: int
    facilitator: str
    key: str
    network: str
    pay_to: str

    @property
    def client(self) -> dict[str, Any]:
        """What the SDK's facilitator clients are made from."""
        bearer = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"url": self.facilitator, "create_headers": lambda: {"verify": bearer, "settle": bearer}}

    @property
    def routes(self) -> dict[str, RouteConfig]:
        """One priced route."""
        option = PaymentOption(scheme="exact", pay_to=self.pay_to, price="$0.01", network=self.network)
        return {"GET /report/*": RouteConfig(accepts=option, mime_type="application/json")}


def fastapi_seller(settings: Settings) -> FastAPI:
    """The SDK's ASGI middleware."""
    app, runs = FastAPI(), Counter[str]()
    server = register_exact_evm_server(x402ResourceServer(HTTPFacilitatorClient(settings.client)))
    app.add_middleware(PaymentMiddlewareASGI, routes=settings.routes, server=server)

    @app.get("/report/{city}")
    def report(city: str) -> Any:
        runs[city] += 1
        return {"report": city}

    @app.get("/runs")
    def read_runs() -> Any:
        return runs

    return app


def flask_seller(settings: Settings) -> Flask:
    """The SDK's WSGI middleware."""
    app, runs = Flask(__name__), Counter[str]()
    server = register_exact_evm_server(x402ResourceServerSync(HTTPFacilitatorClientSync(settings.client)))
    payment_middleware(app, settings.routes, server)

    @app.get("/report/<city>")
    def report(city: str) -> Any:
        runs[city] += 1
        return jsonify(report=city)

    @app.get("/runs")
    def read_runs() -> Any:
        return jsonify(runs)

    return app


if __name__ == "__main__":
    chosen = Settings(**json.loads(os.environ["OFFICIAL"]))
    if chosen.framework == "flask":
        flask_seller(chosen).run("127.0.0.1", chosen.port, threaded=True)
    else:
        uvicorn.run(fastapi_seller(chosen), host="127.0.0.1", port=chosen.port, log_level="warning")
