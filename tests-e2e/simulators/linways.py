"""Linways AMS: a bare token, page numbers in parameters with an underscore, counts and page numbers as text."""

from hub_model.records import DataType
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, only, same
from hub_standalone.demo.world import Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_MAX_PAGE = 500


class Linways(Simulator):
    """Only students are documented in public; staff here has the same shape."""

    name = "linways"
    base_path = "/api/v1"
    expresses = frozenset({DataType.STUDENTS, DataType.FACULTY})
    token = "lnw-9f2c7a51e08b"

    def routes(self) -> list[Route]:
        return [Route("/api/v1/students", self._students), Route("/api/v1/staff", self._staff)]

    def connection(self) -> Row:
        return {"token": self.token, "staffPath": "/staff"}

    def not_found(self) -> Response:
        return json({"success": False, "message": "Not Found"}, 404)

    async def _students(self, request: Request) -> Response:
        rows = [
            {"id": str(e.number), "name": e.row["name"], "admissionNumber": e.row["studentId"]}
            for e in self.campus.students
        ]
        return self._page(request, rows)

    async def _staff(self, request: Request) -> Response:
        rows = [
            {"id": str(e.number), "name": e.row["name"], "staffCode": e.row["facultyId"]} for e in self.campus.faculty
        ]
        return self._page(request, rows)

    def _page(self, request: Request, rows: list[Row]) -> Response:
        if not same(request.headers.get("authorization"), self.token):
            raise Refused(json({"success": False, "message": "Unauthorized"}, 401))
        texts = [request.query_params.get(name, default) for name, default in (("_page", "1"), ("_pageSize", "50"))]
        if not all(text.isdecimal() and int(text) for text in texts):
            return json({"success": False, "message": "_page and _pageSize must be positive"}, 422)
        page, size = int(texts[0]), min(int(texts[1]), _MAX_PAGE)
        start = (page - 1) * size
        shown = cut(rows, start, size)
        meta = {
            "totalRecords": str(len(rows)),
            "currentPage": str(page),
            "hasNextPage": start + size < len(rows),
            "recordsFrom": str(start + 1),
            "recordsTo": str(start + len(shown)),
        }
        return json({"data": shown, "_meta": meta})

    def true_students(self) -> list[Row]:
        return [only(row, "studentId", "name") for row in self.campus.students.rows]

    def true_faculty(self) -> list[Row]:
        return [only(row, "facultyId", "name") for row in self.campus.faculty.rows]
