"""A facilitator made of the official SDK and nothing of ours, as a process: ``OFFICIAL='{...}' python -m`` this.

``journal`` tells what it was asked: the tests read there which headers and which payments arrived.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from x402 import x402FacilitatorSync
from x402.mechanisms.evm import FacilitatorWeb3Signer
from x402.mechanisms.evm.exact import register_exact_evm_facilitator
from x402.schemas import parse_payment_payload, parse_payment_requirements


@dataclass(frozen=True, slots=True)
class Settings:
    """``authorization`` is the header without which verify and settle answer 401; ``wait`` is in seconds."""

    port: int
    rpc: str
    network: str
    key: str
    authorization: str
    wait: float


@dataclass
class Journal:
    """Settle requests that had the right header and what they were answered, and how many requests had not."""

    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)
    turned_away: int = 0


def facilitator_app(settings: Settings) -> FastAPI:
    """The endpoints as the SDK's own example has them."""
    signer = FacilitatorWeb3Signer(settings.key, settings.rpc, settings.wait)
    facilitator = register_exact_evm_facilitator(x402FacilitatorSync(), signer, networks=settings.network)
    journal = Journal()
    app = FastAPI()

    def read(request: Request, body: dict[str, Any]) -> tuple[Any, Any]:
        if request.headers.get("authorization") != settings.authorization:
            journal.turned_away += 1
            raise HTTPException(401)
        payload = parse_payment_payload(body["paymentPayload"])
        return payload, parse_payment_requirements(payload.x402_version, body["paymentRequirements"])

    @app.post("/verify")
    def verify(request: Request, body: dict[str, Any]) -> Any:
        return facilitator.verify(*read(request, body)).model_dump(by_alias=True, exclude_none=True)

    @app.post("/settle")
    def settle(request: Request, body: dict[str, Any]) -> Any:
        payload, requirements = read(request, body)
        journal.asked.append(body)
        answer = facilitator.settle(payload, requirements).model_dump(by_alias=True, exclude_none=True)
        journal.answered.append(answer)
        return answer

    @app.get("/supported")
    def supported() -> Any:
        return facilitator.get_supported().model_dump(by_alias=True, exclude_none=True)

    @app.get("/journal")
    def read_journal() -> Any:
        return {"pid": os.getpid(), **asdict(journal)}

    return app


if __name__ == "__main__":
    chosen = Settings(**json.loads(os.environ["OFFICIAL"]))
    uvicorn.run(facilitator_app(chosen), host="127.0.0.1", port=chosen.port, log_level="warning")
