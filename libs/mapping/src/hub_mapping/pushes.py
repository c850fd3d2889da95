"""Compiles what a push that brings no records is for: which data types to sync, and whose event it must be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub_model.errors import Issue
from hub_model.records import DataType
from hub_model.webhooks import SyncOnPush, WebhookSettings

from hub_mapping.conditions import add_conditions
from hub_mapping.paths import Walk, compile_walk
from hub_mapping.problems import Problems

# The data types to sync after a push, by its body. None: no rule speaks of it.
Wanted = Callable[[object], frozenset[DataType] | None]


@dataclass(frozen=True, slots=True)
class CompiledPushes:
    """``has_claims``: whether a signed event is this integration's. ``token_in``: what stands in a body where the
    secret should be. ``wanted`` is there if pushes bring no records.
    """

    has_claims: Callable[[object], bool]
    token_in: Callable[[object], object]
    wanted: Wanted | None


def compile_pushes(webhook: WebhookSettings, collected: frozenset[DataType]) -> CompiledPushes:
    """The functions for pushes of an integration that collects these data types.

    Raises InvalidInput with a pointer to each condition that cannot be compiled.
    """
    walk = compile_walk(webhook.secret_field or "")
    return CompiledPushes(
        has_claims=_compile_claims(webhook.jwt.claims if webhook.jwt else {}),
        token_in=lambda body: next(walk(body), None),
        wanted=_compile_syncs(webhook.syncs, collected) if webhook.syncs else None,
    )


def _compile_syncs(rules: Sequence[SyncOnPush], collected: frozenset[DataType]) -> Wanted:
    """What all the rules that hold want together, of the data types that are collected."""
    problems = Problems()
    compiled = [
        (add_conditions(rule.when, problems, f"/{place}/when"), collected.intersection(rule.data_types or collected))
        for place, rule in enumerate(rules)
    ]
    problems.raise_any("The rules of syncs")

    def wanted(body: object) -> frozenset[DataType] | None:
        found = [data_types for holds, data_types in compiled if holds(body)]
        return frozenset().union(*found) if found else None

    return wanted


def _compile_claims(claims: Mapping[str, str]) -> Callable[[object], bool]:
    """Whether a body says all of this: text or a whole number at each path, exactly as it is written here.

    A name with dots that stands beside the objects it could be read as must say the same as they.
    """
    walks = [(path, compile_walk(path), value) for path, value in claims.items()]

    def hold(body: object) -> bool:
        return bool(walks) and all(_texts(_readings(path, walk, body)) == [value] for path, walk, value in walks)

    return hold


def push_issues(webhook: WebhookSettings) -> list[Issue]:
    """Everything that cannot be compiled, each with its JSON Pointer into the webhook's settings."""
    problems = Problems()
    for place, rule in enumerate(webhook.syncs):
        add_conditions(rule.when, problems, f"/syncs/{place}/when")
    paths = [("/jwt/claims", path) for path in (webhook.jwt.claims if webhook.jwt else ())]
    if webhook.secret_field is not None:
        paths.append(("/secretPlacement/name", webhook.secret_field))
    for pointer, path in paths:
        with problems.at(pointer):
            compile_walk(path)
    return problems.issues


def _readings(path: str, walk: Walk, body: object) -> Iterator[object]:
    """The different values that the path may mean."""
    found = list(walk(body))
    inner = body
    for step in path.split("."):
        inner = inner.get(step) if isinstance(inner, dict) else None
    return iter(found if inner is None or inner in found else [*found, inner])


def _texts(values: Iterator[object]) -> list[str | None]:
    return [str(value) if isinstance(value, str) or type(value) is int else None for value in values]
