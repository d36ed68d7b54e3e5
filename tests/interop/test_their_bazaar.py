"""The official SDK's Bazaar client reads our catalogue, and its facilitator side what our buyers send back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from x402 import x402ClientSync
from x402.extensions.bazaar import (
    BazaarExtendedClient,
    ListDiscoveryResourcesParams,
    SearchDiscoveryResourcesParams,
    extract_discovery_info,
    validate_and_extract,
    validate_discovery_extension_spec,
    with_bazaar,
)
from x402.http import HTTPFacilitatorClientSync
from x402.mechanisms.evm.exact import ExactEvmScheme
from x402.schemas import PaymentRequired

from local.stack import LocalStack
from tests.e2e.conftest import routes
from tests.e2e.http import get
from tests.support.buyer import decode


@pytest.fixture
def client(stack: LocalStack) -> Iterator[BazaarExtendedClient]:
    """The API itself is the facilitator whose Bazaar is asked."""
    with with_bazaar(HTTPFacilitatorClientSync({"url": stack.api_url})) as client:
        yield client


def test_the_official_client_lists_every_route_page_by_page(stack: LocalStack, client: BazaarExtendedClient) -> None:
    """With the requirements that each route offers, and a declaration that it can validate."""
    total = len(json.loads(routes(stack))["routes"])
    found: list[Any] = []
    while True:
        page = client.extensions.bazaar.list_resources(
            ListDiscoveryResourcesParams(type="http", network="eip155:84532", limit=5, offset=len(found))
        )
        assert (page.x402_version, page.pagination.limit, page.pagination.total) == (2, 5, total)
        assert page.pagination.offset == len(found)
        found += page.items
        if len(found) >= total:
            break
    assert len({(item.resource, item.extensions["bazaar"]["info"]["input"]["method"]) for item in found}) == total
    for item in found:
        assert item.last_updated.endswith("Z")
        assert validate_discovery_extension_spec(item.extensions["bazaar"]).errors == []
        assert validate_and_extract(item.extensions["bazaar"]).errors == []
    (weather,) = [item for item in found if "weather" in item.resource]
    offer = decode(get(stack, "/weather/oslo").headers["payment-required"])
    assert weather.accepts == offer["accepts"]
    assert (weather.description, weather.mime_type) == ("Weather of a city", "application/json")


def test_the_official_client_searches(client: BazaarExtendedClient) -> None:
    """In words, and goes on at the cursor."""
    (weather,) = client.extensions.bazaar.search(SearchDiscoveryResourcesParams(query="weather APIs")).resources
    assert weather.resource.endswith("/weather/:city")
    first = client.extensions.bazaar.search(SearchDiscoveryResourcesParams(query="answer or echo", limit=3))
    assert first.partial_results is True
    assert first.pagination is not None
    rest = client.extensions.bazaar.search(
        SearchDiscoveryResourcesParams(query="answer or echo", cursor=first.pagination.cursor)
    )
    assert (len(first.resources), len(rest.resources), rest.partial_results) == (3, 1, False)


def test_a_facilitator_finds_the_route_in_the_payment_of_an_official_client(
    stack: LocalStack, buyer: LocalAccount
) -> None:
    """The client echoes our declaration; their facilitator catalogues it; the payment is taken with it."""
    offer = decode(get(stack, "/weather/oslo").headers["payment-required"])
    client = x402ClientSync().register("eip155:*", ExactEvmScheme(buyer))
    payment = client.create_payment_payload(PaymentRequired.model_validate(offer)).model_dump(
        by_alias=True, exclude_none=True
    )
    found = extract_discovery_info(payment, payment["accepted"])
    assert found is not None
    assert (found.method, found.route_template) == ("GET", "/weather/:city")
    assert found.resource_url == f"{stack.api_url}/weather/:city"
    assert found.discovery_info.input.path_params == {"city": "oslo"}
    reply = get(stack, "/weather/oslo", payment)
    assert (reply.status, reply.receipt["success"]) == (200, True)
