"""The devices and their clouds as plain clients read them: punches by page, window, record and position."""

from datetime import date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from hub_standalone.demo.simulated.punches import DEVICES, days_of, punch
from hub_standalone.demo.simulated.times import local
from simulators import samples
from simulators.biotime import BioTime
from simulators.comparison import differences
from simulators.essl import Essl
from simulators.etimeoffice import ETimeOffice
from simulators.hikvision import Hikvision
from simulators.samples import misshapen
from simulators.serving import connect

Seen = set[tuple[str, str]]


def punches_of(campus: Campus) -> Seen:
    """Everybody's moments, to the second and without a zone."""
    return {(row["personCode"], row["punchedAt"][:19].replace("T", " ")) for row in campus.punches.rows}


async def test_biotime_gives_every_punch_page_by_page(campus: Campus) -> None:
    simulator = BioTime(campus)
    seen: Seen = set()
    async with connect(simulator) as client:
        refused = await client.get("/iclock/api/transactions/")
        login = await client.post("/jwt-api-token-auth/", json=simulator.connection())
        client.headers["authorization"] = f"JWT {login.json()['token']}"
        for page in range(1, 1000):
            params = {"page": str(page), "page_size": "500", "start_time": "2026-01-01 00:00:00"}
            body = (await client.get("/iclock/api/transactions/", params=params)).json()
            assert page > 1 or misshapen(samples.BIOTIME, body) == []
            seen |= {(row["emp_code"], row["punch_time"]) for row in body["data"]}
            if body["next"] is None:
                break
            assert not body["next"].startswith(simulator.origin)
        beyond = await client.get("/iclock/api/transactions/?page=9999&page_size=500")
        people = await client.get("/personnel/api/employees/?page_size=500")
        terminals = await client.get("/iclock/api/terminals/")
        malformed = await client.get("/iclock/api/transactions/?start_time=01/02/2026")
        simulator.expire()
        expired = await client.get("/personnel/api/departments/")
    assert seen == punches_of(campus)
    codes = [row["emp_code"] for row in people.json()["data"]]
    assert (len(codes), codes[0]) == (240, "00001")
    assert [row["sn"] for row in terminals.json()["data"]] == list(DEVICES)
    assert (refused.status_code, beyond.status_code, expired.status_code) == (401, 404, 401)
    assert (malformed.status_code, malformed.json()["code"]) == (200, -1)


async def test_biotime_narrows_by_the_time_of_the_punch_and_late_ones_come_late() -> None:
    simulator = BioTime()
    student = simulator.campus.students.rows[0]
    at = local("2026-03-16", "18:00")
    async with connect(simulator, headers={"authorization": f"Token {simulator.token}"}) as client:
        window = {"start_time": "2026-03-16 17:30:00", "end_time": "2026-03-16 18:00:00"}
        assert (await client.get("/iclock/api/transactions/", params=window)).json()["count"] == 0
        simulator.campus.punches.add(punch(student, at, "out", DEVICES[1], at + timedelta(hours=14)))
        body = (await client.get("/iclock/api/transactions/", params=window)).json()
    [row] = body["data"]
    assert (row["emp_code"], row["upload_time"], row["punch_state"]) == ("00001", "2026-03-17 08:00:00", "1")
    assert (body["next"], body["code"]) == (None, 0)


@pytest.mark.parametrize("is_licensed", [True, False])
async def test_biotime_refuses_a_wrong_password_and_what_is_not_licensed(campus: Campus, is_licensed: bool) -> None:
    simulator = BioTime(campus, is_licensed=is_licensed)
    async with connect(simulator, headers={"authorization": f"JWT {simulator.token}"}) as client:
        wrong = await client.post("/api-token-auth/", json={"username": "hub", "password": "wrong"})
        answer = await client.get("/personnel/api/departments/")
    assert wrong.status_code == 400
    assert answer.status_code == (200 if is_licensed else 403)
    assert ("IsNotOpenAPI" in answer.text) is not is_licensed


def etimeoffice_user() -> httpx2.BasicAuth:
    return httpx2.BasicAuth(f"{ETimeOffice.corporate_id}:{ETimeOffice.user_name}:{ETimeOffice.password}:true", "")


