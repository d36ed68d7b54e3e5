"""The deployed stack once more, with other parameters, on the same chain, AWS, gate and upstream."""

import time
from typing import TYPE_CHECKING

from local.front import FrontDoor
from local.stack import LocalStack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

_PATIENCE_SECONDS = 60


class SecondStack(LocalStack):
    """``parameters`` override those of ``first``, which has to be up for as long as this one is."""

    def __init__(self, first: LocalStack, name: str, **parameters: str) -> None:
        super().__init__(**parameters)
        self.name = name
        self._first = first

    def start(self) -> None:
        """Deploy what sam packaged for the first stack. Raises ``TimeoutError``."""
        first = self._first
        self._running = True
        self.chain, self.gate, self.upstream, self.aws = first.chain, first.gate, first.upstream, first.aws
        self.front = FrontDoor()
        self._closing.callback(self.front.server_close)
        try:
            self._create()
            self._open(first.front.api)
        except BaseException:
            self.stop()
            raise

    def _create(self) -> None:
        cloudformation: CloudFormationClient = self.client("cloudformation")
        first = cloudformation.describe_stacks(StackName=self._first.name)["Stacks"][0]
        parameters = {p["ParameterKey"]: p["ParameterValue"] for p in first["Parameters"]}
        parameters |= {"PublicBaseUrl": self.front.url, **self._parameters}
        packaged = cloudformation.get_template(StackName=self._first.name, TemplateStage="Original")["TemplateBody"]
        # A request holds a template of 51,200 bytes at most; from S3 it may be longer.
        storage: S3Client = self.client("s3")
        storage.create_bucket(Bucket=self.name)
        storage.put_object(Bucket=self.name, Key="template.yaml", Body=str(packaged).encode())
        cloudformation.create_stack(
            StackName=self.name,
            TemplateURL=f"{self.aws.endpoint}/{self.name}/template.yaml",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        self._wait(cloudformation)

    def _wait(self, cloudformation: "CloudFormationClient") -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        status = ""
        while status != "CREATE_COMPLETE":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is {status}")
            status = cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]
            time.sleep(0.05)
