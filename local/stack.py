"""The whole local stack: chain, gate, upstream, AWS, the deployed template and the front door.

with LocalStack() as stack:
    stack.apply_routes(stack.demo_routes())
    httpx.get(f"{stack.api_url}/weather/oslo")   # 402
"""

import contextlib
import io
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from local.anvil import Anvil
from local.api_template import Api, read_api
from local.build import built_template
from local.chain import Chain
from local.deploy import STACK, Deployed, deploy, put_rpc_secret, read_deployed
from local.front import FrontDoor
from local.functions import FACTORS, put_functions
from local.ministack import REGION, MiniStack
from local.paths import BUILD
from local.progress import step
from local.rpc_gate import RpcGate
from local.upstream import Upstream
from tollgate_cli.aws import Aws
from tollgate_cli.main import main as tollgate

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

# Anyone can see what it earns on a local chain; nobody has the key of this address.
PAY_TO = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"


class InvokeFailed(Exception):
    """A function ended with an error instead of an answer; the text is what Lambda says of it."""


class LocalStack:
    """Starts on ``with`` or ``start()``; ``stop()`` leaves no process and no temporary file behind.

    ``block_seconds`` 0 mines each transaction when it arrives. ``parameters`` override the template's.
    """

    name = STACK
    pay_to = PAY_TO

    def __init__(
        self, network: str = "base-sepolia", block_seconds: int = 0, front_port: int = 0, **parameters: str
    ) -> None:
        self._closing = contextlib.ExitStack()
        self._running = False
        self._network = network
        self._block_seconds = block_seconds
        self._front_port = front_port
        self._parameters = parameters

    chain: Chain
    gate: RpcGate
    upstream: Upstream
    aws: MiniStack
    front: FrontDoor
    deployed: Deployed
    relayer: str

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything; what had started is stopped again when something fails."""
        try:
            template = built_template()
            self._start_parts()
            with step("sam deploy: the stack on the local AWS"):
                self._deploy(template)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Harmless twice."""
        if self._running:
            self._running = False
            with step("stopping the local stack"):
                self._closing.close()

    @property
    def api_url(self) -> str:
        """Where buyers call."""
        return self.front.url

    @property
    def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self.client("dynamodb")
        return client

    @property
    def functions(self) -> "LambdaClient":
        client: LambdaClient = self.client("lambda")
        return client

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS. Nothing is sent twice behind the caller's back."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.aws.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=70, max_pool_connections=64),
        )

    def invoke(self, function: str, payload: Any) -> Any:
        """Invoke a function and read its JSON answer. Raises ``InvokeFailed``."""
        out = self.functions.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        answer = out["Payload"].read()
        if out.get("FunctionError"):
            raise InvokeFailed(answer.decode(errors="replace"))
        return json.loads(answer or b"null")

    def reconcile(self) -> Any:
        """Run reconcile now instead of at the next minute."""
        return self.invoke(self.deployed.reconcile_function, {})

    def warm(self, function: str, payload: Any, runtimes: int) -> None:
        """Have that many runtimes of a function ready: a cold start here costs a second of processor time."""
        with ThreadPoolExecutor(runtimes) as pool:
            list(pool.map(lambda _: self.invoke(function, payload), range(runtimes)))

    def kill_runtimes(self, function: str) -> int:
        """SIGKILL the function's runtimes, busy and idle; returns how many there were."""
        return self.aws.kill_runtimes(function)

    def calm(self) -> None:
        """Let everything go that is held, forget the counts, lift the token's pause, mine at once, by the clock."""
        self.gate.clear()
        self.upstream.release()
        self.upstream.runs.clear()
        self.chain.mine_at_once()
        self.chain.set_clock()
        self.chain.send("pause(bool)", False)

    def funded_account(self, atomic: int = 100_000_000) -> LocalAccount:
        """A new key with tokens (100 USDC unless told otherwise) and no ether."""
        return self.chain.funded_account(atomic)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table, in DynamoDB's own JSON."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        return [dict(item) for page in pages for item in page["Items"]]

    def tollgate(self, *arguments: str) -> str:
        """Run the command line against this stack; returns what it printed. Raises ``RuntimeError``."""
        aws = Aws(self.client("cloudformation"), self.dynamodb, self.functions, self.client)
        printed, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
            code = tollgate([*arguments, "--stack", self.name], connect=lambda: aws)
        if code != 0:
            raise RuntimeError(f"tollgate {' '.join(arguments)} ended with {code}:\n{complained.getvalue()}")
        return printed.getvalue()

    def apply_routes(self, routes: str) -> str:
        """Apply the text of a routes.yaml; returns what the command printed. Raises ``RuntimeError``."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "routes.yaml"
            file.write_text(routes)
            return self.tollgate("routes", "apply", str(file))

    def demo_routes(self) -> str:
        """A priced route in front of the demo's upstream, and one in front of the example's Lambda function."""
        return (
            "version: 1\n"
            "routes:\n"
            "  - method: GET\n"
            "    path: /weather/{city}\n"
            '    price: "$0.01"\n'
            "    description: The weather in a city\n"
            "    mimeType: application/json\n"
            "    upstream:\n"
            f"      url: {self.upstream.url}/weather/{{city}}\n"
            "  - method: GET\n"
            "    path: /factors/{number}\n"
            '    price: "$0.002"\n'
            "    upstream:\n"
            f"      function: {FACTORS}\n"
            "      timeoutSeconds: 5\n"
        )

    def _start_parts(self) -> None:
        logs = BUILD / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self._running = True
        anvil = Anvil(self._network, logs, self._block_seconds)
        self.aws = MiniStack(logs)
        self._closing.callback(self.aws.stop)
        self._closing.callback(anvil.stop)
        with step("starting the chain and the local AWS"):
            anvil.start()
            self.aws.start()
        self.chain = anvil.chain
        self.gate = RpcGate(self.chain.url)
        self.upstream = Upstream()
        for server in (self.gate, self.upstream):
            server.start()
            self._closing.callback(server.stop)
        self._closing.callback(self.gate.clear)
        self._closing.callback(self.upstream.release)
        self.front = FrontDoor(self._front_port)

    def _deploy(self, template: Path) -> None:
        secrets: SecretsManagerClient = self.client("secretsmanager")
        put_rpc_secret(secrets, {str(self.chain.info.network): self.gate.url})
        deploy(
            template,
            self.aws.endpoint,
            {
                "Network": str(self.chain.info.network),
                "PayTo": self.pay_to,
                "PublicBaseUrl": self.front.url,
                "UpstreamFunctionArns": put_functions(self.functions),
                **self._parameters,
            },
        )
        self._open(read_api(template))

    def _open(self, api: Api) -> None:
        """Read what was deployed, fill the relayer's tank and open the front door."""
        cloudformation: CloudFormationClient = self.client("cloudformation")
        self.deployed = read_deployed(cloudformation, self.name)
        self.relayer = self._relayer_address()
        self.chain.give_gas(self.relayer)
        names = {
            r["LogicalResourceId"]: r.get("PhysicalResourceId", "")
            for r in cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
            if r["ResourceType"] == "AWS::Lambda::Function"
        }
        self.front.open(api, names, self.aws.endpoint)
        self._closing.callback(self.front.stop)

    def _relayer_address(self) -> str:
        kms: KMSClient = self.client("kms")
        key = kms.get_public_key(KeyId=self.deployed.relayer_key)["PublicKey"]
        # The last 64 bytes of the DER are the point's coordinates.
        return str(to_checksum_address(keccak(key[-64:])[-20:]))
