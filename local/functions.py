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
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(_FOLDER / "app.py", "app.py")
    made = functions.create_function(
        FunctionName=FACTORS,
        Runtime=lambda_runtime(),  # type: ignore[arg-type]
        Handler="app.handler",
        Timeout=5,
        Role="arn:aws:iam::000000000000:role/nobody",
        Code={"ZipFile": code.getvalue()},
    )
    return made["FunctionArn"]
