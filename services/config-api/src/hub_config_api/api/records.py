"""The canonical records that arrived."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from hub_model.records import DataType
from hub_storage.records import RecordQuery
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from hub_config_api.access import TOKEN_REQUIRED, CurrentBackend, CurrentCaller, ManagedRoute
from hub_config_api.api.cursors import read_cursor, write_cursor
from hub_config_api.api.parameters import PageQuery
from hub_config_api.api.problems import problems
from hub_config_api.views.records import RecordPage, record_view

router = APIRouter(prefix="/api/records", route_class=ManagedRoute, tags=["records"], dependencies=[TOKEN_REQUIRED])


_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:")


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _written_out(value: object) -> object:
    """Seconds since the epoch, which pydantic would take as well, are too easily milliseconds."""
    if not isinstance(value, str) or not _DATE_AND_TIME.match(value):
        raise ValueError("write a date and a time with its zone, such as 2026-07-20T00:00:00Z")
    return value


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this time is out of range") from error


Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", json_schema_extra={"format": "date"}), AfterValidator(_day)]
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_utc)]


class RecordsQuery(PageQuery):
    """Which records."""

    student_id: str | None = Field(default=None, min_length=1, max_length=128, description="Only this student's.")
    date: Day | None = Field(default=None, description="Only records of this day, such as 2026-07-20.")
    updated_since: Moment | None = Field(
        default=None, description="Only what changed at or after this time, such as 2026-07-20T00:00:00Z."
    )
    include_deleted: bool = Field(default=False, description="Also records that the source has deleted.")


@router.get("/{dataType}", operation_id="listRecords", responses=problems())
async def list_records(
    data_type: Annotated[DataType, Path(alias="dataType", description="Which kind of records.")],
    backend: CurrentBackend,
    caller: CurrentCaller,
    query: Annotated[RecordsQuery, Query()],
) -> RecordPage:
    """The college's records of one type, from all its integrations, in the order of their keys."""
    wanted = {"studentId": query.student_id, "date": query.date}
    fields = {name: value for name, value in wanted.items() if value is not None}
    asked = [data_type, fields, query.updated_since, query.include_deleted]
    found = await backend.records.find(
        caller.college_id,
        data_type,
        RecordQuery(
            fields=fields,
            updated_since=query.updated_since,
            include_deleted=query.include_deleted,
            limit=query.limit + 1,
            after=read_cursor(asked, query.cursor) if query.cursor is not None else None,
        ),
    )
    shown = found[: query.limit]
    return RecordPage(
        items=[record_view(record) for record in shown],
        next_cursor=write_cursor(asked, shown[-1].key) if len(found) > query.limit else None,
    )
