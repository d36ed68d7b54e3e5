"""The official v1 clients pay with their defaults: our body passes their schemas, their headers our parser."""

import json
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from x402 import x402ClientSync
from x402.http import x402HTTPClientSync
from x402.http.utils import decode_payment_response_header
from x402.mechanisms.evm.exact import register_exact_evm_client
from x402.mechanisms.evm.exact.v1 import client as official_v1
from x402.schemas.v1 import PaymentRequiredV1

from local.paths import NODE, ROOT
from tests.support.buyer import decode
from tests.support.world import World
from tollgate.wire.v1 import CLIENT_NETWORKS

CLIENT = Path(__file__).with_name("v1_client.mjs")
SECONDS = 30


def test_the_networks_of_the_official_typescript_client_are_its_own() -> None:
    """Its closed list, without Solana: one name more in a body, and it fails on the whole."""
    script = 'import { NetworkSchema } from "x402/types"; console.log(JSON.stringify(NetworkSchema.options))'
    command = [str(NODE), "--input-type=module", "-e", script]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert set(json.loads(run.stdout)) - {"solana", "solana-devnet"} == CLIENT_NETWORKS


def test_the_official_python_client_pays_by_v1(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyPI ``x402``, given the body alone, as from a server that speaks only v1."""
    monkeypatch.setattr(official_v1, "time", SimpleNamespace(time=world.clock))
    client = register_exact_evm_client(x402ClientSync(), world.buyer())
    transport = x402HTTPClientSync(client)
    required = transport.get_payment_required_response(lambda _: None, json.loads(world.request().body))
    assert isinstance(required, PaymentRequiredV1)
    sent = transport.encode_payment_signature_header(client.create_payment_payload(required))
    assert list(sent) == ["X-PAYMENT"]
    answer = world.request(**{name.replace("-", "_"): value for name, value in sent.items()})
    assert answer.status == 200
    header = answer.header("x-payment-response")
    assert header is not None
    receipt = decode_payment_response_header(header)
    assert (receipt.success, receipt.network) == (True, "base-sepolia")


def test_the_official_typescript_client_pays_by_v1(world: World) -> None:
    """npm ``x402-fetch`` 1.2.0 with its own schemas; this test is its network."""
    buyer = world.buyer()
    command = [str(NODE), str(CLIENT), "0x" + buyer.key.hex().removeprefix("0x"), str(world.skew)]
    answer = None
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        watchdog = threading.Timer(SECONDS, client.kill)
        watchdog.start()
        try:
            for _ in range(2):
                headers = json.loads(client.stdout.readline())["headers"]
                answer = world.request(**{name.replace("-", "_"): value for name, value in headers.items()})
                reply = {"status": answer.status, "headers": dict(answer.headers), "body": answer.body.decode()}
                client.stdin.write(json.dumps(reply) + "\n")
                client.stdin.flush()
            said = json.loads(client.stdout.readline())
            assert client.wait(SECONDS) == 0
        finally:
            watchdog.cancel()
            client.kill()
    assert answer is not None
    assert (said["status"], said["body"]) == (200, "sunny")
    receipt = answer.header("x-payment-response")
    assert receipt is not None
    assert said["receipt"] == decode(receipt)
    assert said["receipt"]["payer"] == buyer.address
