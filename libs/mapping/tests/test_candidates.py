"""What a mapping wants, what it takes for deletes, and fields with several candidates."""

from datetime import UTC, datetime

import pytest
from hub_mapping import CompiledMapping, MappedBatch, compile_mapping
from hub_model.errors import InvalidInput
from hub_model.mappings import Mapping
from hub_model.records import DataType

OBSERVED = datetime(2024, 1, 20, 12, tzinfo=UTC)
SEED_EXAMPLE = {
    "studentId": "CS2101",
    "name": "John Doe",
    "attendance": "present",
    "date": "2024-01-15",
    "subject": "Data Structures",
}


def compiled(data_type: DataType = DataType.ATTENDANCE, **document: object) -> CompiledMapping:
    return compile_mapping(Mapping.model_validate(document), data_type, time_zone="Asia/Kolkata")


def map_all(data_type: DataType, *records: object, **document: object) -> MappedBatch:
    return compiled(data_type, **document).map_batch(records, observed_at=OBSERVED)


def map_one(data_type: DataType, record: object, **document: object) -> dict[str, object]:
    """The canonical record; fails with the issues if it was rejected."""
    batch = map_all(data_type, record, **document)
    assert batch.rejects == []
    (mapped,) = batch.records
    return mapped


def data_of(data_type: DataType, record: object, **document: object) -> dict[str, object]:
    data = map_one(data_type, record, **document)["data"]
    assert isinstance(data, dict)
    return data


def issues_of(data_type: DataType, record: object, **document: object) -> dict[str, str]:
    """Pointer -> code of everything wrong with this record."""
    batch = map_all(data_type, record, **document)
    assert batch.records == []
    (reject,) = batch.rejects
    assert reject.raw is record
    assert all(issue.keys() == {"pointer", "code", "message"} for issue in reject.issues)
    return {issue["pointer"]: issue["code"] for issue in reject.issues}


def seed(**changes: object) -> dict[str, object]:
    return {**SEED_EXAMPLE, **changes}


STUDENTS_ONLY = [{"path": "roles.*.shortname", "oneOf": ["student"]}]


def test_records_for_which_when_does_not_hold_are_skipped_and_counted() -> None:
    raws = [
        {"studentId": "1", "name": "A", "roles": [{"shortname": "teacher"}, {"shortname": "student"}]},
        {"studentId": "2", "name": "B", "roles": [{"shortname": "teacher"}]},
        {"roles": []},
        "not an object",
        {"studentId": "1", "name": "A", "roles": [{"shortname": "Student"}]},
    ]
    batch = map_all(DataType.STUDENTS, *raws, when=STUDENTS_ONLY)
    assert [record["data"]["studentId"] for record in batch.records] == ["1"]
    assert (batch.skipped, batch.duplicates, [reject.index for reject in batch.rejects]) == (2, 1, [3])


@pytest.mark.parametrize(
    ("document", "raw"),
    [
        ({"deleted": "gone"}, {"studentId": "1", "gone": True}),
        ({"deletedWhen": [{"path": "state", "equals": "left"}]}, {"studentId": "1", "state": "LEFT"}),
        ({}, {"studentId": "1", "recordStatus": "tobedeleted"}),
    ],
)
def test_a_delete_is_never_skipped(document: dict[str, object], raw: dict[str, object]) -> None:
    mapped = map_one(DataType.STUDENTS, raw, when=STUDENTS_ONLY, **document)
    assert (mapped["deleted"], mapped["data"]) == (True, {"studentId": "1"})


def test_what_may_be_a_delete_is_rejected_rather_than_skipped() -> None:
    issues = issues_of(DataType.STUDENTS, {"studentId": "1", "gone": "maybe"}, when=STUDENTS_ONLY, deleted="gone")
    assert issues["/deleted"] == "not_a_delete_marker"


def test_a_record_is_deleted_when_all_conditions_for_it_hold() -> None:
    document = {"deletedWhen": [{"path": "state", "equals": "left"}, {"path": "final", "equals": True}]}
    raws = [seed(), seed(state="left", final=False, subject="B"), seed(state="left", final="true", subject="C")]
    batch = map_all(DataType.ATTENDANCE, *raws, **document)
    assert [record.get("deleted", False) for record in batch.records] == [False, False, True]


def test_with_deletes_every_record_is_one_and_its_key_is_all_it_needs() -> None:
    rules = [
        {"to": "studentId", "from": "keyValues.studentUniqueId"},
        {"to": "date", "from": "keyValues.eventDate"},
        {"to": "subjectId", "from": "keyValues.localCourseCode"},
    ]
    mapping = Mapping.model_validate({"rules": rules, "only": True, "sourceId": "id"})
    raw = {"id": "g", "keyValues": {"studentUniqueId": "101", "eventDate": "2026-07-20", "localCourseCode": "MATH"}}
    deletes = compile_mapping(mapping, DataType.ATTENDANCE, time_zone="UTC", deletes=True)
    (record,) = deletes.map_batch([raw], observed_at=OBSERVED).records
    assert (record["deleted"], record["sourceId"], record["key"]) == (True, "g", '["101","2026-07-20","MATH",""]')
    with pytest.raises(InvalidInput):
        compile_mapping(mapping, DataType.ATTENDANCE, time_zone="UTC")


