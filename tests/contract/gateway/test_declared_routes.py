"""A route that declares its input and output is paid like any other: what buyers send back of it binds nobody."""

import dataclasses
from typing import Any

import pytest

from tests.support.world import World

PATH = "/tides/oslo"


@pytest.fixture
def offered(world: World) -> dict[str, Any]:
    """The offer of a route that declares itself; an official client echoes its extensions."""
    declared = {"input": {"example": {"units": "metric"}}, "output": {"example": {"high": "06:12"}}}
    world.routes.append(world.route("tides", "GET", "/tides/{city}", **declared))
    return world.offer(PATH)


def sent_back(world: World, offer: dict[str, Any]) -> dict[str, Any]:
    payment = world.sign(world.buyer(), offer)
    payment["extensions"] = offer["extensions"] | payment.get("extensions", {})
    assert payment["extensions"]["bazaar"]["info"]["input"]["pathParams"] == {"city": "oslo"}
    return payment


def test_an_echo_of_the_declaration_is_paid_and_served(world: World, offered: dict[str, Any]) -> None:
    """As official clients send it."""
    assert world.request(PATH, payment=sent_back(world, offered)).status == 200


def test_an_example_that_changed_since_the_offer_refuses_no_payment(world: World, offered: dict[str, Any]) -> None:
    """The catalogue is as old as a minute, and differs between two proxies for half of one."""
    payment = sent_back(world, offered)
    world.routes[-1] = dataclasses.replace(world.routes[-1], input={"example": {"units": "imperial"}}, output=None)
    assert world.request(PATH, payment=payment).status == 200
    assert world.sent() == 1


def test_a15_what_is_advertised_beside_it_is_still_compared(world: World, offered: dict[str, Any]) -> None:
    """An altered echo of the payment-identifier is refused as before, and nothing is charged."""
    payment = sent_back(world, offered)
    payment["extensions"]["payment-identifier"] = {"info": {"required": True}}
    refused = world.request(PATH, payment=payment)
    assert refused.status == 402
    assert b"extension_echo_mismatch" in refused.body
    assert world.sent() == 0
