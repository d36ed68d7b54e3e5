"""What must survive: tables, the key, dead letters, logs; and who is told when something is stuck."""

import inspect
import json
from typing import Any

import pytest

from tests.support.aws import index_request
from tests.support.template_values import Values
from tests.template.cfn import of_type
from tollgate.edge.webhook_queue import BACKOFF_SECONDS
from tollgate.gateway.webhooks import TIMEOUT_SECONDS
from tollgate.ledger.payments import PaymentsLedger

RETAINED_IN_PROD = {"Fn::If": ["IsProtected", "Retain", "Delete"]}
ON_IN_PROD = {"Fn::If": ["IsProtected", True, False]}
TABLES = ("PaymentsTable", "SettlementsTable", "RoutesTable", "SellersTable", "AnalyticsTable")
SHORT_LIVED = ("PaymentsTable", "SettlementsTable")


def test_protection_is_off_only_for_local_and_test(template: dict[str, Any]) -> None:
    """There are three stages, and prod is the protected one."""
    assert template["Conditions"]["IsProtected"] == {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
    assert template["Parameters"]["Stage"]["AllowedValues"] == ["local", "test", "prod"]


def test_policies_that_follow_the_stage_have_their_transform_first(template: dict[str, Any]) -> None:
    """CloudFormation takes an intrinsic in DeletionPolicy only with LanguageExtensions, before SAM."""
    assert template["Transform"] == ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]


def test_the_tables_are_those_of_the_two_ledgers_the_routes_the_sellers_and_the_sums(template: dict[str, Any]) -> None:
    """A table that is added without being judged here fails."""
    assert set(of_type(template, "AWS::DynamoDB::Table")) == set(TABLES)
    assert not of_type(template, "AWS::DynamoDB::GlobalTable"), "last writer wins breaks replay protection"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_outlives_its_stack_and_a_wrong_write(template: dict[str, Any], name: str) -> None:
    """Retain, deletion protection and point-in-time recovery in prod; encrypted always; no idle capacity."""
    table = template["Resources"][name]
    properties = table["Properties"]
    assert table["DeletionPolicy"] == RETAINED_IN_PROD
    assert table["UpdateReplacePolicy"] == RETAINED_IN_PROD
    assert properties["DeletionProtectionEnabled"] == ON_IN_PROD
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": ON_IN_PROD}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert "TableName" not in properties, "a fixed name cannot be replaced, nor deployed twice"


@pytest.mark.parametrize("name", SHORT_LIVED)
def test_a_ledger_cleans_up_by_expires_at(template: dict[str, Any], name: str) -> None:
    """Housekeeping only; every expiry compares timestamps itself (rule 10)."""
    ttl = template["Resources"][name]["Properties"]["TimeToLiveSpecification"]
    assert ttl == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("name", sorted(set(TABLES) - set(SHORT_LIVED)))
def test_what_an_operator_set_never_expires(template: dict[str, Any], name: str) -> None:
    """The catalogue and the sellers stay until they are replaced, and so do sums with how far they are counted."""
    assert "TimeToLiveSpecification" not in template["Resources"][name]["Properties"]


