"""Every one-line sabotage, gathered from the lists beside this file: one list a topic.

A sabotage that survives means that a promise has no test. ``old`` must stand exactly once in ``file``
(below layers/tollgate/tollgate), so that a sabotage cannot rot silently when the line changes.
"""

import importlib
import pkgutil

from tests.faults import lists
from tests.faults.sabotage import Sabotage


def _gathered() -> tuple[Sabotage, ...]:
    found: list[Sabotage] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(lists.__path__)):
        found += importlib.import_module(f"tests.faults.lists.{module}").SABOTAGES
    if len({s.name for s in found}) != len(found):
        raise ValueError("two sabotages have one name")
    return tuple(found)


SABOTAGES = _gathered()