async def test_etimeoffice_goes_on_from_the_last_record_and_has_the_days(campus: Campus) -> None:
    simulator = ETimeOffice(campus)
    seen: Seen = set()
    mark = "012026$0"
    async with connect(simulator, auth=etimeoffice_user()) as client:
        while True:
            url = f"/api/DownloadLastPunchData?Empcode=ALL&LastRecord={mark}"
            body = (await client.get(url)).json()
            rows = body["PunchData"]
            seen |= {(row["Empcode"], day_first(row["PunchDate"])) for row in rows}
            if body["MaxRecord"] == mark:
                break
            assert misshapen(samples.ETIMEOFFICE, body) == []
            mark = body["MaxRecord"]
        window = {"Empcode": "ALL", "FromDate": "16/02/2026", "ToDate": "16/03/2026"}
        days = (await client.get("/api/DownloadInOutPunchData", params=window)).json()["InOutPunchData"]
        times = {**window, "FromDate": "01/01/2026_00:00", "ToDate": "16/03/2026_23:59"}
        plain = (await client.get("/api/DownloadPunchData", params=times)).json()
        wrapped = (await client.get("/api/DownloadPunchDataMCID", params=times)).json()
    assert seen == punches_of(campus)
    assert (rows, len(plain), len(wrapped["PunchData"])) == ([], len(seen), len(seen))
    assert set(plain[0]) == {"Empcode", "PunchDate"}
    attendance = [
        {
            "studentId": row["Empcode"],
            "name": row["Name"],
            "date": "-".join(reversed(row["DateString"].split("/"))),
            "attendance": {"P": "present", "A": "absent"}[row["Status"]],
            "checkInAt": utc(row["DateString"], row["INTime"]),
            "checkOutAt": utc(row["DateString"], row["OUTTime"]),
        }
        for row in days
    ]
    assert differences(DataType.ATTENDANCE, simulator.truth(DataType.ATTENDANCE), attendance) == []
    assert len(attendance) == 240 * 21
    assert any(row["INTime"] == "--:--" for row in days)


def day_first(text: str) -> str:
    return f"{text[6:10]}-{text[3:5]}-{text[:2]} {text[11:]}"


def utc(day: str, clock: str) -> str | None:
    if clock == "--:--":
        return None
    moment = local(f"{day[6:]}-{day[3:5]}-{day[:2]}", clock) - timedelta(hours=5, minutes=30)
    return moment.strftime("%Y-%m-%dT%H:%M:00.000000Z")


async def test_etimeoffice_refuses_within_200(campus: Campus) -> None:
    async with connect(ETimeOffice(campus), auth=etimeoffice_user()) as client:
        mark = await client.get("/api/DownloadLastPunchData?LastRecord=yesterday")
        dates = await client.get("/api/DownloadInOutPunchData?FromDate=2026-01-01&ToDate=x")
        wrong = await client.get("/api/DownloadPunchData", auth=("riverside:hub:wrong:true", ""))
    assert misshapen(samples.ETIMEOFFICE_FAILURE, mark.json()) == []
    assert (mark.status_code, dates.json()["Error"], wrong.status_code) == (200, True, 401)


def soap(serial: str, password: str = Essl.password) -> dict[str, Any]:
    body = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        '<GetTransactionsLog xmlns="http://tempuri.org/"><FromDateTime>2026-01-01 00:00</FromDateTime>'
        f"<ToDateTime>2026-12-31 23:59</ToDateTime><SerialNumber>{serial}</SerialNumber>"
        f"<UserName>{Essl.user_name}</UserName><UserPassword>{password}</UserPassword><strDataList></strDataList>"
        "</GetTransactionsLog></soap:Body></soap:Envelope>"
    )
    return {"content": body, "headers": {"SOAPAction": '"http://tempuri.org/GetTransactionsLog"'}}


async def test_essl_gives_each_device_as_lines_within_xml(campus: Campus) -> None:
    seen: Seen = set()
    escaped = Essl.password.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    async with connect(Essl(campus)) as client:
        for serial in DEVICES:
            response = await client.post("/iclock/WebAPIService.asmx", **soap(serial, escaped))
            root = ElementTree.fromstring(response.content)
            lines = (root.findtext(".//{*}strDataList") or "").split("\r\n")
            rows = [tuple(line.split("\t")) for line in lines if line]
            assert root.findtext(".//{*}GetTransactionsLogResult") == f"Logs Count:{len(rows)}"
            assert {row[2] for row in rows} == {"in", "out"}
            seen |= {(row[0], row[1]) for row in rows}
        wrong = await client.post("/iclock/WebAPIService.asmx", **soap(DEVICES[0], "wrong"))
        other = await client.post("/iclock/WebAPIService.asmx", content="<x/>")
    assert seen == punches_of(campus)
    for part in ("&#9;", "&#13;&#10;", "<GetTransactionsLogResult>Logs Count:"):
        assert part in response.text
        assert part in samples.ESSL
    assert (wrong.status_code, "Unathorised" in wrong.text, other.status_code) == (200, True, 500)