def test_big_answers_are_private_encrypted_and_forgotten(template: dict[str, Any]) -> None:
    """Paid bodies: no public access by ACL or policy, TLS only, gone soon after their retention."""
    (bucket,) = of_type(template, "AWS::S3::Bucket").values()
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == RETAINED_IN_PROD
    assert "BucketName" not in properties, "a fixed name cannot be replaced, nor deployed twice"
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    kept = inspect.signature(PaymentsLedger).parameters["answer_seconds"].default
    assert rule["ExpirationInDays"] * 86_400 > kept
    (policy,) = of_type(template, "AWS::S3::BucketPolicy").values()
    (only,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (only["Effect"], only["Principal"], only["Action"]) == ("Deny", "*", "s3:*")
    assert only["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_payments_indexes_are_sparse_and_hold_keys_and_what_never_changes(template: dict[str, Any]) -> None:
    """What reads an index re-reads what it finds (rule 10); and no move of a payment writes a list of history."""
    properties = template["Resources"]["PaymentsTable"]["Properties"]
    values = Values(template, "stack", {"HistoryIndexes": "3"}, {})
    wanted = index_request()
    assert values.of(properties["GlobalSecondaryIndexes"]) == wanted["GlobalSecondaryIndexes"]
    assert values.of(properties["AttributeDefinitions"])[1:] == wanted["AttributeDefinitions"]


@pytest.mark.parametrize(("count", "names"), [(0, []), (1, ["by_payer"]), (2, ["by_payer", "by_owner"])])
def test_a_stack_of_before_gets_its_indexes_one_an_update(
    template: dict[str, Any], count: int, names: list[str]
) -> None:
    """DynamoDB adds one at a time, and takes no definition of an attribute that no key uses."""
    properties = template["Resources"]["PaymentsTable"]["Properties"]
    values = Values(template, "stack", {"HistoryIndexes": str(count)}, {})
    indexes = values.of(properties["GlobalSecondaryIndexes"])
    assert [index["IndexName"] for index in indexes] == ["work", *names]
    keys = {key["AttributeName"] for index in indexes for key in index["KeySchema"]} | {"pk"}
    assert {one["AttributeName"] for one in values.of(properties["AttributeDefinitions"])} == keys


def test_the_sums_list_holds_keys_only(template: dict[str, Any]) -> None:
    """What it lists is read again, consistently."""
    (index,) = template["Resources"]["AnalyticsTable"]["Properties"]["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "work"
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


@pytest.mark.parametrize("name", ["RelayerKey", "ReceiptKey"])
def test_a_key_signs_for_ethereum_and_outlives_its_stack(template: dict[str, Any], name: str) -> None:
    """secp256k1, for signing only; in prod it is kept, and a deletion by hand waits 30 days."""
    assert set(of_type(template, "AWS::KMS::Key")) == {"RelayerKey", "ReceiptKey"}
    key = template["Resources"][name]
    assert key["Properties"]["KeySpec"] == "ECC_SECG_P256K1"
    assert key["Properties"]["KeyUsage"] == "SIGN_VERIFY"
    assert key["DeletionPolicy"] == RETAINED_IN_PROD
    assert key["UpdateReplacePolicy"] == RETAINED_IN_PROD
    assert key["Properties"]["PendingWindowInDays"] == {"Fn::If": ["IsProtected", 30, 7]}


def test_every_function_and_the_api_log_to_a_group_that_forgets(template: dict[str, Any]) -> None:
    """A group that Lambda made by itself would keep its lines for ever."""
    groups = of_type(template, "AWS::Logs::LogGroup")
    used = {
        f["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        for f in of_type(template, "AWS::Serverless::Function").values()
    }
    stage = template["Resources"]["ApiStage"]["Properties"]
    used.add(stage["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0])
    assert used == set(groups)
    assert len(used) == len(of_type(template, "AWS::Serverless::Function")) + 1
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def _dead_letter_queues(template: dict[str, Any]) -> set[str]:
    """Queues that something else sends its failures to."""
    resources = template["Resources"]
    queues = {
        schedule["Properties"]["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
        for schedule in of_type(template, "AWS::Scheduler::Schedule").values()
    }
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        failed = mapping["Properties"].get("DestinationConfig")
        if failed:
            queues.add(failed["OnFailure"]["Destination"]["Fn::GetAtt"][0])
    for queue in of_type(template, "AWS::SQS::Queue").values():
        redrive = queue["Properties"].get("RedrivePolicy")
        if redrive:
            queues.add(redrive["deadLetterTargetArn"]["Fn::GetAtt"][0])
    assert queues <= set(resources)
    return queues


def test_every_queue_ends_in_a_dead_letter_queue_and_every_dead_letter_rings(
    template: dict[str, Any],
) -> None:
    """A working queue has a RedrivePolicy; a dead-letter queue has an alarm on its first message."""
    queues = of_type(template, "AWS::SQS::Queue")
    dead = _dead_letter_queues(template)
    assert queues
    for name, queue in queues.items():
        assert name in dead or "RedrivePolicy" in queue["Properties"], f"{name} has no dead-letter queue"
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
    for name in dead:
        assert queues[name]["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
        alarms = [
            alarm["Properties"]
            for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
            if alarm["Properties"]["Dimensions"]
            == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]
        ]
        assert len(alarms) == 1, f"{name} has no alarm"
        (alarm,) = alarms
        assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
        assert alarm["EvaluationPeriods"] == 1
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"]["Fn::If"][:2] == ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}]]


def test_reconcile_runs_every_minute_and_its_failures_are_kept(template: dict[str, Any]) -> None:
    """Not started, or started and failed: both end in the queue that rings; the next minute is the retry."""
    schedule = template["Resources"]["ReconcileSchedule"]["Properties"]
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert "State" not in schedule, "the schedule is enabled"
    target = schedule["Target"]
    assert target["Arn"] == {"Fn::GetAtt": ["ReconcileFunction", "Arn"]}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1}
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    invoked = template["Resources"]["ReconcileFunction"]["Properties"]["EventInvokeConfig"]
    assert invoked["MaximumRetryAttempts"] == 0
    assert invoked["MaximumEventAgeInSeconds"] == 60
    assert invoked["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["DeadLetters", "Arn"]},
    }


def test_a_consumer_of_the_stream_gives_up_one_record_not_a_batch_and_says_so(template: dict[str, Any]) -> None:
    """Partial answers, halved batches, hours of retries, then a queue that rings; and payments' records only."""
    table = template["Resources"]["PaymentsTable"]["Properties"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    stream = {"Fn::GetAtt": ["PaymentsTable", "StreamArn"]}
    mappings = [m["Properties"] for m in of_type(template, "AWS::Lambda::EventSourceMapping").values()]
    consumers = [mapping for mapping in mappings if mapping["EventSourceArn"] == stream]
    # More than two readers of one shard are throttled.
    assert 1 <= len(consumers) <= 2
    for mapping in consumers:
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert 10 <= mapping["MaximumRetryAttempts"] <= 10_000
        assert 3_600 <= mapping["MaximumRecordAgeInSeconds"] < 86_400, "a stream keeps a day"
        assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": ["StreamFailures", "Arn"]}}}
        (pattern,) = mapping["FilterCriteria"]["Filters"]
        assert json.loads(pattern["Pattern"]) == {"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "PAY#"}]}}}}
        assert template["Resources"][mapping["FunctionName"]["Ref"]]["Properties"]["Timeout"] >= 30


def test_an_event_waits_for_its_webhook_as_long_as_the_attempts_take(template: dict[str, Any]) -> None:
    """One message a call, hidden for six of them; kept until the last attempt; and nobody but the rule sends any."""
    resources = {name: one.get("Properties", {}) for name, one in template["Resources"].items()}
    queue, mapping = resources["WebhookQueue"], resources["WebhooksMapping"]
    assert queue["VisibilityTimeout"] >= 6 * resources["WebhooksFunction"]["Timeout"]
    assert resources["WebhooksFunction"]["Timeout"] > 2 * TIMEOUT_SECONDS
    assert queue["RedrivePolicy"]["maxReceiveCount"] == len(BACKOFF_SECONDS) + 1
    assert queue["MessageRetentionPeriod"] > 1.1 * sum(BACKOFF_SECONDS) + 86_400
    assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    rule = resources["WebhookRule"]
    assert rule["State"] == {"Fn::If": ["HasWebhooks", "ENABLED", "DISABLED"]}
    (target,) = rule["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["WebhookFailures", "Arn"]}}
    (policy,) = of_type(template, "AWS::SQS::QueuePolicy").values()
    (only,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert only["Principal"] == {"Service": "events.amazonaws.com"}
    assert only["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["WebhookRule", "Arn"]}}}


def test_nothing_is_excused_from_the_linters(template: dict[str, Any]) -> None:
    """cfn-lint and cfn-guard exceptions would stand in Metadata."""
    for holder in (template, *template["Resources"].values()):
        assert not {"cfn-lint", "guard"} & set(holder.get("Metadata", {}))
