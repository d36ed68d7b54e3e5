"""What the tests on the deployed stack share: priced routes in front of the upstream, and a buyer."""

import json

import pytest
from eth_account.signers.local import LocalAccount

from local.functions import FACTORS
from local.stack import LocalStack

# Every page of the upstream, so that each test finds the misbehaviour that it needs behind a price.
PAGES = {
    "GET /weather/{city}": {},
    "GET /slow": {"timeoutSeconds": 2},
    "GET /fail": {},
    "GET /big": {},
    "GET /redirect": {},
    "GET /answer": {},
    "POST /answer": {},
    "GET /echo": {},
    "GET /drip": {"timeoutSeconds": 2},
    "POST /echo": {},
}
# What routes declare for agents: their offers carry it, and clients send it back.
DECLARED = {
    "GET /weather/{city}": {
        "description": "Weather of a city",
        "mimeType": "application/json",
        "input": {"example": {"units": "metric"}, "schema": {"properties": {"units": {"type": "string"}}}},
        "output": {"example": {"city": "oslo", "sky": "clear"}},
    }
}
# Those that settle first.
UPFRONT_PAGES = {
    "GET /report/{name}": {},
    "POST /fail": {},
}
# A Lambda function of the seller's.
FUNCTIONS = {"GET /factors/{number}": {"function": FACTORS, "timeoutSeconds": 5}}


# Prices by what is asked for, and how often; official v1 clients pay up to $0.10 by default.
TIERS = {"small": "$0.01", "large": "$0.09"}
BY_REQUEST = {
    "GET /maps/{city}": ("query.size", "/weather/{city}"),
    "POST /draw": ("body.options.size", "/echo"),
}


def routes(stack: LocalStack) -> str:
    """A routes.yaml (JSON is YAML) with one price for all pages, and two that have their price by the request."""
    entries = []
    for key, upstream in PAGES.items():
        method, path = key.split()
        target = {"url": stack.upstream.url + path, **upstream}
        said = DECLARED.get(key, {})
        entries.append({"method": method, "path": path, "price": "$0.01", **said, "upstream": target})
    for key, upstream in UPFRONT_PAGES.items():
        method, path = key.split()
        target = {"url": stack.upstream.url + path, **upstream}
        terms = {"flow": "upfront", "irreversible": True}
        entries.append({"method": method, "path": path, "price": "$0.01", **terms, "upstream": target})
    for key, target in FUNCTIONS.items():
        method, path = key.split()
        entries.append({"method": method, "path": path, "price": "$0.01", "upstream": target})
    for key, (by, page) in BY_REQUEST.items():
        method, path = key.split()
        price = {"by": by, "tiers": TIERS, "absent": "small"}
        said = {"price": price, "limit": {"per_payer": "60/minute", "per_route": "1000/minute"}}
        entries.append({"method": method, "path": path, **said, "upstream": {"url": stack.upstream.url + page}})
    return json.dumps({"version": 1, "limits": {"min": "$0.01", "max": "$0.09"}, "routes": entries})


@pytest.fixture(scope="session", autouse=True)
def priced_routes(deployed_stack: LocalStack) -> None:
    """The routes above, applied once with the command line."""
    deployed_stack.apply_routes(routes(deployed_stack))


@pytest.fixture
def buyer(stack: LocalStack) -> LocalAccount:
    """A new key with 100 USDC and no ether."""
    return stack.funded_account()
