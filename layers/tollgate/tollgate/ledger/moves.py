"""DynamoDB updates derived from the arrows in payment/states.py: nothing else moves a payment."""

from collections.abc import Mapping

from tollgate.ledger.dynamo import Update, Value
from tollgate.payment.states import TRANSITIONS, State


def move(
    pk: str,
    source: State,
    target: State,
    *,
    fence: int,
    set_: Mapping[str, Value | None] | None = None,
    remove: tuple[str, ...] = (),
    require: Mapping[str, tuple[str, Value]] | None = None,
    raise_fence: bool = False,
) -> Update:
    """An update along the arrow ``source`` → ``target``, conditioned on ``source`` and ``fence``.

    ``set_`` are further attributes to set (``None`` is left out), ``remove`` attributes to drop,
    ``require`` further conditions: attribute → (operator, value). ``raise_fence`` shuts out whoever
    held it. Raises ``ValueError`` when there is no such arrow: a bug.
    """
    if target not in TRANSITIONS[source]:
        raise ValueError(f"no arrow leads from {source} to {target}")
    names = {"#state": "state", "#fence": "fence"}
    values: dict[str, Value] = {":target": target.value, ":source": source.value, ":fence": fence}
    sets = ["#state = :target"]
    for index, (name, value) in enumerate((set_ or {}).items()):
        if value is None:
            continue
        names[f"#s{index}"] = name
        values[f":s{index}"] = value
        sets.append(f"#s{index} = :s{index}")
    if raise_fence:
        sets.append("#fence = #fence + :one")
        values[":one"] = 1
    expression = "SET " + ", ".join(sets)
    if remove:
        names.update({f"#r{i}": name for i, name in enumerate(remove)})
        expression += " REMOVE " + ", ".join(f"#r{i}" for i in range(len(remove)))
    conditions = ["#state = :source", "#fence = :fence"]
    for index, (name, (operator, value)) in enumerate((require or {}).items()):
        names[f"#q{index}"] = name
        values[f":q{index}"] = value
        conditions.append(f"#q{index} {operator} :q{index}")
    return Update(pk, expression, " AND ".join(conditions), values, names)
