"""A Hikvision terminal (ISAPI): HTTP Digest, searches by POST with a position in the body, thirty events at a time.

Of its habits: no ``InfoList`` where nothing matches, events of the door among those of people, "MORE" until the end.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.punches import days_of
from hub_standalone.demo.simulated.simulator import Refused, Simulator, cut, json, same
from hub_standalone.demo.simulated.tables import Entry
from hub_standalone.demo.world import Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_REALM = "DS-K1T804"
_PART = re.compile(r'(\w+)=(?:"([^"]*)"|([^,\s]+))')
_MAX_RESULTS = 30
_EVERY_NTH_IS_A_DOOR = 40


class Hikvision(Simulator):
    """All punches are this terminal's. A nonce holds for ``nonce_uses`` requests, then the answer is ``stale``."""

    name = "hikvision"
    expresses = frozenset({DataType.STUDENTS, DataType.ATTENDANCE})
    username, password = "admin", "Hik-vision1"

    def __init__(
        self, campus: Campus | None = None, *, seed: int = 0, algorithm: str = "MD5", nonce_uses: int = 200
    ) -> None:
        super().__init__(campus, seed=seed)
        self._algorithm = algorithm
        self._nonce_uses = nonce_uses
        self._nonces: dict[str, set[str]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/ISAPI/System/deviceInfo", self._device, methods=["GET"]),
            Route("/ISAPI/AccessControl/AcsEvent", self._events, methods=["POST"]),
            Route("/ISAPI/AccessControl/UserInfo/Search", self._people, methods=["POST"]),
        ]

    def connection(self) -> Row:
        return {"username": self.username, "password": self.password, "since": "2026-02-01"}

    def not_found(self) -> Response:
        return _error(404, "invalidOperation", "notSupport")

    async def _device(self, request: Request) -> Response:
        self._admit(request)
        text = '<?xml version="1.0" encoding="UTF-8"?><DeviceInfo version="2.0"><model>DS-K1T804</model></DeviceInfo>'
        return Response(text, media_type="application/xml")

    async def _events(self, request: Request) -> Response:
        self._admit(request)
        wanted = await _condition(request, "AcsEventCond")
        first, last = (_moment(wanted, name) for name in ("startTime", "endTime"))
        minor = int(wanted.get("minor", 0))
        rows = [
            row
            for at, row in self.rendered("events", self._log)
            if (first is None or at >= first) and (last is None or at <= last) and minor in (0, row["minor"])
        ]
        return _found("AcsEvent", "InfoList", wanted, rows)

    def _log(self) -> Iterator[tuple[datetime, Row]]:
        """What happened, in order of time: people, and now and then the door alone."""
        for entry in sorted(self.campus.punches, key=lambda entry: str(entry.row["punchedAt"])):
            at = datetime.fromisoformat(entry.row["punchedAt"])
            if entry.number % _EVERY_NTH_IS_A_DOOR == 0:
                yield at, {"major": 5, "minor": 22, "time": at.isoformat(), "serialNo": 900_000 + entry.number}
            yield at, _event(entry)

    async def _people(self, request: Request) -> Response:
        self._admit(request)
        wanted = await _condition(request, "UserInfoSearchCond")
        rows = [
            {
                "employeeNo": entry.row["biometricId"],
                "name": entry.row["name"],
                "userType": "normal",
                "gender": entry.row["gender"],
                "Valid": {"enable": True, "beginTime": "2025-08-01T00:00:00", "endTime": "2035-08-01T00:00:00"},
            }
            for entry in self.campus.students
        ]
        return _found("UserInfoSearch", "UserInfo", wanted, rows)

    def _admit(self, request: Request) -> None:
        """RFC 7616 with ``qop=auth``: each count of a nonce is good for one request."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        given = {name: quoted or plain for name, quoted, plain in _PART.findall(rest)}
        nonce = given.get("nonce", "")
        if scheme.lower() != "digest" or not same(given.get("response"), self._expected(request, given)):
            raise Refused(self._challenge(is_stale=False))
        uses = self._nonces.get(nonce)
        if uses is None or given["nc"] in uses or len(uses) >= self._nonce_uses:
            raise Refused(self._challenge(is_stale=True))
        uses.add(given["nc"])

    def _expected(self, request: Request, given: dict[str, str]) -> str:
        digest = hashlib.sha256 if self._algorithm == "SHA-256" else hashlib.md5

        def hashed(text: str) -> str:
            return digest(text.encode()).hexdigest()

        uri = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if given.get("uri") != uri or given.get("username") != self.username or not given.get("nc"):
            return secrets.token_hex()
        secret = hashed(f"{self.username}:{_REALM}:{self.password}")
        parts = (given.get("nonce", ""), given["nc"], given.get("cnonce", ""), "auth")
        return hashed(f"{secret}:{':'.join(parts)}:{hashed(f'{request.method}:{uri}')}")

    def _challenge(self, *, is_stale: bool) -> Response:
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = set()
        text = f'Digest realm="{_REALM}", qop="auth", nonce="{nonce}", algorithm={self._algorithm}'
        headers = {"www-authenticate": f"{text}, stale=TRUE" if is_stale else text}
        return Response("<!DOCTYPE html><title>401 Unauthorized</title>", 401, headers, "text/html")

    def true_students(self) -> list[Row]:
        return [{"studentId": row["biometricId"], "name": row["name"]} for row in self.campus.students.rows]

    def true_attendance(self) -> list[Row]:
        return days_of(self.campus.punches.rows)


def _event(entry: Entry) -> Row:
    return {
        "major": 5,
        "minor": 75,
        "time": entry.row["punchedAt"],
        "employeeNoString": entry.row["personCode"],
        "name": entry.row["name"],
        "cardReaderNo": 1,
        "doorNo": 1,
        "serialNo": entry.number,
        "userType": "normal",
        "currentVerifyMode": "cardOrFaceOrFp",
        "attendanceStatus": "checkIn" if entry.row["direction"] == "in" else "checkOut",
    }


async def _condition(request: Request, name: str) -> Row:
    if request.query_params.get("format") != "json":
        raise Refused(_error(400, "Invalid Format", "badURLFormat"))
    try:
        wanted: Any = (await request.json())[name]
        is_whole = bool(wanted["searchID"]) and wanted["searchResultPosition"] >= 0 and wanted["maxResults"] > 0
    except (ValueError, KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise Refused(_error(400, "Invalid Content", "badParameters"))
    return dict(wanted)


def _moment(wanted: Row, name: str) -> datetime | None:
    return datetime.fromisoformat(wanted[name]) if wanted.get(name) else None


def _found(name: str, key: str, wanted: Row, rows: list[Row]) -> Response:
    start, size = wanted["searchResultPosition"], min(wanted["maxResults"], _MAX_RESULTS)
    page = cut(rows, start, size)
    word = "NO MATCH" if not page else "MORE" if start + size < len(rows) else "OK"
    head = {"searchID": wanted["searchID"], "totalMatches": len(rows), "responseStatusStrg": word}
    return json({name: {**head, "numOfMatches": len(page), **({key: page} if page else {})}})


def _error(status: int, text: str, code: str) -> Response:
    return json({"statusCode": 6, "statusString": text, "subStatusCode": code, "errorCode": 1}, status)
