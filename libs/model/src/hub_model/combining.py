"""What is made of the rows of several streams: asked for one by one, joined, taken apart, put together."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from hub_model.base import FieldName, Input, check_time_zone
from hub_model.conditions import Conditions

# The name of a stream that is read for others: as their parent, or to join.
StreamName = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9_]{0,63}$")]


class Parent(Input):
    """Ask once for each row of another stream. ``{{ parent.id }}`` stands for the row's ``id``, URL-encoded in a path.

    ``include`` copies fields of the row into each record under ``parent``: ``{"course": "idnumber"}`` is then found at
    ``parent.course``. A row that the source refuses (403, 404, an error in the body) is left out, told, and makes the
    stream incomplete; ``on_error: fail`` ends the stream instead.
    """

    stream: StreamName
    when: Conditions = Field(default_factory=list)
    include: dict[FieldName, str] = Field(default_factory=dict, max_length=50)
    on_error: Literal["skip", "fail"] = "skip"


class Join(Input):
    """Put a row of another stream into each record: the one whose ``right`` equals the record's ``left``.

    Compared as text, so 57 joins "57". ``as`` is the record's new field; without a match it is missing, and the number
    of records without one is told. ``required`` makes that an error of the record. ``many`` puts a list of all rows.
    """

    stream: StreamName
    left: str = Field(min_length=1, max_length=256)
    right: str = Field(min_length=1, max_length=256)
    as_: FieldName = Field(alias="as")
    fields: dict[FieldName, str] = Field(default_factory=dict, max_length=50)
    required: bool = False
    many: bool = False


class Explode(Input):
    """One record for each entry of the list or object at ``path``, beside the record's other fields.

    The entry stands at ``as``, and an object's key at ``key_as``. A record without the list gives no record, unless
    ``on_no_records`` is ``emit_parent``. ``when`` looks at the entry.
    """

    path: str = Field(max_length=256)
    as_: FieldName = Field(default="item", alias="as")
    key_as: FieldName | None = None
    when: Conditions = Field(default_factory=list)
    on_no_records: Literal["skip", "emit_parent"] = "skip"


class Punches(Input):
    """Attendance from the punches of a device: one record per person and day, with the first and the last punch.

    A day begins at ``day_start`` where the college is. Punches less than ``duplicate_within`` apart are one. Status:
    ``present`` from ``present_from`` between first and last punch (or always, if unset), ``half_day`` from
    ``half_day_from``, ``absent`` below; ``late`` for a first punch after ``late_after``. A single punch is present with
    no check-out. Paths lead into the punch's record: ``person``, ``punched_at`` (written as ``datetime_format``: "iso",
    "epoch_s", "epoch_ms" or a strftime format) and ``direction`` (in or out, in the words or numbers of devices).
    """

    type: Literal["punches"] = "punches"
    person: str
    punched_at: str
    datetime_format: str = "iso"
    time_zone: Annotated[str, AfterValidator(check_time_zone)] | None = None
    direction: str | None = None
    day_start: timedelta = Field(default=timedelta(hours=4), ge=timedelta(0), lt=timedelta(days=1))
    duplicate_within: timedelta = Field(default=timedelta(seconds=60), ge=timedelta(0))
    late_after: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    present_from: timedelta | None = None
    half_day_from: timedelta | None = None


class GroupBy(Input):
    """One record for each value at ``by``: the last row of the group, with what ``collect`` gathers from all of them.

    ``collect`` maps a new field to a path; its value is the list of the different values there.
    """

    type: Literal["group"] = "group"
    by: str
    collect: dict[FieldName, str] = Field(default_factory=dict, max_length=20)


Derive = Annotated[Punches | GroupBy, Field(discriminator="type")]
