"""Names of Lambda functions: few spellings, and what is none is refused."""

import pytest

from tollgate.payment.function_names import FunctionName

PREFIX = "arn:aws:lambda:eu-central-1:123456789012:function:"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("report", FunctionName("report")),
        ("report:live", FunctionName("report", "live")),
        ("report:7", FunctionName("report", "7")),
        ("report:$LATEST", FunctionName("report", "$LATEST")),
        (PREFIX + "report", FunctionName("report", "", PREFIX)),
        (PREFIX + "a-b_C9:live", FunctionName("a-b_C9", "live", PREFIX)),
        ("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:x", None),
    ],
)
def test_a_name_or_an_arn_is_read_and_written_alike(text: str, expected: FunctionName | None) -> None:
    """What is written is what AWS takes."""
    name = FunctionName.parse(text)
    assert str(name) == text
    assert expected is None or name == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " report", "report ", "report:", "report:a:b", "re port", "report/x", "*", PREFIX, PREFIX + "*",
        PREFIX + "report:*", "123456789012:function:report", "a" * 65, "report:$latest",
        "arn:aws:lambda:eu-central-1:12345:function:report", "arn:aws:s3:::bucket", "report\n", "rép",
        "arn:aws:lambda::123456789012:function:report", "https://example.com/",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    """Wildcards, partial ARNs and other services among it."""
    with pytest.raises(ValueError, match="must be the name of a Lambda function or its ARN"):
        FunctionName.parse(text)


def test_a_name_gets_the_prefix_that_an_arn_has_already() -> None:
    """Of the stack's Region and account."""
    assert str(FunctionName.parse("report:live").within(PREFIX)) == PREFIX + "report:live"
    other = "arn:aws:lambda:us-east-1:210987654321:function:report"
    assert str(FunctionName.parse(other).within(PREFIX)) == other
    assert (FunctionName.parse(other).region, FunctionName.parse("report").region) == ("us-east-1", "")
