"""The metadata filter language: `$eq $ne $gt $gte $lt $lte $in $nin $exists`, joined by `$and` and `$or`.

A list of strings matches if any of its strings does; `$ne` and `$nin` are the negations, so that a missing field matches them.
"""

import operator
from collections.abc import Callable
from typing import Any

from dev.pinecone_server.errors import invalid

Metadata = dict[str, Any]
Predicate = Callable[[Metadata], bool]
Test = Callable[[Any], bool]

MOST_OPERANDS = 10_000
DEEPEST = 64
ORDERINGS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


def compile_filter(clause: object) -> Predicate:
    """Return a function that says whether a record's metadata (numbers as floats) matches the filter. An empty filter matches every record.

    Raises Refusal if the filter is not of the language.
    """
    return _clause(clause, depth=0)


def _clause(clause: object, depth: int) -> Predicate:
    if not isinstance(clause, dict):
        raise invalid(f"A filter must be an object, got {_shown(clause)}")
    if depth > DEEPEST:
        raise invalid(f"The filter is nested deeper than {DEEPEST} levels")
    return _all([_member(key, value, depth) for key, value in clause.items()])


def _member(key: str, value: object, depth: int) -> Predicate:
    if key in ("$and", "$or"):
        if not isinstance(value, list) or not value:
            raise invalid(f"{key} must be followed by a non-empty list of filters, got {_shown(value)}")
        clauses = [_clause(item, depth + 1) for item in value]
        return _all(clauses) if key == "$and" else lambda metadata: any(clause(metadata) for clause in clauses)
    if key.startswith("$"):
        raise invalid(f"{key} is not allowed here: at the top a filter has field names, $and and $or")
    test = _field_test(key, value)
    return lambda metadata: test(metadata.get(key))


def _all(predicates: list[Predicate]) -> Predicate:
    if len(predicates) == 1:
        return predicates[0]
    return lambda metadata: all(predicate(metadata) for predicate in predicates)


def _field_test(field: str, condition: object) -> Test:
    if not isinstance(condition, dict):
        return _one_of([_scalar("$eq", field, condition)])
    if not condition:
        raise invalid(f"The condition on field '{field}' has no operator")
    tests = [_test(name, field, operand) for name, operand in condition.items()]
    return tests[0] if len(tests) == 1 else lambda value: all(test(value) for test in tests)


def _test(name: str, field: str, operand: object) -> Test:
    if name in ("$eq", "$ne"):
        test = _one_of([_scalar(name, field, operand)])
        return test if name == "$eq" else lambda value: not test(value)
    if name in ("$in", "$nin"):
        test = _one_of(_operands(name, field, operand))
        return test if name == "$in" else lambda value: not test(value)
    if name in ORDERINGS:
        if isinstance(operand, bool) or not isinstance(operand, int | float):
            raise invalid(f"{name} on field '{field}' takes a number, got {_shown(operand)}")
        compare = ORDERINGS[name]
        return lambda value: type(value) is float and compare(value, operand)
    if name == "$exists":
        if not isinstance(operand, bool):
            raise invalid(f"$exists on field '{field}' takes true or false, got {_shown(operand)}")
        return lambda value: (value is not None) is operand
    raise invalid(f"{name} is not a valid operator on field '{field}'")


def _one_of(operands: list[str | int | float | bool]) -> Test:
    # Python holds 1 == 1.0 == True: each type is looked up among its own.
    strings = {operand for operand in operands if isinstance(operand, str)}
    flags = {operand for operand in operands if isinstance(operand, bool)}
    numbers = {float(operand) for operand in operands if isinstance(operand, int | float) and not isinstance(operand, bool)}

    def test(value: object) -> bool:
        if type(value) is str:
            return value in strings
        if type(value) is float:
            return value in numbers
        if type(value) is bool:
            return value in flags
        return type(value) is list and not strings.isdisjoint(value)

    return test


def _operands(name: str, field: str, operands: object) -> list:
    if not isinstance(operands, list):
        raise invalid(f"{name} on field '{field}' takes a list, got {_shown(operands)}")
    if len(operands) > MOST_OPERANDS:
        raise invalid(f"{name} on field '{field}' takes at most {MOST_OPERANDS} values, got {len(operands)}")
    return [_scalar(name, field, operand) for operand in operands]


def _scalar(name: str, field: str, operand: object) -> str | int | float | bool:
    if not isinstance(operand, str | int | float | bool):
        raise invalid(f"{name} on field '{field}' compares with a string, number or boolean, got {_shown(operand)}")
    return operand


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
