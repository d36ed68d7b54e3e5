"""``make sam-local``: each input in events/ through ``sam local invoke``, in Lambda's own container image.

The tables, the key and the chain are those of the local stack; a function that another one invokes runs there
too. The first run pulls AWS's image for this Python (about 200 MB), unless it is here already.
"""

import base64
import contextlib
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.build import ToolFailed, built_template
from local.deploy import RPC_SECRET
from local.forwarder import Forwarder
from local.ministack import aws_environment
from local.paths import ROOT, TOOLS, lambda_architecture, lambda_runtime
from local.processes import StartFailed
from local.progress import step
from local.shutdown import end_on_signals
from local.stack import LocalStack

_DESKTOP = "host.docker.internal"
_LINE = 110
_INVOKE_SECONDS = 600  # the first one may have to pull the image


class NoDocker(Exception):
    """There is no Docker to run containers with; the text says so."""


def docker(*arguments: str) -> str:
    """Run docker; what it printed. Raises ``NoDocker``."""
    if shutil.which("docker") is None:
        raise NoDocker("make sam-local needs Docker, and there is no `docker` on the PATH.")
    run = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    if run.returncode != 0:
        why = (run.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise NoDocker(f"make sam-local needs Docker, which does not answer: {why}")
    return run.stdout.strip()


def bridge_address() -> str:
    """This machine's address on the network of the containers. Raises ``NoDocker``."""
    (config,) = json.loads(docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"))[:1]
    # Some versions name no gateway; then it is the subnet's first address.
    return str(config.get("Gateway") or next(ipaddress.ip_network(config["Subnet"]).hosts()))


def image() -> str:
    """The image that sam builds its own upon."""
    return f"public.ecr.aws/lambda/python:{lambda_runtime().removeprefix('python')}-{lambda_architecture()}"


def reachable(url: str, gateway: str, closing: contextlib.ExitStack) -> str:
    """The URL under which containers reach what listens on 127.0.0.1 here.

    On Linux that is the bridge's address, where a forwarder listens; Docker Desktop has a name for this machine.
    """
    port = urlsplit(url).port or 80
    try:
        forwarder = Forwarder(gateway, port)
    except OSError:
        return f"http://{_DESKTOP}:{port}"
    closing.callback(forwarder.stop)
    return f"http://{gateway}:{forwarder.port}"


def local_template(stack: LocalStack, endpoint: str) -> dict[str, Any]:
    """The functions of the built template with the variables that they have on the local stack."""
    built = built_template().parent
    (layer,) = built.glob("*Layer*")
    resources: dict[str, Any] = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": str(layer)}}
    }
    for code in sorted(built.glob("*Function")):
        resource = stack.client("cloudformation").describe_stack_resource(
            StackName=stack.name, LogicalResourceId=code.name
        )
        physical = resource["StackResourceDetail"]["PhysicalResourceId"]
        deployed = stack.functions.get_function_configuration(FunctionName=physical)
        variables = deployed.get("Environment", {}).get("Variables", {})
        resources[code.name] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": str(code),
                "Handler": "app.handler",
                "Runtime": lambda_runtime(),
                "Architectures": [lambda_architecture()],
                "Timeout": deployed["Timeout"],
                "MemorySize": deployed["MemorySize"],
                "Layers": [{"Ref": "Layer"}],
                "Environment": {"Variables": dict(variables) | {"AWS_ENDPOINT_URL": endpoint}},
            },
        }
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


def routes(upstream: str) -> str:
    """The routes that the events ask for (JSON is YAML)."""
    sold = [
        {"method": method, "path": path, "price": "$0.01", "upstream": {"url": upstream + there}}
        for method, path, there in (("GET", "/weather/{city}", "/weather/{city}"), ("POST", "/reports", "/echo"))
    ]
    return json.dumps({"version": 1, "routes": sold})


def invoke(template: Path, function: str, event: Path, endpoint: str, *, pull: bool) -> Any:
    """``sam local invoke``; the function's answer. Raises ``ToolFailed``."""
    environment = aws_environment(endpoint) | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_CHECK_UPDATES": "0"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith("DOCKER_") or name == "HOME"}
    command = [str(TOOLS / "sam"), "local", "invoke", function, "-t", str(template), "-e", str(event)]
    run = subprocess.run(
        [*command, *([] if pull else ["--skip-pull-image"])],
        cwd=template.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INVOKE_SECONDS,
        check=False,
    )
    # The function's own log is on stderr; stdout ends with its answer.
    answer = (run.stdout.strip().splitlines() or [""])[-1]
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    if run.returncode != 0 or said is None or "errorMessage" in said:
        raise ToolFailed(f"sam local invoke {function} failed:\n{run.stdout}\n{run.stderr}")
    return said


def told(answer: Any) -> str:
    """An answer in one line."""
    if "statusCode" not in answer:
        return json.dumps(answer)[:_LINE]
    text = answer.get("body", "")
    body = base64.b64decode(text).decode(errors="replace") if answer.get("isBase64Encoded") else text
    return f"{answer['statusCode']} {body}"[:_LINE]


def run_all(closing: contextlib.ExitStack) -> int:
    """Returns how many events were not answered."""
    gateway = bridge_address()
    pull = not docker("images", "--quiet", image())
    stack = closing.enter_context(LocalStack())
    rpc = reachable(stack.gate.url, gateway, closing)
    upstream = reachable(stack.upstream.url, gateway, closing)
    endpoint = reachable(stack.aws.endpoint, gateway, closing)
    urls = json.dumps({str(stack.chain.info.network): rpc})
    stack.client("secretsmanager").put_secret_value(SecretId=RPC_SECRET, SecretString=urls)
    stack.apply_routes(routes(upstream))
    folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
    template = folder / "template.json"
    template.write_text(json.dumps(local_template(stack, endpoint)))
    failed = 0
    for event in sorted((ROOT / "events").glob("*.json")):
        function = f"{event.stem.split('_', maxsplit=1)[0].capitalize()}Function"
        try:
            with step(f"sam local invoke {function} -e events/{event.name}"):
                answer = invoke(template, function, event, endpoint, pull=pull)
        except ToolFailed as failure:
            failed += 1
            print(failure, file=sys.stderr)
        else:
            pull = False
            print(f"    {told(answer)}", flush=True)
    return failed


def main() -> int:
    """Returns the exit code."""
    end_on_signals()
    try:
        with contextlib.ExitStack() as closing:
            return 1 if run_all(closing) else 0
    except (NoDocker, StartFailed, ToolFailed) as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
