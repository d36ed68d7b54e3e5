"""The example's Lambda function on the local AWS, as its seller deploys it: a zip with app.py in it."""

import io
import zipfile
from typing import TYPE_CHECKING

from local.paths import ROOT, lambda_runtime

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

FACTORS = "tollgate-example-factors"
_FOLDER = ROOT / "examples" / "functions" / "factors"


def put_factors(functions: "LambdaClient") -> str:
    """Create the function of examples/functions; its ARN."""
    made = functions.create_function(
        FunctionName=FACTORS,
        Runtime=lambda_runtime(),  # type: ignore[arg-type]
        Handler="app.handler",
        Timeout=5,
        Role="arn:aws:iam::000000000000:role/nobody",
        Code={"ZipFile": zipped((_FOLDER / "app.py").read_text())},
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
