"""The endpoint specification: what may be written, and what is refused with words that help."""

from typing import Any

import pytest
from hub_model.answers import ResponseFilter
from hub_model.conditions import Condition
from hub_model.endpoints import Endpoint, Stream, placeholders
from hub_model.integrations import IntegrationDraft
from hub_model.streams import needed_by, reading_order
from pydantic import ValidationError


def refusal(model: type[Any], **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return str(caught.value)


@pytest.mark.parametrize(
    "test",
    [
        {"equals": None},
        {"equals": "P"},
        {"equals": 0},
        {"oneOf": ["P", 1]},
        {"exists": False},
        {"contains": "quiz"},
        {"matches": "^[0-9]+$", "not": True},
    ],
)
def test_a_condition_is_one_test_and_comes_back_as_it_was_stored(test: dict[str, Any]) -> None:
    condition = Condition.model_validate({"path": "a.b", **test})
    assert Condition.model_validate(condition.model_dump(mode="json", by_alias=True)) == condition


@pytest.mark.parametrize("test", [{}, {"equals": 1, "exists": True}, {"oneOf": [1], "contains": "x"}, {"not": True}])
def test_a_condition_with_no_test_or_two_is_refused(test: dict[str, Any]) -> None:
    assert "exactly one of equals, oneOf, exists, contains and matches" in refusal(Condition, path="a", **test)


def test_an_endpoint_has_a_path_or_takes_the_rows_of_a_stream() -> None:
    assert Endpoint.model_validate({"source": "punches"}).path == ""
    for fields in ({}, {"path": "/a", "source": "punches"}):
        assert "exactly one of 'path' and 'source'" in refusal(Endpoint, **fields)
    for fields in ({"parent": {"stream": "courses"}}, {"deletes": {"path": "/gone"}}):
        assert "with 'source' there are none" in refusal(Endpoint, source="punches", **fields)
    assert "name it in 'source'" in refusal(Endpoint, path="/a", derive={"type": "group", "by": "id"})
    assert Stream.model_validate({"rows": ["A1"]}).path == ""
    assert "exactly one of 'path' and 'rows'" in refusal(Stream)
    assert "exactly one of 'path' and 'rows'" in refusal(Stream, path="/a", rows=["A1"])
    assert "with 'rows' there are none" in refusal(Stream, rows=["A1"], parent={"stream": "b"})
    assert "exactly one of 'path' and 'source'" in refusal(Endpoint, source="punches", rows=["A1"])


def test_a_time_to_begin_at_says_its_zone() -> None:
    incremental = {"type": "datetime", "startDatetime": "2026-01-01T00:00:00"}
    assert "timezone" in refusal(Stream, path="/a", incremental=incremental)


def test_only_known_values_are_filled_in_wherever_text_stands() -> None:
    fields = {
        "method": "POST",
        "path": "/courses/{{ parent.id }}/users",
        "params": {"since": "{{window.start}}", "options": [{"value": "{{ parent.code }}"}]},
        "body": {"until": "{{ window.end }}", "key": "{{ credential.api-key }}"},
    }
    endpoint = Endpoint.model_validate(fields)
    values = [endpoint.path, endpoint.params, endpoint.body]
    assert placeholders(values) == ["parent.id", "window.start", "parent.code", "window.end", "credential.api-key"]
    for unknown in ("secret", "window.middle.x y", "parent", "parent.__class__!", "credential.key"):
        assert "is not known; there are parent.<field>" in refusal(Endpoint, path=f"/a/{{{{ {unknown} }}}}")


def test_a_path_stays_below_the_base_url_also_around_what_is_filled_in() -> None:
    for path in ("/{{ parent.id }}/../admin", "//evil.example/{{ parent.id }}", "/a b/{{ parent.id }}"):
        refusal(Endpoint, path=path)


def test_a_response_filter_says_which_answers_it_means() -> None:
    assert "httpCodes, when or errorMessageContains" in refusal(ResponseFilter, action="FAIL")


def stream(**needs: Any) -> Stream:
    return Stream.model_validate({"path": "/x", **needs})


def test_streams_are_read_before_what_needs_them_each_once() -> None:
    streams = {
        "courses": stream(),
        "users": stream(),
        "activities": stream(parent={"stream": "courses"}),
        "sessions": stream(
            parent={"stream": "activities"}, joins=[{"stream": "users", "left": "a", "right": "b", "as": "user"}]
        ),
    }
    endpoint = Endpoint.model_validate(
        {"source": "sessions", "joins": [{"stream": "courses", "left": "c", "right": "id", "as": "course"}]}
    )
    assert needed_by(endpoint) == ("sessions", "courses")
    assert reading_order(streams, endpoint) == ("courses", "activities", "users", "sessions")


def draft(**changes: Any) -> dict[str, Any]:
    fields = {"name": "LMS", "type": "LMS", "baseUrl": "https://lms.example", "authType": "bearer", "apiKey": "k"}
    return {**fields, "endpoints": {"students": {"source": "users"}}, **changes}


def test_a_stream_that_does_not_exist_or_needs_itself_is_refused_by_name() -> None:
    assert "no stream 'users' in 'streams'; there are none" in refusal(IntegrationDraft, **draft())
    circle = {
        "users": {"path": "/u", "parent": {"stream": "rooms"}},
        "rooms": {"path": "/r", "parent": {"stream": "users"}},
    }
    assert "rooms -> users -> rooms need each other" in refusal(IntegrationDraft, **draft(streams=circle))
    assert IntegrationDraft.model_validate(draft(streams={"users": {"path": "/u"}})).streams["users"].path == "/u"


def test_durations_are_iso_8601_and_come_back_as_they_were_stored() -> None:
    endpoint = Endpoint.model_validate(
        {"path": "/a", "incremental": {"type": "datetime", "startTimeParam": "since", "step": "P30D"}}
    )
    stored = endpoint.model_dump(mode="json", by_alias=True)
    assert stored["incremental"]["step"] == "P30D"
    assert Endpoint.model_validate(stored) == endpoint


def test_the_reading_order_of_a_ladder_of_streams_is_found_at_once() -> None:
    """Each rung needs the two below it: gone through by paths, these are 2**60."""
    streams = {"s0": Stream(path="/0"), "s1": Stream(path="/1")}
    for rung in range(2, 60):
        joins = [{"stream": f"s{rung - below}", "left": "a", "right": "b", "as": f"rung{below}"} for below in (1, 2)]
        streams[f"s{rung}"] = Stream.model_validate({"path": "/x", "joins": joins})
    order = reading_order(streams, streams["s59"])
    assert sorted(order) == sorted(f"s{rung}" for rung in range(59))
    assert all(order.index(f"s{rung - 1}") < order.index(f"s{rung}") for rung in range(3, 59))


def test_a_time_zone_of_punches_is_one_that_exists() -> None:
    derive = {"type": "punches", "person": "p", "punchedAt": "t", "timeZone": "Nowhere/Land"}
    assert "not an IANA time zone" in refusal(Endpoint, source="punches", derive=derive)
