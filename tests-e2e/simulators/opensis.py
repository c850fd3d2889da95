"""openSIS Classic: everything at once, in objects within objects whose keys are data; refusals are 200."""

from typing import Any
from xml.sax.saxutils import escape

from hub_model.records import DataType
from hub_standalone.demo.simulated.simulator import Refused, Simulator, json, only, same
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.world import Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_SCHOOL = "Riverside College"
_YEAR = "2026"
_EVERY_NTH_HAS_NO_OTHER_ID = 80


class OpenSis(Simulator):
    """Both keys go into the query. Some students have no ``ALT_ID`` and are known by ``STUDENT_ID`` alone."""

    name = "opensis"
    expresses = frozenset({DataType.STUDENTS, DataType.FACULTY})
    api_key, api_secret = "opensis-key", "opensis-Secret&more"

    def routes(self) -> list[Route]:
        return [
            Route("/api/StudentEnrollmentInfo.php", self._students),
            Route("/api/StaffInfo.php", self._staff),
            Route("/api/SchoolInfo.php", self._school),
        ]

    def connection(self) -> Row:
        return {"apiKey": self.api_key, "apiSecret": self.api_secret, "schoolYear": _YEAR}

    def not_found(self) -> Response:
        return Response("<html><body><h1>Not Found</h1></body></html>", 404, None, "text/html")

    async def _students(self, request: Request) -> Response:
        return self._dump(request, {_SCHOOL: {str(e.number): _student(e) for e in self.campus.students}})

    async def _staff(self, request: Request) -> Response:
        return self._dump(request, {_SCHOOL: {str(e.number): _member(e) for e in self.campus.faculty}})

    async def _school(self, request: Request) -> Response:
        return self._dump(request, {_SCHOOL: {"1": {"SCHOOL_ID": "1", "TITLE": _SCHOOL, "CITY": "Pune"}}})

    def _dump(self, request: Request, schools: Row) -> Response:
        query = request.query_params
        if not (same(query.get("api_key"), self.api_key) and same(query.get("api_secret"), self.api_secret)):
            raise Refused(json({"error": "Invalid Credentials."}))
        body = {"data": {_YEAR: schools} if query.get("sch_year", _YEAR) == _YEAR else []}
        if query.get("format", "json") == "json":
            return json(body)
        return Response(f'<?xml version="1.0"?>\n<root>{_element(body)}</root>', media_type="text/xml")

    def true_students(self) -> list[Row]:
        names = ("name", "firstName", "lastName", "dateOfBirth", "gender", "semester", "section")
        return [{"studentId": _other_id(e) or str(e.number), **only(e.row, *names)} for e in self.campus.students]

    def true_faculty(self) -> list[Row]:
        names = ("firstName", "lastName", "email")
        return [
            {
                "facultyId": e.row["facultyId"],
                "name": f"{e.row['firstName']} {e.row['lastName']}",
                **only(e.row, *names),
            }
            for e in self.campus.faculty
        ]


def _student(entry: Entry) -> Row:
    """Two enrolments, the last of which counts."""
    row = entry.row
    common = {"SCHOOL": _SCHOOL, "DROP_DATE": "", "SECTION": row["section"]}
    return {
        "STUDENT_ID": str(entry.number),
        "ALT_ID": _other_id(entry),
        "FIRST_NAME": row["firstName"],
        "MIDDLE_NAME": "",
        "LAST_NAME": row["lastName"],
        "GENDER": row["gender"].capitalize(),
        "DOB": row["dateOfBirth"],
        "ENROLLMENT_INFO": {
            "1": {**common, "GRADE": str(int(row["semester"]) - 1), "START_DATE": "2025-08-01"},
            "2": {**common, "GRADE": row["semester"], "START_DATE": "2026-01-05"},
        },
    }


def _member(entry: Entry) -> Row:
    row = entry.row
    names = {"FIRST_NAME": row["firstName"], "MIDDLE_NAME": "", "LAST_NAME": row["lastName"]}
    return {
        "STAFF_ID": str(entry.number),
        "ALT_ID": row["facultyId"],
        **names,
        "EMAIL": row["email"],
        "PROFILE": "teacher",
    }


def _other_id(entry: Entry) -> str:
    return "" if entry.number % _EVERY_NTH_HAS_NO_OTHER_ID == 0 else str(entry.row["studentId"])


def _element(value: Any) -> str:
    if not isinstance(value, dict):
        return escape(str(value))
    return "".join(f'<item key="{escape(name)}">{_element(inner)}</item>' for name, inner in value.items())
