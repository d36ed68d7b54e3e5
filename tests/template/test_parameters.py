"""Parameters: nothing about money has a default, and every refusal is a sentence."""

import re
import tomllib
from typing import Any

import pytest

from local.networks import files
from tests.template.cfn import ROOT
from tollgate.errors import ConfigurationError
from tollgate.payment.function_names import FunctionName
from tollgate.payment.networks import NETWORKS, NetworkInfo
from tollgate.settings import STAGES, read_settings

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


def test_every_parameter_is_explained_to_the_operator(template: dict[str, Any]) -> None:
    """docs/operations.md has each, with the default that it has here; an empty one is described in words there."""
    page = (ROOT / "docs" / "operations.md").read_text()
    documented: dict[str, str] = {}
    for names, defaults in re.findall(r"^\| (`[A-Z].*?`) \|(.*?)\| .+ \|$", page, re.MULTILINE):
        listed = re.findall(r"`([A-Za-z]+)`", names)
        values = [value.strip() for value in defaults.split(",")]
        documented |= dict(zip(listed, values if len(values) == len(listed) else values * len(listed), strict=True))
    assert set(documented) == set(template["Parameters"])
    for name, parameter in template["Parameters"].items():
        if parameter.get("Default", "") != "":
            assert documented[name].startswith(str(parameter["Default"])), name


@pytest.mark.parametrize(
    ("said", "depths", "problem"),
    [
        ("", [1, 1], None),
        ("eip155:84532=3", [3, 1], None),
        (" eip155:84532=5 , eip155:421614=40", [5, 40], None),
        ("eip155:84532=6", None, "at a depth of 1 to 5 blocks"),
        ("eip155:84532=0", None, "at a depth of 1 to 5 blocks"),
        ("eip155:84532", None, "must be a list such as"),
        ("eip155:84532=-1", None, "must be a list such as"),
        ("eip155:84532=2,eip155:84532=3", None, "must be a list such as"),
        ("eip155:8453=2", None, "none of this stack's networks"),
    ],
)
def test_a57_the_settlement_depth_is_read_for_each_network(
    said: str, depths: list[int] | None, problem: str | None
) -> None:
    """What a buyer would wait too long for, or nobody meant, stops the stack with a sentence."""
    environment = {
        "TOLLGATE_STAGE": "test",
        "TOLLGATE_NETWORKS": "eip155:84532,eip155:421614",
        "TOLLGATE_RPC_SECRET": "rpc",
        "TOLLGATE_SETTLEMENT_DEPTH": said,
    }
    if problem is None:
        assert [info.settle_depth for info in read_settings(environment).networks] == depths
        return
    with pytest.raises(ConfigurationError, match=problem):
        read_settings(environment)


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
        ("NetworksCanBeCollected", [str(n) for n, info in NETWORKS.items() if info.refusal() is not None]),
        ("MainNetworksNeedProd", main),
        ("LocalChainsNeedLocal", [str(n) for n, info in NETWORKS.items() if info.local]),
    ):
        refused = {a["Assert"]["Fn::Not"][0]["Fn::Contains"][1] for a in rules[rule]["Assertions"]}
        assert refused == set(networks)


def test_what_is_made_of_the_network_table_is_up_to_date() -> None:
    """A row that was added or changed without `make networks`."""
    stale = [path.name for path, text in files().items() if path.read_text() != text]
    assert not stale, f"run `make networks`: {', '.join(stale)}"


@pytest.mark.parametrize("info", NETWORKS.values(), ids=[info.name for info in NETWORKS.values()])
@pytest.mark.parametrize("stage", STAGES)
def test_a110_the_rules_and_the_functions_settings_agree(
    template: dict[str, Any], stage: str, info: NetworkInfo
) -> None:
    """What CloudFormation lets through the functions take, and the other way round: each network at each stage."""
    try:
        read_settings({"TOLLGATE_STAGE": stage, "TOLLGATE_NETWORKS": str(info.network), "TOLLGATE_RPC_SECRET": "rpc"})
        taken = True
    except ConfigurationError:
        taken = False
    parameters = {"Stage": stage, "Network": [str(info.network)]}
    rules = [rule for name, rule in template["Rules"].items() if "Network" in name or "LocalChains" in name]
    assert all(_holds(rule, parameters) for rule in rules) == taken


def test_a110_test_and_main_networks_together_are_refused_by_both(template: dict[str, Any]) -> None:
    """In either order, at every stage."""
    for stage in STAGES:
        networks = ["eip155:8453", "eip155:84532"]
        assert not _holds(template["Rules"]["TestAndMainNetworksDoNotMix"], {"Stage": stage, "Network": networks})
        with pytest.raises(ConfigurationError, match="mixes test and main networks"):
            read_settings(
                {"TOLLGATE_STAGE": stage, "TOLLGATE_NETWORKS": ",".join(networks), "TOLLGATE_RPC_SECRET": "rpc"}
            )


def test_every_symbol_that_can_be_collected_is_an_asset_that_a_stack_may_be_told(template: dict[str, Any]) -> None:
    """And an address always is."""
    pattern = re.compile(template["Parameters"]["Asset"]["AllowedPattern"])
    for info in NETWORKS.values():
        for asset in info.assets:
            assert bool(pattern.search(asset.symbol)) == any(
                other.symbol == asset.symbol and other.transfer_method == "eip3009"
                for each in NETWORKS.values()
                for other in each.assets
            )
            assert pattern.search(str(asset.address))
    assert not pattern.search("USDCxe")


def _holds(rule: dict[str, Any], parameters: dict[str, Any]) -> bool:
    """Whether a rule lets these parameters through, as CloudFormation reads it."""
    applies = "RuleCondition" not in rule or _value(rule["RuleCondition"], parameters)
    return not applies or all(_value(a["Assert"], parameters) for a in rule["Assertions"])


def _value(node: Any, parameters: dict[str, Any]) -> Any:
    if not isinstance(node, dict):
        return node
    ((name, argument),) = node.items()
    if name == "Ref":
        return parameters[argument]
    of = [_value(part, parameters) for part in argument]
    match name:
        case "Fn::Not":
            return not of[0]
        case "Fn::Or":
            return any(of)
        case "Fn::Equals":
            return of[0] == of[1]
        case "Fn::Contains":
            return of[1] in of[0]
        case "Fn::EachMemberIn":
            return set(of[0]) <= set(of[1])
    raise AssertionError(f"{name} is not read here")


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


_FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:"


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("", True),
        (_FUNCTION + "report", True),
        (_FUNCTION + "report:live," + _FUNCTION + "report:$LATEST", True),
        ("report", False),
        (_FUNCTION + "*", False),
        (_FUNCTION + "report:*", False),
        (_FUNCTION + "report*", False),
        ("*", False),
        (_FUNCTION + "report, " + _FUNCTION + "other", False),
        (_FUNCTION + "report,", False),
        ("arn:aws:lambda:*:123456789012:function:report", False),
        ("arn:aws:lambda:eu-central-1:*:function:report", False),
    ],
)
def test_a109_functions_to_be_sold_are_named_one_by_one(template: dict[str, Any], value: str, taken: bool) -> None:
    """A wildcard would let a route run whatever is in the account."""
    pattern = template["Parameters"]["UpstreamFunctionArns"]["AllowedPattern"]
    assert bool(re.search(pattern, value)) == taken
    if value and taken:
        assert [str(FunctionName.parse(arn)) for arn in value.split(",")] == value.split(",")


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
