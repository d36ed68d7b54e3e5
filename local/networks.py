"""``make networks``: renew everything that is made of the network table.

That is the network rules and the Asset parameter of template.yaml, between their markers, and
docs/networks.md. The tests fail while one of them lags behind ``payment/network_table.py``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from local.paths import ROOT
from tollgate.payment.network_table import EIP3009, ROWS
from tollgate.payment.networks import NETWORKS, NetworkInfo

TEMPLATE = ROOT / "template.yaml"
PAGE = ROOT / "docs" / "networks.md"
_WIDTH = 120
_KNOWN = tuple(NETWORKS.values())
_MAIN = tuple(info for info in _KNOWN if not info.testnet)
_TEST = tuple(info for info in _KNOWN if info.testnet)


def main() -> None:
    """Write the files and say which changed."""
    for path, text in files().items():
        changed = not path.exists() or path.read_text() != text
        path.write_text(text)
        print(f"· {path.relative_to(ROOT)}: {'rewritten' if changed else 'up to date'}")


def files() -> dict[Path, str]:
    """What the generated files must hold. Raises ``ValueError`` when the template has lost a marker."""
    template = between(TEMPLATE.read_text(), {"asset": asset_parameter(), "rules": rules()})
    return {TEMPLATE: template, PAGE: page()}


def between(text: str, parts: Mapping[str, Iterable[str]], command: str = "make networks") -> str:
    """``text`` with each part's lines between ``# >>> make networks: NAME`` and ``# <<< NAME``."""
    for name, lines in parts.items():
        before, opening, rest = text.partition(f"# >>> {command}: {name}\n")
        _, closing, after = rest.partition(f"# <<< {name}\n")
        if not opening or not closing:
            raise ValueError(f"the template has no lines between '# >>> {command}: {name}' and '# <<< {name}'")
        indent = before[before.rindex("\n") + 1 :]
        middle = "".join(f"{indent}{line}\n" for line in lines)
        text = f"{before}{opening}{middle}{indent}{closing}{after}"
    return text


def asset_parameter() -> list[str]:
    """The symbols that a stack may be told."""
    symbols = list(dict.fromkeys(a.symbol for i in _KNOWN for a in i.assets if a.transfer_method == EIP3009))
    pattern = "|".join(symbol.replace(".", "[.]") for symbol in symbols)
    named = ", ".join(symbols)
    return [
        f"AllowedPattern: ^({pattern}|0x[0-9a-fA-F]{{40}})$",
        f"Description: The token to be paid in, one of {named}, or the address of a token in docs/networks.md.",
        f"ConstraintDescription: Asset must be {named} or a 0x address of 40 hexadecimal digits.",
    ]


def rules() -> list[str]:
    """The rules about networks, one sentence for each mistake."""
    return [
        "NetworksAreKnown:",
        "  Assertions:",
        "    - Assert:",
        *_members("        ", _KNOWN),
        "      AssertDescription: >-",
        "        Network names a network that Tollgate does not know; docs/networks.md lists those that it knows.",
        "NetworksCanBeCollected:",
        "  Assertions:",
        *_not(_KNOWN, {i: f"{why}." for i in _KNOWN if (why := i.refusal())}),
        "TestAndMainNetworksDoNotMix:",
        "  Assertions:",
        "    - Assert: !Or",
        *_members("        - ", _MAIN),
        *_members("        - ", _TEST),
        "      AssertDescription: >-",
        "        Network mixes a main network with a test network; whoever pays with worthless test tokens would be",
        "        served like everyone else.",
        "MainNetworksNeedProd:",
        "  RuleCondition: !Not [!Equals [!Ref Stage, prod]]",
        "  Assertions:",
        *_not(_MAIN, {i: f"{i.network} ({i.name}) moves real money and needs Stage prod." for i in _MAIN}),
        "ProdNeedsMainNetworks:",
        "  RuleCondition: !Equals [!Ref Stage, prod]",
        "  Assertions:",
        "    - Assert:",
        *_members("        ", _MAIN),
        "      AssertDescription: >-",
        "        Stage prod would serve buyers for worthless test tokens; test networks need Stage local or test.",
        "LocalChainsNeedLocal:",
        "  RuleCondition: !Not [!Equals [!Ref Stage, local]]",
        "  Assertions:",
        *_not(_TEST, {i: f"{i.network} is a chain on this machine and needs Stage local." for i in _TEST if i.local}),
    ]


def _members(indent: str, infos: Iterable[NetworkInfo]) -> list[str]:
    inner = " " * len(indent) + "    "
    lines, line = [], inner
    for word in [f'"{info.network}",' for info in infos]:
        if len(line) + len(word) > _WIDTH:
            lines.append(line.rstrip())
            line = inner
        line += word + " "
    return [
        f"{indent}Fn::EachMemberIn:",
        f"{inner[2:]}- !Ref Network",
        f"{inner[2:]}- [",
        *lines,
        line.rstrip(),
        f"{inner}]",
    ]


def _not(infos: Iterable[NetworkInfo], sentences: Mapping[NetworkInfo, str]) -> list[str]:
    lines: list[str] = []
    for info in infos:
        if info in sentences:
            lines.append(f'    - Assert: !Not [{{Fn::Contains: [!Ref Network, "{info.network}"]}}]')
            lines += ["      AssertDescription: >-", f"        {sentences[info]}"]
    return lines


def page() -> str:
    """docs/networks.md."""
    networks, assets = [], []
    for row in ROWS:
        info = next(i for i in _KNOWN if i.network.chain_id == row[0])
        networks.append(
            f"| {info.name} | `{info.network}` | {info.v1_name or '-'} | {row[3]} | {info.gas_coin} "
            f"| {info.block_seconds:g} s | {info.confirmations} | {info.final_blocks} |"
        )
        for asset in info.assets:
            sold = "yes" if asset.transfer_method == EIP3009 and info.refusal() is None else "no"
            assets.append(
                f"| {info.name} | {asset.symbol} | `{asset.address}` | {asset.name} | {asset.version} "
                f"| {asset.decimals} | {asset.transfer_method} | {sold} | {row[9]} |"
            )
    refused = [f"- {why}." for info in _KNOWN if (why := info.refusal())]
    return _PAGE.format(networks="\n".join(networks), assets="\n".join(assets), refused="\n".join(refused))


_PAGE = """\
# Networks and assets

<!-- Written by `make networks` from layers/tollgate/tollgate/payment/network_table.py: change that, not this. -->

Every network and asset of the official Python SDK's default table, and the chain of the local stack. A token's
EIP-712 domain (name, version) is pinned here and never taken from a request; `tollgate doctor` compares it with
the token itself.

To add a network or an asset: one row in `payment/network_table.py` with its source, then `make networks`, which
renews this page and the rules of template.yaml.

Stage prod takes main networks only, the other stages test networks only, stage local also the local chain.

## Networks

The gas coin is what the relayer pays with. A deadline counts as passed when that many blocks stand on top of it
(confirmations); a settled payment is looked at once more when it is final.

| name | id | x402 v1 name | kind | gas coin | a block every | confirmations | final after |
|---|---|---|---|---|---|---|---|
{networks}

## Assets

Only EIP-3009 (`transferWithAuthorization`) can be collected so far.

| network | symbol | address | domain name | version | decimals | transferred by | can be sold for | source |
|---|---|---|---|---|---|---|---|---|
{assets}

## Known, but nothing can be sold there

{refused}
"""

if __name__ == "__main__":
    main()
