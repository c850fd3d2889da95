"""Raw records in, canonical records and rejects out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations, product

import pytest
from hub_mapping import CompiledMapping, MappedBatch, compile_mapping
from hub_mapping.alike import Canonical, settle_alike
from hub_model.mappings import Mapping
from hub_model.records import DataType
from hub_model.rivals import Losses

OBSERVED = datetime(2024, 1, 20, 12, tzinfo=UTC)
OBSERVED_TEXT = "2024-01-20T12:00:00.000000Z"
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


def test_the_example_of_the_seed_works_without_a_mapping() -> None:
    mapped = map_one(DataType.ATTENDANCE, SEED_EXAMPLE)
    assert mapped["data"] == SEED_EXAMPLE
    assert mapped["key"] == '["CS2101","2024-01-15","Data Structures",""]'
    assert mapped["version"] == OBSERVED_TEXT
    assert mapped.keys() == {"key", "data", "hash", "version"}


@pytest.mark.parametrize("name", ["student_id", "StudentID", "STUDENT_ID", "studentid", "Student Id", "student-id"])
def test_a_field_is_found_under_other_spellings_of_its_name(name: str) -> None:
    record = {name: "CS01", "date": "2024-01-15", "attendance": "A"}
    assert data_of(DataType.ATTENDANCE, record)["studentId"] == "CS01"


def test_the_exact_name_wins_over_another_spelling() -> None:
    assert data_of(DataType.ATTENDANCE, {"student_id": "wrong", **SEED_EXAMPLE})["studentId"] == "CS2101"


def test_no_other_name_is_guessed() -> None:
    record = {"id": "CS01", "roll": "CS01", "student": "CS01", "date": "2024-01-15", "attendance": "A"}
    assert issues_of(DataType.ATTENDANCE, record) == {"/studentId": "missing"}


def test_what_is_not_mapped_is_not_copied() -> None:
    assert "password" not in data_of(DataType.ATTENDANCE, seed(password="x", extra={"a": 1}))


def test_unmapped_fields_are_listed_for_a_preview() -> None:
    mapping = compiled(
        rules=[{"to": "studentId", "from": ["student.roll", "alt"]}, {"to": "markedBy", "from": "by.0"}],
        sourceId="meta.id",
        deleted="gone",
    )
    sample = [
        {"student": {"roll": 1, "caste": "x"}, "meta": {"id": 1, "rev": 2}, "DATE": "2024-01-15", "tags": ["a"]},
        {"by": ["T1"], "gone": 0, "alt": None, "fee": {}, "password": "x"},
        "not an object",
    ]
    assert mapping.unmapped_fields(sample) == ["student.caste", "meta.rev", "tags", "fee", "password"]


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ("P", "present"), ("p ", "present"), ("PRESENT", "present"), ("A", "absent"), ("Absent", "absent"),
        ("L", "late"), ("Late", "late"), ("E", "excused"), ("excused", "excused"), ("Half-Day", "half_day"),
        ("on duty", "on_duty"), ("early_departure", "early_departure"), ("not marked", "not_marked"),
        ("Tardy", "late"), ("UnexcusedAbsence", "absent"),
    ],
)  # fmt: skip
def test_the_usual_words_for_attendance_are_known(raw: str, word: str) -> None:
    data = data_of(DataType.ATTENDANCE, seed(attendance=raw))
    assert data["attendance"] == word
    assert "extensions" not in data


@pytest.mark.parametrize("raw", ["W/O", "Permitted", "-", 1, 2.5, True, False])
def test_an_unknown_status_stays_visible_and_is_never_taken_for_present(raw: object) -> None:
    data = data_of(DataType.ATTENDANCE, seed(attendance=raw))
    assert data["attendance"] == "unknown"
    assert data["extensions"] == {"attendanceRaw": raw}


def test_a_map_of_the_mapping_is_final() -> None:
    rules = [{"to": "attendance", "from": "attendance", "do": [["map", {"Pr": "present", "X": "absent"}]]}]
    assert data_of(DataType.ATTENDANCE, seed(attendance=" pr "), rules=rules)["attendance"] == "present"
    data = data_of(DataType.ATTENDANCE, seed(attendance="P"), rules=rules)
    assert (data["attendance"], data["extensions"]) == ("unknown", {"attendanceRaw": "P"})


def test_an_unmapped_word_skips_what_comes_after_the_map() -> None:
    do = [["map", {"Pr": "present"}], "trim", ["null_if", "P"]]
    data = data_of(DataType.ATTENDANCE, SEED_EXAMPLE | {"s": "P"}, rules=[{"to": "attendance", "from": "s", "do": do}])
    assert (data["attendance"], data["extensions"]) == ("unknown", {"attendanceRaw": "P"})


def test_an_unmapped_word_is_an_issue_where_the_field_is_not_a_closed_list() -> None:
    rules = [{"to": "section", "from": "section", "do": [["map", {"1": "A"}]]}]
    assert issues_of(DataType.ATTENDANCE, seed(section="2"), rules=rules) == {"/section": "unmapped"}


def test_a_word_without_a_fallback_becomes_null_and_stays_visible() -> None:
    data = data_of(DataType.ATTENDANCE, seed(source="ERP", extensions={"house": "Blue"}))
    assert data["source"] is None
    assert data["extensions"] == {"house": "Blue", "sourceRaw": "ERP"}


def test_the_raw_record_is_never_changed() -> None:
    extensions = {"house": "Blue"}
    record = seed(attendance="?", extensions=extensions)
    map_one(DataType.ATTENDANCE, record, rules=[{"to": "extensions.x", "const": 1}])
    assert record == seed(attendance="?", extensions={"house": "Blue"})


def test_ids_are_text_exactly_as_the_source_writes_them() -> None:
    def student_id(raw: object) -> object:
        return data_of(DataType.STUDENTS, {"studentId": raw, "name": "A"})["studentId"]

    assert student_id("007") == "007"
    assert student_id(" CS 01 ") == "CS 01"
    assert student_id(101) == "101"
    assert student_id(101.0) == "101"
    assert student_id(9007199254740993) == "9007199254740993"
    assert student_id("Jose\u0301") == "Jos\u00e9"
    for raw, code in [
        (1.5, "not_an_id"),
        (True, "wrong_type"),
        (1e20, "inexact"),
        (float(2**53 + 1), "inexact"),
        ({"a": 1}, "wrong_type"),
    ]:
        assert issues_of(DataType.STUDENTS, {"studentId": raw, "name": "A"}) == {"/studentId": code}


def test_every_issue_of_a_record_is_reported() -> None:
    record = {"date": "15/01/2024", "attendance": {}, "checkInAt": "soon", "startTime": "9.30"}
    assert issues_of(DataType.ATTENDANCE, record) == {
        "/studentId": "missing",
        "/date": "not_a_date",
        "/attendance": "wrong_type",
        "/checkInAt": "not_an_instant",
        "/startTime": "not_a_time",
    }


@pytest.mark.parametrize("raw", [None, "", "text", 5, True, [], [SEED_EXAMPLE]])
def test_a_record_that_is_no_object_is_rejected(raw: object) -> None:
    assert issues_of(DataType.ATTENDANCE, raw) == {"": "not_an_object"}


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_blank_is_missing(blank: object) -> None:
    assert issues_of(DataType.ATTENDANCE, seed(studentId=blank)) == {"/studentId": "missing"}


def test_messages_never_hold_a_value_of_the_record() -> None:
    canary = "Kanari-9876"
    record = {
        "studentId": {canary: canary}, "name": [canary], "email": 5.5,
        "dateOfBirth": canary, "admissionDate": canary * 9,
        "rollNumber": 98.76, "externalIds": canary, "extensions": {"a": {f"${canary}": canary}}, "gender": [canary],
    }  # fmt: skip
    (reject,) = map_all(DataType.STUDENTS, record).rejects
    assert len(reject.issues) == 9
    assert not any("Kanari" in text or "98" in text for issue in reject.issues for text in issue.values())


def test_null_says_that_there_is_nothing_and_absence_says_nothing() -> None:
    data = data_of(DataType.STUDENTS, {"studentId": "1", "name": "A", "email": None, "phone": " "})
    assert data == {"studentId": "1", "name": "A", "email": None, "phone": None}


def test_a_rule_fills_its_field_in_every_record() -> None:
    rules = [{"to": "email", "from": "contact.mail", "do": ["lower"]}]
    record = {"studentId": "1", "name": "A", "email": "not this one"}
    assert data_of(DataType.STUDENTS, record, rules=rules)["email"] is None


def test_a_field_with_a_rule_does_not_look_at_the_raw_field_of_its_name() -> None:
    rules = [{"to": "date", "from": "day"}]
    assert (
        data_of(DataType.ATTENDANCE, seed(date="15th of January", day="2024-01-16"), rules=rules)["date"]
        == "2024-01-16"
    )


def test_rules_take_from_paths_constants_and_defaults() -> None:
    rules = [
        {"to": "studentId", "from": ["reg_no", "id"]},
        {"to": "name", "from": "first", "do": [["concat", " ", "last"]]},
        {"to": "department", "const": "CSE"},
        {"to": "section", "from": "sec", "default": "A"},
        {"to": "email", "from": "mail", "required": True},
        {"to": "externalIds.erp", "from": "id"},
        {"to": "extensions.hostel", "from": "hostel"},
        {"to": "extensions.bus", "from": "bus"},
    ]
    record = {"reg_no": "", "id": 7, "last": "Rao", "mail": "A@B.edu", "hostel": {"block": "C"}}
    assert data_of(DataType.STUDENTS, record, rules=rules) == {
        "studentId": "7",
        "name": "Rao",
        "department": "CSE",
        "section": "A",
        "email": "a@b.edu",
        "externalIds": {"erp": "7"},
        "extensions": {"hostel": {"block": "C"}},
    }
    assert issues_of(DataType.STUDENTS, {"id": 7, "last": "Rao"}, rules=rules) == {"/email": "missing"}


def test_a_missing_value_names_the_path_that_was_tried() -> None:
    batch = map_all(DataType.STUDENTS, {"name": "A"}, rules=[{"to": "studentId", "from": ["reg.no", "roll"]}])
    assert "'reg.no' or 'roll'" in batch.rejects[0].issues[0]["message"]


def test_only_takes_nothing_but_the_rules() -> None:
    rules = [{"to": "studentId", "from": "id"}, {"to": "name", "from": "name"}]
    record = {"id": "1", "name": "A", "email": "a@b.edu", "studentId": "other"}
    assert data_of(DataType.STUDENTS, record, rules=rules, only=True) == {"studentId": "1", "name": "A"}


def test_the_short_form_of_a_mapping_is_field_to_path() -> None:
    mapped = map_one(
        DataType.STUDENTS,
        {"roll": "1", "who": {"name": "A"}, "pk": 5, "changed": "2024-01-02T03:04:05Z"},
        studentId="roll",
        name="who.name",
        sourceId="pk",
        updatedAt="changed",
    )
    assert (mapped["data"], mapped["sourceId"]) == ({"studentId": "1", "name": "A"}, "5")
    assert mapped["version"] == "2024-01-02T03:04:05.000000Z"


@pytest.mark.parametrize(
    ("data_type", "record", "key"),
    [
        (DataType.STUDENTS, {"studentId": 7, "name": "A"}, '["7"]'),
        (DataType.FACULTY, {"facultyId": "F1", "name": "A"}, '["F1"]'),
        (DataType.SUBJECTS, {"subjectId": "S1", "name": "A"}, '["S1",""]'),
        (DataType.SUBJECTS, {"subjectId": "S1", "name": "A", "section": "B"}, '["S1","B"]'),
        (DataType.TIMETABLE, {"subjectId": "S", "dayOfWeek": "Monday", "startTime": "9:30"}, '["S","","mon","09:30"]'),
        (
            DataType.TIMETABLE,
            {"subject": "Math", "section": "A", "date": "2024-01-15", "dayOfWeek": "mon", "startTime": "09:30"},
            '["Math","A","2024-01-15","09:30"]',
        ),
        (DataType.ATTENDANCE, {"studentId": "1", "date": "2024-01-15", "attendance": "P"}, '["1","2024-01-15","",""]'),
        (
            DataType.ATTENDANCE,
            {"studentId": "1", "date": "2024-01-15", "attendance": "P", "subject": "x", "subjectId": "S", "period": 2},
            '["1","2024-01-15","S","2"]',
        ),
        (
            DataType.ATTENDANCE,
            {"studentId": "1", "date": "2024-01-15", "attendance": "P", "sessionId": 'é"', "period": 2},
            '["1","2024-01-15","","é\\""]',
        ),
        (DataType.MARKS, {"studentId": "1", "subjectId": "S", "examId": 5}, '["1","S","5","1"]'),
        (DataType.MARKS, {"studentId": "1", "subject": "Math", "examId": "E", "attempt": "2"}, '["1","Math","E","2"]'),
    ],
)
def test_natural_keys(data_type: DataType, record: object, key: str) -> None:
    assert map_one(data_type, record)["key"] == key


def test_custom_records_have_the_key_their_mapping_names() -> None:
    record = {"bookId": 7, "copy": " 2 ", "title": "Algorithms", "tags": ["a", {"b": 1}]}
    mapped = map_one(DataType.CUSTOM, record, key=["bookId", "copy"])
    assert mapped["key"] == '["7","2"]'
    assert mapped["data"] == {"bookId": "7", "copy": "2", "title": "Algorithms", "tags": ["a", {"b": 1}]}
    assert issues_of(DataType.CUSTOM, {"bookId": 7}, key=["bookId", "copy"]) == {"/copy": "missing"}
    assert issues_of(DataType.CUSTOM, {"bookId": [7]}, key=["bookId"]) == {"/bookId": "wrong_type"}


def test_custom_records_with_rules_have_only_what_the_rules_and_the_key_say() -> None:
    rules = [{"to": "pages", "from": "p", "do": ["integer"]}]
    assert data_of(DataType.CUSTOM, {"bookId": 7, "p": "12", "x": 1}, key=["bookId"], rules=rules) == {
        "bookId": "7",
        "pages": 12,
    }


def test_custom_records_with_names_no_store_can_hold_are_rejected() -> None:
    assert issues_of(DataType.CUSTOM, {"id": 1, "$where": 1}, key=["id"]) == {"": "bad_name"}
    assert issues_of(DataType.CUSTOM, {"id": 1, "a/b~": {"x.y": 1}}, key=["id"]) == {"/a~1b~0": "bad_name"}


def test_in_a_batch_the_newest_of_one_key_is_kept_then_the_last() -> None:
    def row(name: str, at: str | None) -> dict[str, object]:
        return seed(name=name, sourceUpdatedAt=at)

    batch = map_all(
        DataType.ATTENDANCE,
        row("old", "2024-01-15T08:00:00Z"),
        row("newest", "2024-01-16T08:00:00Z"),
        seed(studentId="other"),
        row("older", "2024-01-15T09:00:00Z"),
        row("newest again", "2024-01-16T08:00:00Z"),
    )
    assert [record["data"]["name"] for record in batch.records] == ["newest again", "John Doe"]
    assert (batch.duplicates, batch.skipped, batch.rejects) == (3, 0, [])
    assert batch.overruled == 1, "of the two that are equally new"


def test_who_says_something_else_under_the_same_key_and_is_no_older_is_counted() -> None:
    morning, afternoon = seed(startTime="09:00", attendance="absent"), seed(startTime="14:00", attendance="present")
    assert map_all(DataType.ATTENDANCE, morning, afternoon).overruled == 1
    assert map_all(DataType.ATTENDANCE, morning, morning).overruled == 0
    assert map_all(DataType.ATTENDANCE, morning | {"period": "1"}, afternoon | {"period": "2"}).overruled == 0
    assert map_all(DataType.ATTENDANCE, morning, afternoon | {"recordStatus": "deleted"}).overruled == 0


def test_of_two_rows_of_the_source_with_one_key_the_older_one_is_lost_too() -> None:
    at_nine = seed(attendance="absent", sourceId="r1", sourceUpdatedAt="2024-01-15T09:00:00Z")
    at_two = seed(attendance="present", sourceUpdatedAt="2024-01-15T14:00:00Z")
    for rows in ((at_nine, at_two | {"sourceId": "r2"}), (at_two | {"sourceId": "r2"}, at_nine)):
        assert map_all(DataType.ATTENDANCE, *rows).overruled == 1
    assert map_all(DataType.ATTENDANCE, at_nine, at_two | {"sourceId": "r1"}).overruled == 0, "states of one row"
    assert map_all(DataType.ATTENDANCE, at_nine, at_two).overruled == 0, "nothing says that it is another row"
    assert map_all(DataType.ATTENDANCE, at_nine, at_two).undecided == 1, "nor that it is the same"
    assert map_all(DataType.ATTENDANCE, at_nine, at_two | {"sourceUpdatedAt": None}).overruled == 1


def test_a_row_of_another_time_that_tells_no_id_is_undecided() -> None:
    at_nine = seed(attendance="absent", sourceUpdatedAt="2024-01-15T09:00:00Z")
    at_two = seed(attendance="present", sourceUpdatedAt="2024-01-15T14:00:00Z")
    for rows in permutations((at_nine, at_two)):
        batch = map_all(DataType.ATTENDANCE, *rows, *rows)
        (record,) = batch.records
        assert (record["data"]["attendance"], batch.overruled, batch.undecided) == ("present", 0, 1)
    with_ids = [at_nine | {"sourceId": "r1"}, at_two | {"sourceId": "r1"}]
    assert map_all(DataType.ATTENDANCE, *with_ids).undecided == 0, "states of one row"
    assert map_all(DataType.ATTENDANCE, at_nine, at_two | {"attendance": "absent"}).undecided == 0, "they say the same"
    assert map_all(DataType.ATTENDANCE, at_nine, at_two | {"recordStatus": "deleted"}).undecided == 0
    parts = compiled(DataType.ATTENDANCE).map_batch([at_nine, at_two], observed_at=OBSERVED, is_partial=True)
    assert parts.undecided == 0, "what is pushed says what has changed"


@pytest.mark.parametrize("untold", ["", None])
def test_an_empty_id_tells_no_row(untold: str | None) -> None:
    def row(attendance: str, hour: int, source_id: str | None) -> Canonical:
        version = f"2024-01-15T{hour:02}:00:00.000000Z"
        return {"key": "k", "data": {}, "hash": attendance, "version": version, "sourceId": source_id}

    rows = [row("absent", 9, "r1"), row("present", 14, untold)]
    assert settle_alike(rows, OBSERVED_TEXT, is_partial=False) == ([rows[1]], Losses(undecided=1))
    rows[1]["deleted"] = True
    assert settle_alike(rows, OBSERVED_TEXT, is_partial=False) == ([rows[1]], Losses()), "it means the record"


def test_two_rows_of_one_time_contradict_each_other_though_a_newer_one_is_kept() -> None:
    rows = [
        seed(attendance=attendance, sourceUpdatedAt=f"2024-01-15T{hour}:00:00Z")
        for attendance, hour in (("absent", "09"), ("late", "10"), ("present", "09"))
    ]
    for ordered in permutations(rows):
        batch = map_all(DataType.ATTENDANCE, *ordered)
        assert (batch.overruled, batch.undecided) == (1, 1)
    assert map_all(DataType.ATTENDANCE, rows[0], rows[2], rows[0]).overruled == 1, "each row that is lost counts once"


def test_a_delete_between_two_rows_hides_neither() -> None:
    rows = [seed(attendance="present", sourceId="r2"), seed(attendance="absent", sourceId="r3")]
    rows.insert(1, seed(recordStatus="deleted", sourceId="r1"))
    assert map_all(DataType.ATTENDANCE, *rows).overruled == 1


def test_a_partial_record_of_a_new_row_is_not_joined_with_the_row_that_is_gone() -> None:
    mapping = compiled(DataType.STUDENTS, rules=[*RULES, {"to": "sourceId", "from": "id"}], deleted="gone")
    old = {"roll": "7", "name": "old", "sec": "A", "id": "r1"}
    new = {"roll": "7", "name": "new", "id": "r2"}
    gone = old | {"gone": True}
    for parts in ([old, gone, new], [old, new, gone]):
        record, delete = mapping.map_batch(parts, observed_at=OBSERVED, is_partial=True).records
        assert (record["data"], delete["sourceId"]) == ({"studentId": "7", "name": "new"}, "r1")


def test_a_delete_of_one_row_takes_the_record_of_no_other_row_with_it() -> None:
    live = seed(sourceId="r9", sourceUpdatedAt="2024-01-15T09:00:00Z")
    gone = seed(sourceId="r7", sourceUpdatedAt="2024-01-16T09:00:00Z", recordStatus="deleted")
    older = seed(name="Old", sourceId="r7", sourceUpdatedAt="2024-01-15T10:00:00Z")
    for rows, is_partial in product(permutations((live, gone, older)), (False, True)):
        batch = compiled(DataType.ATTENDANCE).map_batch(rows, observed_at=OBSERVED, is_partial=is_partial)
        record, delete = batch.records
        assert (record["sourceId"], record["data"]["name"]) == ("r9", "John Doe")
        assert (delete["key"], delete["data"], delete["sourceId"], delete["deleted"]) == ("", {}, "r7", True)
        assert (batch.duplicates, batch.overruled) == (1, 0), "of the row that is gone nothing is lost"


@pytest.mark.parametrize("untold", ["live", "gone"])
def test_a_delete_means_the_record_where_it_or_the_record_tells_no_row(untold: str) -> None:
    rows = {
        "live": seed(sourceId="r9", sourceUpdatedAt="2024-01-15T09:00:00Z"),
        "gone": seed(sourceId="r7", sourceUpdatedAt="2024-01-16T09:00:00Z", recordStatus="deleted"),
    }
    del rows[untold]["sourceId"]
    (record,) = map_all(DataType.ATTENDANCE, *rows.values()).records
    assert record["deleted"]


def test_deletes_of_several_rows_with_one_key_are_all_kept() -> None:
    rows = [seed(sourceId=row, recordStatus="deleted") for row in ("r7", "r8", "r7", "r9")]
    batch = map_all(DataType.ATTENDANCE, *rows)
    assert sorted((record["sourceId"], record["key"] == "") for record in batch.records) == [
        ("r7", True),
        ("r8", True),
        ("r9", False),
    ]
    assert batch.duplicates == 1


def test_the_version_is_the_source_s_own_time_but_never_later_than_the_observation() -> None:
    updated = {"to": "updatedAt", "from": "modified", "do": [["datetime", "%d/%m/%Y %H:%M"]]}

    def version(modified: object) -> object:
        return map_one(DataType.ATTENDANCE, seed(modified=modified), updatedAt=updated)["version"]

    assert version("15/01/2024 09:30") == "2024-01-15T04:00:00.000000Z"
    assert version("15/01/2099 09:30") == OBSERVED_TEXT
    assert version(None) == OBSERVED_TEXT
    assert issues_of(DataType.ATTENDANCE, seed(modified="soon"), updatedAt=updated) == {
        "/sourceUpdatedAt": "wrong_format"
    }


def test_the_hash_covers_the_data_and_nothing_volatile() -> None:
    def hash_of(record: dict[str, object], observed: datetime = OBSERVED) -> object:
        mapping = compiled(sourceId="pk", updatedAt={"to": "x", "from": "at"})
        return mapping.map_batch([record], observed_at=observed).records[0]["hash"]

    reference = hash_of(SEED_EXAMPLE)
    assert hash_of(dict(reversed(SEED_EXAMPLE.items()))) == reference
    assert hash_of(seed(pk=5, at="2024-01-01T00:00:00Z", unmapped="x")) == reference
    assert hash_of(SEED_EXAMPLE, datetime(2025, 1, 1, tzinfo=UTC)) == reference
    assert hash_of(seed(attendance="PRESENT ")) == reference
    assert hash_of(seed(name="Jane")) != reference
    assert isinstance(reference, str)
    assert len(reference) == 32


def test_an_unchanged_number_has_an_unchanged_hash() -> None:
    marks = {"studentId": "1", "subjectId": "S", "examId": "E"}
    hashes = {map_one(DataType.MARKS, {**marks, "marksObtained": raw})["hash"] for raw in (8, 8.0, "8", "8.00")}
    assert len(hashes) == 1


def test_a_delete_needs_only_the_key() -> None:
    mapped = map_one(
        DataType.ATTENDANCE,
        {"studentId": "1", "date": "2024-01-15", "subject": "x", "name": ["broken"], "gone": "yes", "pk": 9},
        deleted="gone",
        sourceId="pk",
    )
    assert mapped["deleted"] is True
    assert mapped["data"] == {"studentId": "1", "date": "2024-01-15", "subject": "x"}
    assert (mapped["key"], mapped["sourceId"]) == ('["1","2024-01-15","x",""]', "9")
    assert issues_of(DataType.ATTENDANCE, {"studentId": "1", "gone": 1}, deleted="gone") == {"/date": "missing"}


def test_a_delete_differs_from_the_record_it_deletes() -> None:
    record = {"id": 1}
    mapping = {"key": ["id"], "rules": [{"to": "id", "from": "id"}], "deleted": "gone"}
    kept = map_one(DataType.CUSTOM, record, **mapping)
    gone = map_one(DataType.CUSTOM, {**record, "gone": True}, **mapping)
    assert (kept["key"], kept["data"]) == (gone["key"], gone["data"])
    assert kept["hash"] != gone["hash"]


@pytest.mark.parametrize(
    ("marker", "deleted"),
    [
        (True, True), (1, True), ("1", True), ("Yes", True), ("tobedeleted", True), ("2024-01-15T09:30:00Z", True),
        ("2024-01-15", True), (1705311000, True), (False, False), (0, False), ("", False), (None, False),
        ("false", False), ("No", False), ("active", False),
    ],
)  # fmt: skip
def test_a_delete_marker_is_read(marker: object, deleted: bool) -> None:
    assert ("deleted" in map_one(DataType.ATTENDANCE, seed(gone=marker), deleted="gone")) is deleted


@pytest.mark.parametrize("marker", ["enrolled", "on", 2, 5.5, [], {"a": 1}, "suspended"])
def test_a_path_to_something_else_deletes_nothing(marker: object) -> None:
    assert issues_of(DataType.ATTENDANCE, seed(gone=marker), deleted="gone") == {"/deleted": "not_a_delete_marker"}


def test_a_record_status_of_deleted_is_a_delete() -> None:
    rules = [{"to": "recordStatus", "from": "docstatus", "do": [["map", {"2": "deleted", "1": "active"}]]}]
    assert map_one(DataType.ATTENDANCE, seed(docstatus=2), rules=rules)["deleted"] is True
    kept = map_one(DataType.ATTENDANCE, seed(docstatus=1), rules=rules)
    assert kept["data"] == {**SEED_EXAMPLE, "recordStatus": "active"}
    assert "deleted" not in kept


def test_a_record_that_no_message_could_carry_is_rejected() -> None:
    rules = [{"to": f"copy{number}", "from": "text"} for number in range(50)]
    record = {"id": 1, "text": "x" * 1_000}
    assert issues_of(DataType.CUSTOM, record, key=["id"], rules=rules) == {"": "too_large"}
    assert map_one(DataType.CUSTOM, record, key=["id"], rules=rules[:1])["key"] == '["1"]'


def test_shapes_beyond_the_remembered_ones_map_alike() -> None:
    mapping = compiled()
    rows = [{f"noise{number}": 1, **SEED_EXAMPLE, "student_id": "wrong"} for number in range(200)]
    batch = mapping.map_batch(rows, observed_at=OBSERVED)
    assert (len(batch.records), batch.duplicates) == (1, 199)
    assert batch.records[0]["data"] == SEED_EXAMPLE


RULES = [
    {"to": "studentId", "from": "roll"},
    {"to": "phone", "from": ["contact.mobile", "mobile"]},
    {"to": "section", "from": "sec", "default": "A"},
    {"to": "externalIds.erp", "from": "erp"},
]


def test_a_partial_record_leaves_alone_what_it_does_not_mention() -> None:
    mapping = compiled(DataType.STUDENTS, rules=RULES)
    push = {"roll": "7", "name": "Asha"}
    (pushed,) = mapping.map_batch([push], observed_at=OBSERVED, is_partial=True).records
    assert pushed["data"] == {"studentId": "7", "name": "Asha"}
    (polled,) = mapping.map_batch([push], observed_at=OBSERVED).records
    assert polled["data"] == {"studentId": "7", "name": "Asha", "phone": None, "section": "A", "externalIds": {}}


@pytest.mark.parametrize("said", [{"mobile": None}, {"contact": {"mobile": ""}}])
def test_a_partial_record_clears_what_it_says_null_of(said: dict[str, object]) -> None:
    mapping = compiled(DataType.STUDENTS, rules=RULES)
    (pushed,) = mapping.map_batch([{"roll": "7", "name": "A", **said}], observed_at=OBSERVED, is_partial=True).records
    assert pushed["data"] == {"studentId": "7", "name": "A", "phone": None}


PARTS = [{"roll": "7", "name": "A", "sec": "B"}, {"roll": "7", "mobile": "99", "name": "Asha", "id": 5}]


def test_partial_records_of_one_key_are_one_that_says_what_both_say_the_later_where_they_differ() -> None:
    mapping = compiled(DataType.STUDENTS, rules=RULES)
    batch = mapping.map_batch(PARTS, observed_at=OBSERVED, is_partial=True)
    assert batch.duplicates == 1
    (whole,) = mapping.map_batch([PARTS[0] | PARTS[1]], observed_at=OBSERVED, is_partial=True).records
    assert batch.records == [whole]
    assert batch.records[0]["data"].json == whole["data"].json
    assert whole["data"] == {"studentId": "7", "name": "Asha", "phone": "99", "section": "B"}


def test_of_partial_records_of_one_key_the_one_with_the_later_time_is_the_later() -> None:
    mapping = compiled(DataType.STUDENTS, rules=[*RULES, {"to": "sourceUpdatedAt", "from": "at"}])
    times = ["2024-01-02T09:00:02Z", "2024-01-02T09:00:01Z"]
    batch = mapping.map_batch(
        [part | {"at": at} for part, at in zip(PARTS, times, strict=True)], observed_at=OBSERVED, is_partial=True
    )
    assert batch.records[0]["data"] == {"studentId": "7", "name": "A", "phone": "99", "section": "B"}
    assert batch.records[0]["version"].startswith("2024-01-02T09:00:02")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_partial_records_of_one_key_each_field_is_the_latest_in_whatever_order_they_stand(
    order: Sequence[int],
) -> None:
    mapping = compiled(DataType.STUDENTS, rules=[*RULES, {"to": "sourceUpdatedAt", "from": "at"}])
    parts = [
        {"roll": "7", "name": "first", "sec": "A", "mobile": "99", "at": "2024-01-02T09:00:01Z"},
        {"roll": "7", "name": "second", "sec": "B", "at": "2024-01-02T09:00:02Z"},
        {"roll": "7", "name": "third", "at": "2024-01-02T09:00:03Z"},
    ]
    batch = mapping.map_batch([parts[place] for place in order], observed_at=OBSERVED, is_partial=True)
    assert batch.duplicates == 2
    assert batch.records[0]["data"] == {"studentId": "7", "name": "third", "section": "B", "phone": "99"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_a_partial_record_said_before_a_delete_is_not_joined_with_what_came_after(order: Sequence[int]) -> None:
    rules = [*RULES, {"to": "sourceUpdatedAt", "from": "at"}]
    mapping = compiled(DataType.STUDENTS, rules=rules, deleted="gone")
    parts = [
        {"roll": "7", "name": "first", "sec": "A", "at": "2024-01-02T09:00:01Z"},
        {"roll": "7", "name": "second", "gone": True, "at": "2024-01-02T09:00:02Z"},
        {"roll": "7", "name": "third", "at": "2024-01-02T09:00:03Z"},
    ]
    batch = mapping.map_batch([parts[place] for place in order], observed_at=OBSERVED, is_partial=True)
    assert batch.records[0]["data"] == {"studentId": "7", "name": "third"}


def test_a_partial_record_and_a_delete_of_it_are_not_joined() -> None:
    mapping = compiled(DataType.STUDENTS, rules=RULES, deleted="gone")
    for parts, is_deleted in (([*PARTS, {"roll": "7", "name": "A", "gone": True}], True), (PARTS, False)):
        (record,) = mapping.map_batch(parts, observed_at=OBSERVED, is_partial=True).records
        assert ("deleted" in record) is is_deleted
        assert ("phone" in record["data"]) is not is_deleted


def test_a_partial_record_without_a_required_field_is_rejected_with_the_reason() -> None:
    batch = compiled(DataType.STUDENTS, rules=RULES).map_batch([{"name": "A"}], observed_at=OBSERVED, is_partial=True)
    assert [issue["pointer"] for issue in batch.rejects[0].issues] == ["/studentId"]
