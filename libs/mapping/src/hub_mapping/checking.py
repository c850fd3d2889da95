"""What is wrong with the mappings, paths and conditions of an endpoint, told while it is being configured.

Whoever reads it later compiles the same things, and could only fail.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from hub_model.combining import Derive, GroupBy
from hub_model.endpoints import Endpoint, Request, Stream
from hub_model.errors import InvalidInput, Issue
from hub_model.mappings import Mapping as MappingDocument
from hub_model.records import DataType

from hub_mapping.compile import compile_mapping
from hub_mapping.conditions import add_conditions
from hub_mapping.derive import group_rows, punches_to_attendance
from hub_mapping.origins import compile_field
from hub_mapping.paths import check_path
from hub_mapping.problems import Problems
from hub_mapping.transforms.times import find_zone


def endpoint_issues(endpoint: Endpoint, data_type: DataType, *, time_zone: str) -> list[Issue]:
    """Everything that cannot be compiled, each with its JSON Pointer into the endpoint."""
    problems = Problems()
    _check_stream(endpoint, problems)
    if endpoint.derive is not None:
        _check_derive(endpoint.derive, time_zone, problems)
    _check_mapping(endpoint.mapping, data_type, time_zone, problems, "/mapping")
    if endpoint.deletes is not None:
        _check_request(endpoint.deletes, problems, "/deletes")
        _check_mapping(endpoint.deletes.mapping, data_type, time_zone, problems, "/deletes/mapping", deletes=True)
    return problems.issues


def stream_issues(stream: Stream) -> list[Issue]:
    """The same of a stream that is read for others."""
    problems = Problems()
    _check_stream(stream, problems)
    return problems.issues


def _check_request(request: Request, problems: Problems, pointer: str = "") -> None:
    for place, rule in enumerate(request.response_filters):
        add_conditions(rule.when, problems, f"{pointer}/responseFilters/{place}/when")


def _check_stream(stream: Stream, problems: Problems) -> None:
    _check_request(stream, problems)
    add_conditions(stream.when, problems, "/when")
    if stream.parent is not None:
        add_conditions(stream.parent.when, problems, "/parent/when")
        _check_paths(stream.parent.include, problems, "/parent/include")
    for place, spec in enumerate(stream.explode):
        _check_paths({"path": spec.path}, problems, f"/explode/{place}")
        add_conditions(spec.when, problems, f"/explode/{place}/when")
    for place, join in enumerate(stream.joins):
        _check_paths({"left": join.left, "right": join.right}, problems, f"/joins/{place}")
        _check_paths(join.fields, problems, f"/joins/{place}/fields")
    zone = ZoneInfo("UTC")  # whichever: what compiles in one does in all
    for name, origin in stream.fields.items():
        compile_field(origin, zone, problems, f"/fields/{name}")


def _check_paths(paths: Mapping[str, str], problems: Problems, pointer: str) -> None:
    for name, path in paths.items():
        with problems.at(f"{pointer}/{name}"):
            check_path(path)


def _check_derive(spec: Derive, time_zone: str, problems: Problems) -> None:
    with problems.at("/derive"):
        if isinstance(spec, GroupBy):
            group_rows([], spec)
        else:
            punches_to_attendance([], spec, find_zone(time_zone))


def _check_mapping(
    mapping: MappingDocument,
    data_type: DataType,
    time_zone: str,
    problems: Problems,
    pointer: str,
    *,
    deletes: bool = False,
) -> None:
    try:
        compile_mapping(mapping, data_type, time_zone=time_zone, deletes=deletes)
    except InvalidInput as error:
        for issue in error.issues or [Issue("", error.code, str(error))]:
            problems.add(pointer + issue.pointer, issue.code, issue.message)
