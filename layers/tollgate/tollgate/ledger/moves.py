"""DynamoDB updates derived from the arrows in payment/states.py: nothing else moves a payment.

Each move writes itself into the item's history (``moves``) in the same update, so the history can neither miss a
move nor tell of one that did not happen.
"""

from collections.abc import Mapping

from tollgate.ledger.dynamo import Update, Value
from tollgate.ledger.payment_items import work_shard
from tollgate.payment.record import Move
from tollgate.payment.states import TRANSITIONS, State

MOVES = "moves"
# What the work list counts of an item since it last moved.
COUNTED = ("attempts", "strikes", "parked", "parked_at")


def appended(names: dict[str, str], values: dict[str, Value], move: Move) -> str:
    """The SET clause that adds ``move`` to the history; fills in its names and values."""
    names["#moves"] = MOVES
    values[":nothing"] = ()
    values[":moved"] = (str(move),)
    return "#moves = list_append(if_not_exists(#moves, :nothing), :moved)"


def move(
    pk: str,
    source: State,
    target: State,
    *,
    fence: int,
    now: int,
    detail: str = "",
    set_: Mapping[str, Value | None] | None = None,
    remove: tuple[str, ...] = (),
    require: Mapping[str, tuple[str, Value]] | None = None,
    absent: tuple[str, ...] = (),
    raise_fence: bool = False,
) -> Update:
    """An update along the arrow ``source`` → ``target``, conditioned on ``source`` and ``fence``.

    ``now`` (Unix seconds) and ``detail`` (one word: a hash, a reason) go into the history.
    ``set_`` are further attributes to set (``None`` is left out), ``remove`` attributes to drop,
    ``require`` further conditions: attribute → (operator, value), ``absent`` attributes that must not be there.
    ``raise_fence`` shuts out whoever held it. A payment that moves begins anew on the work list, also when it was
    parked. Raises ``ValueError`` when there is no such arrow: a bug.
    """
    if target not in TRANSITIONS[source]:
        raise ValueError(f"no arrow leads from {source} to {target}")
    names = {"#state": "state", "#fence": "fence"}
    values: dict[str, Value] = {":target": target.value, ":source": source.value, ":fence": fence}
    sets = ["#state = :target", appended(names, values, Move(target.value, now, detail))]
    for index, (name, value) in enumerate((set_ or {}).items()):
        if value is None:
            continue
        names[f"#s{index}"] = name
        values[f":s{index}"] = value
        sets.append(f"#s{index} = :s{index}")
    if raise_fence:
        sets.append("#fence = #fence + :one")
        values[":one"] = 1
    if (set_ or {}).get("due") is not None:
        names["#work"] = "work"
        values[":work"] = work_shard(pk.partition("#")[2])
        sets.append("#work = :work")
    expression = "SET " + ", ".join(sets)
    remove = (*remove, *COUNTED)
    names.update({f"#r{i}": name for i, name in enumerate(remove)})
    expression += " REMOVE " + ", ".join(f"#r{i}" for i in range(len(remove)))
    conditions = ["#state = :source", "#fence = :fence"]
    for index, (name, (operator, value)) in enumerate((require or {}).items()):
        names[f"#q{index}"] = name
        values[f":q{index}"] = value
        conditions.append(f"#q{index} {operator} :q{index}")
    for index, name in enumerate(absent):
        names[f"#n{index}"] = name
        conditions.append(f"attribute_not_exists(#n{index})")
    return Update(pk, expression, " AND ".join(conditions), values, names)