def test_wrong_conditions_of_a_mapping_are_told_at_their_places() -> None:
    with pytest.raises(InvalidInput) as refused:
        compiled(
            when=[{"path": "a", "matches": "("}],
            deletedWhen=[{"path": "/a", "exists": True}],
            rules=[{"to": "remarks", "from": [{"from": "a", "when": [{"path": "", "matches": "("}]}]}],
        )
    assert [issue.pointer for issue in refused.value.issues] == [
        "/rules/0/from/0/when/0/matches",
        "/when/0/matches",
        "/deletedWhen/0/path",
    ]


MOODLE_STATUS = [
    {"from": "acronym", "do": [["map", {"P": "present", "A": "absent"}]]},
    {"from": "description", "do": [["map", {"Present": "present", "Sick": "excused"}]]},
    {"from": "grade", "do": [["map", {"0": "absent"}]]},
]


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"acronym": "p", "description": "Sick"}, "present"),
        ({"acronym": "X", "description": "sick"}, "excused"),
        ({"acronym": "", "description": "Sick"}, "excused"),
        ({"acronym": "X", "description": "Odd", "grade": 0}, "absent"),
        ({"description": "Present"}, "present"),
    ],
)
def test_a_word_that_one_candidate_does_not_know_is_left_to_the_next(raw: dict[str, object], word: str) -> None:
    data = data_of(DataType.ATTENDANCE, {**seed(), **raw}, rules=[{"to": "attendance", "from": MOODLE_STATUS}])
    assert data["attendance"] == word
    assert "extensions" not in data


def test_a_word_that_no_candidate_knows_stays_unknown_and_is_kept() -> None:
    raw = seed(acronym="X", description="Odd", grade=1)
    data = data_of(DataType.ATTENDANCE, raw, rules=[{"to": "attendance", "from": MOODLE_STATUS}])
    assert (data["attendance"], data["extensions"]) == ("unknown", {"attendanceRaw": "X"})
    issues = issues_of(DataType.ATTENDANCE, raw, rules=[{"to": "remarks", "from": MOODLE_STATUS}])
    assert issues == {"/remarks": "unmapped"}


RESULT = [
    {"const": "exempt", "when": [{"path": "excused", "equals": True}]},
    {"const": "not_submitted", "when": [{"path": "missing", "equals": True}]},
    {"const": "pending", "when": [{"path": "state", "equals": "graded", "not": True}]},
]


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ({"excused": True, "missing": True}, "exempt"),
        ({"missing": True, "state": "graded"}, "not_submitted"),
        ({"state": "submitted"}, "pending"),
        ({"state": "graded"}, None),
    ],
)
def test_a_candidate_counts_only_where_its_when_holds(raw: dict[str, object], word: str | None) -> None:
    mark = {"studentId": "1", "examId": "e", "subject": "Math", **raw}
    assert data_of(DataType.MARKS, mark, rules=[{"to": "result", "from": RESULT}])["result"] == word


def test_candidates_and_paths_stand_beside_each_other_and_do_follows() -> None:
    rule = {
        "to": "studentId",
        "from": ["idnumber", {"from": ["alt", "login"], "do": ["lower"]}, {"const": "none"}],
        "do": ["trim"],
    }
    for raw, expected in (({"idnumber": " 7 "}, "7"), ({"login": "ASHA"}, "asha"), ({}, "none")):
        record = {**seed(), **raw}
        assert data_of(DataType.ATTENDANCE, record, rules=[rule])["studentId"] == expected


def test_in_a_push_a_rule_whose_candidates_hear_nothing_leaves_its_field_alone() -> None:
    mapping = compiled(DataType.MARKS, rules=[{"to": "result", "from": RESULT}])
    mark = {"studentId": "1", "examId": "e", "subject": "Math"}
    told = mapping.map_batch([{**mark, "excused": True}], observed_at=OBSERVED, is_partial=True)
    silent = mapping.map_batch([mark], observed_at=OBSERVED, is_partial=True)
    assert told.records[0]["data"]["result"] == "exempt"
    assert "result" not in silent.records[0]["data"]


@pytest.mark.parametrize(
    ("candidate", "pointer"),
    [
        ({"const": "perhaps"}, "/rules/0/from/1/const"),
        ({"const": "absent", "do": ["lower"]}, "/rules/0/from/1/do"),
        ({"from": "a", "do": [["map", {"x": "perhaps"}]]}, "/rules/0/from/1/do/0"),
        ({"from": "a", "do": ["juggle"]}, "/rules/0/from/1/do/0"),
        ({"from": []}, "/rules/0/from/1/from"),
        ({"from": "$.a"}, "/rules/0/from/1/from"),
    ],
)
def test_a_wrong_candidate_is_told_at_its_place(candidate: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        compiled(rules=[{"to": "attendance", "from": ["state", candidate]}])
    assert [issue.pointer for issue in refused.value.issues] == [pointer]


def test_a_star_fills_a_list_and_what_it_goes_through_is_not_unmapped() -> None:
    rules = [{"to": "subjectIds", "from": "classes.*.id"}]
    raw = {"facultyId": "T1", "name": "A", "classes": [{"id": 4}, {"id": "5"}, {}], "by": {"x": {"y": 1}}}
    assert data_of(DataType.FACULTY, raw, rules=rules)["subjectIds"] == ["4", "5"]
    assert compiled(DataType.FACULTY, rules=rules).unmapped_fields([raw]) == ["by.x.y"]
    rules.append({"to": "designation", "from": "by.*.y"})
    assert compiled(DataType.FACULTY, rules=rules).unmapped_fields([raw]) == []
