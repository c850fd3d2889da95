"""Systems that are recognised by their paths, in a draft that names no preset: Moodle, by ``server.php?wsfunction=``.

Everything in Moodle is a function at one address, and none answers to a plain GET with a header: the token and the
format go into a form, searches need criteria, and what belongs to a course is asked for course by course. An endpoint
that is only such a path is therefore completed as the preset does it. One that says more is left as it is.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from hub_connectors.expanding import filled_with_defaults, laid_over
from hub_connectors.loader import find_preset

_MOODLE = re.compile(r"^(?P<prefix>/?(?:[^?#]*/)?)server\.php\?(?:[^#]*&)?wsfunction=(?P<function>[a-z0-9_]+)")
_PRESET_PREFIX = "/webservice/rest/"
_FORM = {"method": "POST", "bodyType": "form", "nesting": "brackets", "pagination": {"type": "none"}}
_JSON = {"moodlewsrestformat": "json"}
_ALL_USERS = {"criteria": [{"key": "email", "value": "%"}]}
# What a data type can be read with though the preset uses another.
_USERS, _COURSES = "core_user_get_users", "core_course_get_courses"
# What gives less than the preset's own function, or one course, one session, one student at a time.
_OUTDONE = frozenset(
    [
        "core_grades_get_grades",
        "core_enrol_get_enrolled_users",
        "core_enrol_get_enrolled_users_with_capability",
        "core_course_get_courses_by_field",
        "core_calendar_get_action_events_by_course",
        "gradereport_user_get_grades_table",
        "mod_attendance_get_session",
        "mod_attendance_get_courses_with_today_sessions",
    ]
)
_OWN_PARAMS = frozenset(["wsfunction", "moodlewsrestformat"])


def recognise(draft: Any) -> Any:
    """The draft, completed where it has paths of Moodle's functions; any other as it is.

    ``connector`` then names the preset and what was done. The draft's own words win.
    """
    if not isinstance(draft, Mapping) or not isinstance(draft.get("endpoints"), Mapping):
        return draft
    found = {str(name): match for name, value in draft["endpoints"].items() if (match := _match(value)) is not None}
    if not found:
        return draft
    preset = find_preset("moodle")
    template, answers = filled_with_defaults(preset)
    prefix = next(iter(found.values()))["prefix"]
    template = _moved(template, prefix)
    endpoints: dict[str, Any] = {}
    told: list[str] = []
    for name, match in found.items():
        endpoints[name], words = _endpoint(name, match.string, match["function"], template)
        told.append(f"{name}: {words}")
    streams = _needed(endpoints, template["streams"])
    below: dict[str, Any] = {
        **({"apiKeyPlacement": template["apiKeyPlacement"]} if draft.get("authType") == "api-key" else {}),
        "limits": template["limits"],
        **({"streams": streams} if streams else {}),
    }
    connector = {"name": preset.name, "version": preset.version, "settings": answers, "recognised": told}
    own = {**draft, "endpoints": {**draft["endpoints"], **endpoints}}
    return {**laid_over(below, own), "connector": connector}


def _match(endpoint: Any) -> re.Match[str] | None:
    path = _path_of(endpoint)
    return None if path is None else _MOODLE.match(path)


def _path_of(endpoint: Any) -> str | None:
    """The path of an endpoint that is nothing else."""
    path = endpoint.get("path") if isinstance(endpoint, Mapping) and len(endpoint) == 1 else endpoint
    return path if isinstance(path, str) else None


def _endpoint(name: str, path: str, function: str, template: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    offered = template["endpoints"].get(name)
    if name in ("students", "faculty") and function == _USERS:
        return _users(name, path, offered["mapping"]), (
            f"{_USERS} is asked for everybody with a mail address; the roles in courses tell who is one of the {name}."
        )
    if name == "subjects" and function == _COURSES:
        stream = template["streams"]["courses"]
        own = {
            "path": path,
            **_FORM,
            "body": _JSON,
            "recordsPath": "",
            "when": stream["when"],
            "fields": stream["fields"],
        }
        return {**own, "mapping": offered["mapping"]}, f"{_COURSES} is read without the site's front page."
    if offered is not None and {param for param, _ in parse_qsl(path.partition("?")[2])} <= _OWN_PARAMS:
        asked = offered.get("path") or template["streams"][offered["source"]]["path"]
        used = asked.partition("wsfunction=")[2]
        if used == function:
            return offered, f"{function} is asked for each course, as the preset does."
        if function in _OUTDONE:
            return offered, f"{used} is used in place of {function}, for each course, as the preset does."
    return {"path": path, **_FORM, "body": _JSON}, f"{function} is asked for JSON, with the token in a form."


def _users(name: str, path: str, mapping: Mapping[str, Any]) -> dict[str, Any]:
    """All users of the site; the roles, without which teachers are students too, are those in their courses."""
    role = {"students": "learns", "faculty": "teaches"}[name]
    rules = [rule for rule in mapping["rules"] if rule["to"] != "subjectIds"]
    if name == "faculty":
        rules.append({"to": "subjectIds", "from": f"courses.*.{role}"})
    return {
        "path": path,
        **_FORM,
        "body": _JSON if "criteria" in path else {**_JSON, **_ALL_USERS},
        "recordsPath": "users",
        "joins": [{"stream": "people", "left": "id", "right": "id", "as": "courses", "many": True}],
        "mapping": {**mapping, "rules": rules, "when": [{"path": f"courses.*.{role}", "exists": True}]},
    }


def _moved(value: Any, prefix: str) -> Any:
    """The template with its paths where the draft has them: the base URL may end anywhere above ``server.php``."""
    if isinstance(value, dict):
        return {name: _moved(item, prefix) for name, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, prefix) for item in value]
    if isinstance(value, str) and value.startswith(f"{_PRESET_PREFIX}server.php?"):
        return prefix + value.removeprefix(_PRESET_PREFIX)
    return value


def _needed(endpoints: Mapping[str, Any], streams: Mapping[str, Any]) -> dict[str, Any]:
    """The streams that these endpoints need, and those that these need."""
    needed: dict[str, Any] = {}
    waiting = list(endpoints.values())
    while waiting:
        stream = waiting.pop()
        names = [stream.get("source"), stream.get("parent", {}).get("stream")]
        for name in [*names, *(join["stream"] for join in stream.get("joins", []))]:
            if name is not None and name not in needed:
                needed[name] = streams[name]
                waiting.append(streams[name])
    return {name: stream for name, stream in streams.items() if name in needed}
