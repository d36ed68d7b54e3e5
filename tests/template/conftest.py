"""The template as data, and an AWS on this machine that judges it as CloudFormation does."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local.anvil import Anvil
from local.ministack import MiniStack
from tests.support.aws import client
from tests.template.cfn import ROOT, load, of_type
from tests.template.rehearsal import Rehearsed, rehearse
from tests.template.stacks import CODE, Stacks


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml with CloudFormation's short forms written out."""
    return load()


@pytest.fixture(scope="session")
def rehearsed(aws_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsed]:
    """What the functions call and measure when they do all that they do, on a chain of their own: a block goes."""
    anvil = Anvil("base-sepolia", tmp_path_factory.mktemp("chain"))
    anvil.start()
    yield rehearse(aws_endpoint, anvil.chain)
    anvil.stop()


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    """CloudFormation with template.yaml, whose code is an empty function, as it would be packaged."""
    aws = MiniStack(tmp_path_factory.mktemp("ministack"))
    aws.start()
    try:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("app.py", "def handler(event, context): ...\n")
        s3 = client("s3", aws.endpoint)
        s3.create_bucket(Bucket=CODE.bucket)
        s3.put_object(Bucket=CODE.bucket, Key=CODE.key, Body=archive.getvalue())
        text = (ROOT / "template.yaml").read_text()
        packaged, replaced = re.subn(r"(CodeUri|ContentUri): \S+", rf"\1: s3://{CODE.bucket}/{CODE.key}", text)
        assert replaced == len(of_type(load(), "AWS::Serverless::Function")) + 1
        # Too long to be sent along: it comes from S3, where a template may have 1 MB.
        s3.put_object(Bucket=CODE.bucket, Key="template.yaml", Body=packaged.encode())
        yield Stacks(aws.endpoint, f"{aws.endpoint}/{CODE.bucket}/template.yaml")
    finally:
        aws.stop()
