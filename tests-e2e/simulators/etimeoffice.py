"""eTimeOffice (TeamOffice cloud): days with first and last punch, raw punches by window or by a record that goes on.

Of its habits: a Basic user name of several parts, dates as dd/MM/yyyy, ``--:--`` for no time, ``Error`` as a flag or as
text within 200, an array here and an envelope there, a cursor such as ``032026$5012`` that moves on with the answers.
"""

import base64
from collections import defaultdict
from datetime import datetime, timedelta

from hub_model.records import DataType
from hub_standalone.demo.simulated.punches import DEVICES
from hub_standalone.demo.simulated.simulator import Refused, Simulator, json, same
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.simulated.times import canonical, in_india, local
from hub_standalone.demo.world import INDIA, Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_BATCH = 1000  # the most that one answer to DownloadLastPunchData holds
_STAMP = "%d/%m/%Y %H:%M:%S"


class ETimeOffice(Simulator):
    """A person who did not punch is absent on every day on which anybody did, from the day on that brought them."""

    name = "etimeoffice"
    base_path = "/api"
    expresses = frozenset({DataType.STUDENTS, DataType.ATTENDANCE})
    corporate_id, user_name, password = "riverside", "hub", "eTime!office"

    def routes(self) -> list[Route]:
        return [
            Route("/api/DownloadPunchData", self._punches),
            Route("/api/DownloadPunchDataMCID", self._punches_with_device),
            Route("/api/DownloadInOutPunchData", self._days),
            Route("/api/DownloadLastPunchData", self._last),
        ]

    def connection(self) -> Row:
        user = {"corporateId": self.corporate_id, "userName": self.user_name, "password": self.password}
        return {**user, "since": "2026-02-01"}

    def not_found(self) -> Response:
        return json({"Message": "No HTTP resource was found that matches the request URI."}, 404)

    async def _punches(self, request: Request) -> Response:
        """The plain list."""
        rows = [self._punch(entry) for entry in self._within(request, "%d/%m/%Y_%H:%M")]
        return json([{name: row[name] for name in ("Empcode", "PunchDate")} for row in rows])

    async def _punches_with_device(self, request: Request) -> Response:
        rows = [{**self._punch(e), "mcid": _device(e)} for e in self._within(request, "%d/%m/%Y_%H:%M")]
        return json({"Error": False, "Msg": "Success", "IsAdmin": True, "PunchData": rows})

    async def _days(self, request: Request) -> Response:
        first, last = self._window(request, "%d/%m/%Y")
        wanted = request.query_params.get("Empcode", "ALL")
        rows = [
            _day(row, self.campus.students.get(row["studentId"]).row)
            for row in self._all_days()
            if first.date().isoformat() <= row["date"] <= last.date().isoformat()
        ]
        found = [row for row in rows if wanted in ("ALL", row["Empcode"])]
        return json({"Error": False, "Msg": "Success", "IsAdmin": True, "InOutPunchData": found})

    async def _last(self, request: Request) -> Response:
        """What came after ``LastRecord``, at most a thousand punches; nothing new gives the same mark again."""
        self._admit(request)
        text = request.query_params.get("LastRecord", "")
        month, dollar, after = text.partition("$")
        if not (dollar and len(month) == 6 and month.isdecimal() and after.isdecimal()):
            return json({"Error": "true", "Msg": "LastRecord is not valid"})
        rows = [entry for entry in self.campus.punches if entry.number > int(after)][:_BATCH]
        punches = [{**self._punch(e), "mcid": _device(e), "ID": e.number, "Table": _month(e)} for e in rows]
        mark = f"{_month(rows[-1])}${rows[-1].number}" if rows else text
        return json({"Error": False, "Msg": "Success", "IsAdmin": True, "PunchData": punches, "MaxRecord": mark})

    def _within(self, request: Request, form: str) -> list[Entry]:
        first, last = self._window(request, form)
        wanted = request.query_params.get("Empcode", "ALL")
        return [
            entry
            for entry in self.campus.punches
            if first <= datetime.fromisoformat(entry.row["punchedAt"]) <= last + timedelta(seconds=59)
            and wanted in ("ALL", entry.row["personCode"])
        ]

    def _window(self, request: Request, form: str) -> tuple[datetime, datetime]:
        self._admit(request)
        try:
            texts = [request.query_params[name] for name in ("FromDate", "ToDate")]
            first, last = (datetime.strptime(text, form).replace(tzinfo=INDIA) for text in texts)
        except (KeyError, ValueError) as error:
            raise Refused(json({"Error": True, "Msg": "Invalid date format"})) from error
        return first, last

    def _punch(self, entry: Entry) -> Row:
        at = in_india(datetime.fromisoformat(entry.row["punchedAt"]), _STAMP)
        return {"Name": entry.row["name"], "Empcode": entry.row["personCode"], "PunchDate": at, "M_Flag": None}

    def _all_days(self) -> list[Row]:
        """A row for everybody on every day on which somebody punched; ``in`` and ``out`` are moments or None."""
        moments: dict[tuple[str, str], list[datetime]] = defaultdict(list)
        for row in self.campus.punches.rows:
            at = datetime.fromisoformat(row["punchedAt"])
            moments[row["studentId"], at.date().isoformat()].append(at)
        days = sorted({day for _, day in moments})
        log = self.campus.students.log
        came = {change.number: change.at.astimezone(INDIA).date().isoformat() for change in log if not change.before}
        rows = []
        for day in days:
            for entry in self.campus.students:
                student = entry.row
                if day < came.get(entry.number, ""):
                    continue
                seen = sorted(moments.get((student["studentId"], day), []))
                left = seen[-1] if seen and seen[-1] - seen[0] >= timedelta(minutes=1) else None
                rows.append(
                    {"studentId": student["studentId"], "date": day, "in": seen[0] if seen else None, "out": left}
                )
        return rows

    def _admit(self, request: Request) -> None:
        """The user name is of four parts; some clients send a colon after the last."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        expected = f"{self.corporate_id}:{self.user_name}:{self.password}:true"
        given = base64.b64decode(encoded).decode("latin-1").removesuffix(":") if scheme == "Basic" else ""
        if not same(given, expected):
            raise Refused(json({"Message": "Authorization has been denied for this request."}, 401))

    def true_students(self) -> list[Row]:
        return [{"studentId": row["biometricId"], "name": row["name"]} for row in self.campus.students.rows]

    def true_attendance(self) -> list[Row]:
        """Times are whole minutes here. Names are left out: a hub has those of the day on which it read the row."""
        rows = []
        for day in self._all_days():
            student = self.campus.students.get(day["studentId"]).row
            row = {"studentId": student["biometricId"], "date": day["date"]}
            row["attendance"] = "present" if day["in"] else "absent"
            for field, moment in (("checkInAt", day["in"]), ("checkOutAt", day["out"])):
                if moment:
                    row[field] = canonical(local(day["date"], in_india(moment, "%H:%M")))
            rows.append(row)
        return rows


def _day(row: Row, student: Row) -> Row:
    spent = row["out"] - row["in"] if row["out"] else timedelta(0)
    minutes = int(spent.total_seconds()) // 60
    return {
        "Empcode": student["biometricId"],
        "Name": student["name"],
        "DateString": "/".join(reversed(row["date"].split("-"))),
        "INTime": in_india(row["in"], "%H:%M") if row["in"] else "--:--",
        "OUTTime": in_india(row["out"], "%H:%M") if row["out"] else "--:--",
        "WorkTime": f"{minutes // 60:02}:{minutes % 60:02}",
        "OverTime": "00:00",
        "BreakTime": "00:00",
        "Status": "P" if row["in"] else "A",
        "Remark": "" if row["out"] or not row["in"] else "MIS",
        "Late_In": "00:00",
        "Erl_Out": "00:00",
    }


def _device(entry: Entry) -> str:
    return str(DEVICES.index(entry.row["device"]) + 1)


def _month(entry: Entry) -> str:
    return datetime.fromisoformat(entry.row["uploadedAt"]).strftime("%m%Y")
