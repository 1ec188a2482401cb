# For type checkers: the deploy ships plugins/brewtrain/domain/evaluation/gate.py as gate.py.
from brewtrain.domain.evaluation.gate import (
    CHAMPION_ABSENT,
    CHAMPION_COMPARED,
    CHAMPION_NOT_COMPARABLE,
    PASS,
    Decision,
    Difference,
    Evidence,
    GateRules,
    GateRulesError,
    decide,
    from_arguments,
)

__all__ = [
    "CHAMPION_ABSENT",
    "CHAMPION_COMPARED",
    "CHAMPION_NOT_COMPARABLE",
    "PASS",
    "Decision",
    "Difference",
    "Evidence",
    "GateRules",
    "GateRulesError",
    "decide",
    "from_arguments",
]
