"""Parameters: nothing about money has a default, and every refusal is a sentence."""

import re
import tomllib
from typing import Any

import pytest

from tests.template.cfn import ROOT
from tollgate.payment.networks import NETWORKS

MONEY = ("Stage", "Network", "Asset", "PayTo", "RpcSecretName")


def test_a110_only_what_decides_about_money_has_no_default(template: dict[str, Any]) -> None:
    """Nobody sells on a network, in a token or to an address that was not named."""
    without = [name for name, p in template["Parameters"].items() if "Default" not in p]
    assert sorted(without) == sorted(MONEY)


def test_every_limited_parameter_says_what_it_wants(template: dict[str, Any]) -> None:
    """CloudFormation answers with this sentence instead of a pattern."""
    for name, parameter in template["Parameters"].items():
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter), f"{name} takes anything"
        sentence = parameter["ConstraintDescription"]
        assert sentence.startswith(f"{name} must ")
        assert sentence.endswith(".")
        assert parameter["Description"].endswith(".")


def test_every_rule_says_why(template: dict[str, Any]) -> None:
    """An assertion without a description fails with nothing to act on."""
    for name, rule in template["Rules"].items():
        for assertion in rule["Assertions"]:
            assert assertion["AssertDescription"].endswith("."), name
            assert len(assertion["AssertDescription"].split()) > 5


def test_the_rules_know_the_same_networks_as_the_code(template: dict[str, Any]) -> None:
    """A network added to the table must be sorted into main or test here too."""
    rules = template["Rules"]
    known = rules["NetworksAreKnown"]["Assertions"][0]["Assert"]["Fn::EachMemberIn"][1]
    main, test = (
        part["Fn::EachMemberIn"][1]
        for part in rules["TestAndMainNetworksDoNotMix"]["Assertions"][0]["Assert"]["Fn::Or"]
    )
    assert set(known) == {str(network) for network in NETWORKS}
    assert set(main) == {str(network) for network, info in NETWORKS.items() if not info.testnet}
    assert set(test) == {str(network) for network, info in NETWORKS.items() if info.testnet}
    prod = rules["ProdNeedsMainNetworks"]["Assertions"][0]["Assert"]["Fn::EachMemberIn"][1]
    assert set(prod) == set(main)
    for rule, networks in (
        ("MainNetworksNeedProd", main),
        ("LocalChainsNeedLocal", [str(n) for n, info in NETWORKS.items() if info.local]),
    ):
        refused = {a["Assert"]["Fn::Not"][0]["Fn::Contains"][1] for a in rules[rule]["Assertions"]}
        assert refused == set(networks)


@pytest.mark.parametrize(
    "value",
    [
        "https://mainnet.base.org",
        "http://127.0.0.1:8545",
        "wss://base.example/v2/key",
        "base.example/v2/0123456789abcdef",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:rpc",
        "",
    ],
)
def test_an_rpc_url_is_not_a_secrets_name(template: dict[str, Any], value: str) -> None:
    """A URL with its key would be plain text in the stack, for whoever may read it."""
    assert not re.search(template["Parameters"]["RpcSecretName"]["AllowedPattern"], value)


@pytest.mark.parametrize("environment", ["local", "test", "prod"])
def test_samconfig_names_no_money(environment: str) -> None:
    """Who is paid, in what and where is said on the command line, never found in a file."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    deploy = config[environment]["deploy"]["parameters"]
    overrides = deploy.get("parameter_overrides", "")
    words = overrides if isinstance(overrides, list) else overrides.split()
    assert not [w for w in words if w.split("=")[0].strip('"') in MONEY]
    assert set(deploy["capabilities"].split()) == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}


def test_prod_asks_before_it_changes_anything() -> None:
    """A change set of prod is shown and confirmed, a failed one rolled back, a build made afresh."""
    prod = tomllib.loads((ROOT / "samconfig.toml").read_text())["prod"]
    assert prod["deploy"]["parameters"]["confirm_changeset"] is True
    assert prod["deploy"]["parameters"]["disable_rollback"] is False
    assert prod["build"]["parameters"]["cached"] is False
