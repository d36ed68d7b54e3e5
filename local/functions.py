"""The examples' Lambda functions on the local AWS, as their sellers deploy them: a zip with app.py in it."""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from local.paths import ROOT, lambda_runtime

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

FACTORS = "tollgate-example-factors"
AGENT_PRICE = "tollgate-example-agent-price"
_FOLDER = ROOT / "examples" / "functions" / "factors"


def put_functions(functions: "LambdaClient") -> str:
    """Create the functions of examples/functions and examples/agent; their ARNs, as UpstreamFunctionArns takes them."""
    price = ROOT / "examples" / "agent" / "price"
    return ",".join(_put(functions, name, folder) for name, folder in ((FACTORS, _FOLDER), (AGENT_PRICE, price)))


def _put(functions: "LambdaClient", name: str, folder: Path) -> str:
    made = functions.create_function(
        FunctionName=name,
        Runtime=lambda_runtime(),  # type: ignore[arg-type]
        Handler="app.handler",
        Timeout=5,
        Role="arn:aws:iam::000000000000:role/nobody",
        Code={"ZipFile": zipped((folder / "app.py").read_text())},
    )
    return made["FunctionArn"]


def replace_factors(functions: "LambdaClient", source: str | None = None) -> None:
    """Give the function another app.py; its own one unless told otherwise."""
    functions.update_function_code(FunctionName=FACTORS, ZipFile=zipped(source or (_FOLDER / "app.py").read_text()))


def zipped(source: str) -> bytes:
    """A zip with this app.py."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", source)
    return code.getvalue()