async def search(client: httpx2.AsyncClient, path: str, name: str, key: str, **more: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        condition = {"searchID": "1", "searchResultPosition": len(rows), "maxResults": 100, **more}
        response = await client.post(f"/ISAPI/AccessControl/{path}?format=json", json={f"{name}Cond": condition})
        assert response.status_code == 200, response.text
        [body] = response.json().values()
        rows += body.get(key, [])
        assert body["numOfMatches"] <= 30
        if body["responseStatusStrg"] != "MORE":
            return rows


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_hikvision_gives_thirty_events_at_a_time(campus: Campus, algorithm: str) -> None:
    simulator = Hikvision(campus, algorithm=algorithm)
    auth = httpx2.DigestAuth(Hikvision.username, Hikvision.password)
    window = {"major": 5, "minor": 0, "startTime": "2026-02-16T00:00:00+05:30", "endTime": "2026-02-16T23:59:59+05:30"}
    async with connect(simulator, auth=auth) as client:
        events = await search(client, "AcsEvent", "AcsEvent", "InfoList", **window)
        people = await search(client, "UserInfo/Search", "UserInfoSearch", "UserInfo")
        empty = {**window, "endTime": "2026-02-16T00:00:01+05:30", "searchID": "1", "searchResultPosition": 0}
        none = await client.post(
            "/ISAPI/AccessControl/AcsEvent?format=json", json={"AcsEventCond": {**empty, "maxResults": 30}}
        )
        device = await client.get("/ISAPI/System/deviceInfo")
    seen = {(e["employeeNoString"], e["time"][:19].replace("T", " ")) for e in events if e.get("employeeNoString")}
    assert seen == {(code, at) for code, at in punches_of(campus) if at < "2026-02-17"}
    assert any("employeeNoString" not in event for event in events)
    assert misshapen(samples.HIKVISION, {"AcsEvent": {**none.json()["AcsEvent"], "InfoList": events}}) == []
    assert none.json()["AcsEvent"]["responseStatusStrg"] == "NO MATCH"
    assert "InfoList" not in none.json()["AcsEvent"]
    assert len(people) == 240
    assert "DeviceInfo" in device.text


async def test_hikvision_counts_its_nonces() -> None:
    simulator = Hikvision(nonce_uses=3)
    auth = httpx2.DigestAuth(Hikvision.username, Hikvision.password)
    async with connect(simulator, auth=auth) as client:
        for _ in range(8):
            assert (await client.get("/ISAPI/System/deviceInfo")).status_code == 200
        wrong = httpx2.DigestAuth(Hikvision.username, "wrong")
        assert (await client.get("/ISAPI/System/deviceInfo", auth=wrong)).status_code == 401
        assert (await client.get("/ISAPI/System/deviceInfo", auth=("admin", Hikvision.password))).status_code == 401
        body = await client.post("/ISAPI/AccessControl/AcsEvent?format=json", json={"AcsEventCond": {}})
    statuses = [asked.status for asked in simulator.asked[:8]]
    assert statuses == [401, 200, 200, 200, 401, 200, 200, 200]
    assert body.status_code == 400


def test_a_day_is_the_first_punch_and_the_last_that_is_not_the_same() -> None:
    student = {"studentId": "S1", "name": "Rahul Rao", "biometricId": "00101"}
    day = "2026-03-16"

    def day_with(*clocks: str) -> dict[str, Any]:
        moments = [local(day, clock) for clock in clocks]
        [row] = days_of([punch(student, at, "in", DEVICES[0], at) for at in moments])
        return row

    assert day_with("08:31:10", "08:31:40")["checkInAt"] == "2026-03-16T03:01:10.000000Z"
    assert "checkOutAt" not in day_with("08:31:10", "08:31:40")
    assert day_with("16:00", "08:31:40", "08:31:10")["checkOutAt"] == "2026-03-16T10:30:00.000000Z"
    night = [*map(datetime.fromisoformat, ("2026-03-16T20:00:00+05:30", "2026-03-17T02:00:00+05:30"))]
    [row] = days_of([punch(student, at, "in", DEVICES[0], at) for at in night])
    assert date.fromisoformat(row["date"]) == date(2026, 3, 16)
