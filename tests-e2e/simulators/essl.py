"""eSSL eTimeTrackLite: one SOAP call that gives a device's punches as lines of text within XML.

Of its habits: credentials within the body, a refusal that is text within 200, one call for each device, a column that
some builds leave out, CR LF between lines.
"""

from datetime import datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.punches import DEVICES, days_of
from hub_standalone.demo.simulated.simulator import Simulator, same
from hub_standalone.demo.simulated.times import in_india
from hub_standalone.demo.world import INDIA, Row
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_TEMPURI = "http://tempuri.org/"


class Essl(Simulator):
    """Takes ``FromDateTime`` and the older ``FromDate``. Without ``has_directions`` lines have two columns."""

    name = "essl-soap"
    expresses = frozenset({DataType.ATTENDANCE})
    user_name, password = "hubapi", "essl&<api>"

    def __init__(self, campus: Campus | None = None, *, seed: int = 0, has_directions: bool = True) -> None:
        super().__init__(campus, seed=seed)
        self._has_directions = has_directions

    def routes(self) -> list[Route]:
        return [Route("/iclock/WebAPIService.asmx", self._call, methods=["POST"])]

    def connection(self) -> Row:
        user = {"userName": self.user_name, "password": self.password}
        return {**user, "serialNumbers": list(DEVICES), "since": "2026-02-01"}

    def not_found(self) -> Response:
        return Response("<html><body>The resource cannot be found.</body></html>", 404, media_type="text/html")

    async def _call(self, request: Request) -> Response:
        if request.headers.get("soapaction", "").strip('"') != f"{_TEMPURI}GetTransactionsLog":
            return _fault("Server did not recognize the value of HTTP Header SOAPAction")
        try:
            body = ElementTree.fromstring(await request.body())
        except ElementTree.ParseError:
            return _fault("Server was unable to read request")
        given = {element.tag.rpartition("}")[2]: element.text or "" for element in body.iter()}
        if not (same(given.get("UserName"), self.user_name) and same(given.get("UserPassword"), self.password)):
            return _answer("Unathorised", "")
        try:
            first, last = (_moment(given.get(f"{n}DateTime") or given.get(f"{n}Date", "")) for n in ("From", "To"))
        except ValueError:
            return _fault("String was not recognized as a valid DateTime")
        lines = [
            self._line(row)
            for row in self.campus.punches.rows
            if row["device"] == given.get("SerialNumber") and first <= datetime.fromisoformat(row["punchedAt"]) <= last
        ]
        return _answer(f"Logs Count:{len(lines)}", "".join(f"{line}\r\n" for line in lines))

    def _line(self, row: Row) -> str:
        line = f"{row['personCode']}\t{in_india(datetime.fromisoformat(row['punchedAt']))}"
        return f"{line}\t{row['direction']}" if self._has_directions else line

    def true_attendance(self) -> list[Row]:
        return days_of(self.campus.punches.rows)


def _moment(text: str) -> datetime:
    """``yyyy-MM-dd HH:mm``, with seconds or without, with a T or without."""
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


def _answer(result: str, lines: str) -> Response:
    text = escape(lines, {"\t": "&#9;", "\r": "&#13;", "\n": "&#10;"})
    response = f'<GetTransactionsLogResponse xmlns="{_TEMPURI}">'
    response += f"<GetTransactionsLogResult>{result}</GetTransactionsLogResult><strDataList>{text}</strDataList>"
    return _envelope(f"{response}</GetTransactionsLogResponse>", 200)


def _fault(message: str) -> Response:
    code = "<faultcode>soap:Client</faultcode>"
    return _envelope(f"<soap:Fault>{code}<faultstring>{message}</faultstring></soap:Fault>", 500)


def _envelope(body: str, status: int) -> Response:
    head = '<?xml version="1.0" encoding="utf-8"?><soap:Envelope '
    head += 'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    return Response(f"{head}{body}</soap:Body></soap:Envelope>", status, None, "text/xml; charset=utf-8")
