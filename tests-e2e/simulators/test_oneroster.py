"""OneRoster as a plain client reads it, in both versions."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hub_model.records import DataType
from hub_standalone.demo.simulated.campus import Campus
from simulators import samples
from simulators.comparison import differences
from simulators.oneroster import OneRoster, OneRoster11, OneRoster12
from simulators.samples import misshapen
from simulators.serving import connect


async def signed_in(client: httpx2.AsyncClient, simulator: OneRoster) -> None:
    given = simulator.connection()
    answer = await client.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials", "scope": given["scope"]},
        auth=(quote(given["clientId"], safe=""), quote(given["clientSecret"], safe="")),
    )
    client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"


async def every(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """By the rows received, until a page is empty; a short page means nothing."""
    rows: list[dict[str, Any]] = []
    while True:
        response = await client.get(path, params={"limit": 1000, "offset": len(rows), **params})
        assert response.status_code == 200, response.text
        [page] = response.json().values()
        if not page:
            return rows
        rows += page


@pytest.mark.parametrize(
    ("kind", "roster", "gradebook"),
    [
        (OneRoster11, "/ims/oneroster/v1p1", "/ims/oneroster/v1p1"),
        (OneRoster12, "/ims/oneroster/rostering/v1p2", "/ims/oneroster/gradebook/v1p2"),
    ],
)
async def test_everything_is_there(campus: Campus, kind: type[OneRoster], roster: str, gradebook: str) -> None:
    simulator = kind(campus)
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        students, teachers, classes, courses = [
            await every(client, f"{roster}/{path}") for path in ("students", "teachers", "classes", "courses")
        ]
        results, items = [await every(client, f"{gradebook}/{path}") for path in ("results", "lineItems")]
        orgs = {org["sourcedId"]: org["name"] for org in await every(client, f"{roster}/orgs")}
        enrolments = await every(client, f"{roster}/enrollments")
    people = {row["sourcedId"]: row["identifier"] for row in students}
    codes = {row["sourcedId"]: row["courseCode"] for row in courses}
    of_class = {row["sourcedId"]: codes[row["course"]["sourcedId"]] for row in classes}
    item_of = {row["sourcedId"]: row for row in items}
    rows = [
        {
            "studentId": row["identifier"],
            "name": f"{row['givenName']} {row['familyName']}",
            "department": orgs[(row.get("orgs") or [role["org"] for role in row["roles"]])[0]["sourcedId"]],
        }
        for row in students
    ]
    truth = [{k: row[k] for k in ("studentId", "name", "department")} for row in simulator.truth(DataType.STUDENTS)]
    assert differences(DataType.STUDENTS, truth, rows) == []
    subjects = [
        {"subjectId": of_class[row["sourcedId"]], "section": row["classCode"], "name": row["title"]} for row in classes
    ]
    truth = [{k: row[k] for k in ("subjectId", "section", "name")} for row in simulator.truth(DataType.SUBJECTS)]
    assert differences(DataType.SUBJECTS, truth, subjects) == []
    marks = [
        {
            "studentId": people[row["student"]["sourcedId"]],
            "subjectId": of_class[item["class"]["sourcedId"]],
            "examId": item["sourcedId"],
            "examName": item["title"],
            "examDate": item["dueDate"],
            "maxMarks": item["resultValueMax"],
            "minMarks": item["resultValueMin"],
            "marksObtained": row.get("score"),
        }
        for row in results
        for item in [item_of[row["lineItem"]["sourcedId"]]]
    ]
    names = marks[0].keys()
    truth = [{k: row[k] for k in names if k in row} for row in simulator.truth(DataType.MARKS)]
    assert differences(DataType.MARKS, truth, marks) == []
    assert (len(students), len(teachers), len(classes), len(results)) == (240, 24, 48, 2880)
    assert len(enrolments) == 240 * 6 + 48
    assert misshapen(samples.ONEROSTER_RESULTS, {"results": results}) == []


async def test_1_1_pages_as_the_specification_says(campus: Campus) -> None:
    simulator = OneRoster11(campus)
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        response = await client.get("/ims/oneroster/v1p1/students")
        assert misshapen(samples.ONEROSTER_USERS, response.json()) == []
        rows = response.json()["users"]
        while link := response.links.get("next"):
            response = await client.get(link["url"])
            rows += response.json()["users"]
        clamped = await client.get("/ims/oneroster/v1p1/results?limit=9999")
        one = await client.get("/ims/oneroster/v1p1/users/u-57")
        of_class = await client.get("/ims/oneroster/v1p1/classes/c-1-CS-A/students")
    assert len({row["sourcedId"] for row in rows}) == 240 == int(response.headers["x-total-count"])
    assert len(clamped.json()["results"]) == 500
    assert one.json()["user"]["sourcedId"] == "u-57"
    assert len(of_class.json()["users"]) == 30


async def test_1_2_says_nothing_of_pages_and_clamps() -> None:
    simulator = OneRoster12()
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        response = await client.get("/ims/oneroster/rostering/v1p2/students?limit=500")
        default = await client.get("/ims/oneroster/rostering/v1p2/students")
        user = response.json()["users"][0]
    assert (len(response.json()["users"]), len(default.json()["users"])) == (150, 100)
    assert not {"link", "x-total-count"} & set(response.headers)
    assert user["enabledUser"] is True
    assert user["roles"][0]["role"] == "student"
    assert "role" not in user


async def test_changes_are_found_by_their_date_and_deletes_stay_as_tombstones() -> None:
    simulator = OneRoster11()
    since = "2026-06-01T00:00:00.000Z"
    async with connect(simulator) as client:
        await signed_in(client, simulator)
        path, asked = "/ims/oneroster/v1p1/users", {"filter": f"dateLastModified>'{since}'"}
        assert await every(client, path, **asked) == []
        simulator.campus.students.change("CS2502", phone="+915550999999")
        simulator.campus.students.remove("CS2503")
        changed = await every(client, path, **asked)
        narrow, wide = [
            await every(client, path, filter=f"givenName='Om' {word} familyName='Yadav'") for word in ("AND", "OR")
        ]
        three = await client.get(path, params={"filter": "role='a' AND role='b' AND role='c'"})
        low = await every(client, "/ims/oneroster/v1p1/results", filter="score<'6.5'")
    assert [(row["sourcedId"], row["status"]) for row in changed] == [("u-2", "active"), ("u-3", "tobedeleted")]
    assert "givenName" not in changed[1]
    assert misshapen(samples.ONEROSTER_TOMBSTONE, {"users": changed}) == []
    assert len(simulator.truth(DataType.STUDENTS)) == 239
    assert [(row["givenName"], row["familyName"]) for row in narrow] == [("Om", "Yadav")]
    assert {row["familyName"] for row in wide} > {"Yadav"}
    assert {row["givenName"] for row in wide} > {"Om"}
    assert "invalid_filter_field" in three.text
    assert {row["score"] for row in low} == {half / 2 for half in range(5, 13)}


async def test_each_version_refuses_in_its_own_way(campus: Campus) -> None:
    simulator: OneRoster = OneRoster11(campus)
    async with connect(simulator) as client:
        assert (await client.get("/ims/oneroster/v1p1/users")).status_code == 401
        await signed_in(client, simulator)
        assert (await client.get("/ims/oneroster/v1p1/orgs")).status_code == 200
        simulator.tokens.revoke_all()
        assert (await client.get("/ims/oneroster/v1p1/orgs")).status_code == 401
    cases: list[tuple[OneRoster, str, int, str]] = [
        (OneRoster11(campus), "/ims/oneroster/v1p1/users", 200, samples.ONEROSTER_ERROR_11),
        (OneRoster12(campus), "/ims/oneroster/rostering/v1p2/users", 400, samples.ONEROSTER_ERROR_12),
    ]
    for simulator, path, status, sample in cases:
        async with connect(simulator) as client:
            await signed_in(client, simulator)
            response = await client.get(path, params={"filter": "shoeSize='42'"})
            wrong = await client.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=("a", "b"))
        assert response.status_code == status
        assert misshapen(sample, response.json()) == []
        assert "invalid_filter_field" in response.text
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


async def test_1_1_takes_signed_requests_once_each(campus: Campus) -> None:
    simulator = OneRoster11(campus, oauth1=True)
    url = f"{simulator.base_url}/students?limit=5&filter=givenName%3D%27Om%27"
    given = {
        "oauth_consumer_key": simulator.consumer_key,
        "oauth_nonce": secrets.token_hex(8),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "1773720000",
        "oauth_version": "1.0",
    }
    pairs = [*given.items(), ("limit", "5"), ("filter", "givenName='Om'")]
    normal = "&".join(f"{name}={value}" for name, value in sorted((quote(n, ""), quote(v, "~")) for n, v in pairs))
    text = "&".join(quote(part, "~") for part in ("GET", url.partition("?")[0], normal))
    digest = hmac.new(f"{simulator.consumer_secret}&".encode(), text.encode(), hashlib.sha1).digest()
    given["oauth_signature"] = base64.b64encode(digest).decode()
    header = "OAuth " + ", ".join(f'{name}="{quote(value, "")}"' for name, value in given.items())
    async with connect(simulator) as client:
        first, again, other = [
            await client.get(address, headers={"authorization": header}) for address in (url, url, f"{url}&offset=1")
        ]
    assert [user["givenName"] for user in first.json()["users"]] == ["Om"] * len(first.json()["users"])
    assert (first.status_code, again.status_code, other.status_code) == (200, 401, 401)


def test_passwords_are_there_to_be_left_behind(campus: Campus) -> None:
    user = OneRoster11(campus).user(campus.students.get("CS2501"), "student")
    assert OneRoster11.password in json.dumps(user)
