"""Examples of every field, written by hand: of each model, JSON that it accepts, in which each of its fields occurs.

``reference`` shows of each field the first one that has it; ``test_connectors`` holds them against the models.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hub_model import (
    access,
    answers,
    auth,
    combining,
    conditions,
    endpoints,
    incremental,
    integrations,
    mappings,
    pagination,
    webhooks,
)
from pydantic import BaseModel


class Shown(NamedTuple):
    """An example with the words above it."""

    title: str
    value: dict[str, Any]


# One for each kind of credentials, and for keys beside them: what a draft says beside its name, type and endpoints.
ACCESS: Sequence[Shown] = (
    Shown(
        "**A key**, here in a header of its own:",
        {
            "baseUrl": "https://erp.college.edu/api",
            "authType": "api-key",
            "apiKey": "your-key",
            "apiKeyPlacement": {"name": "X-Token"},
        },
    ),
    Shown(
        "**Several keys**, here in the query. `authType` names the first one, `extraKeys` the others:",
        {
            "baseUrl": "https://sis.college.edu/api",
            "authType": "api-key",
            "apiKey": "your-key",
            "apiKeyPlacement": {"placement": "query", "name": "api_key"},
            "extraKeys": [{"placement": "query", "name": "api_secret", "value": "your-secret"}],
        },
    ),
    Shown(
        "**A bearer token**:",
        {"baseUrl": "https://erp.college.edu/api", "authType": "bearer", "apiKey": "your-token"},
    ),
    Shown(
        "**User name and password** (HTTP Basic):",
        {
            "baseUrl": "https://erp.college.edu/api",
            "authType": "basic",
            "username": "hub",
            "password": "your-password",
        },
    ),
    Shown(
        "**HTTP Digest**, as many devices want it:",
        {"baseUrl": "http://10.20.0.15", "authType": "digest", "username": "admin", "password": "your-password"},
    ),
    Shown(
        "**OAuth 2.0**, here with client credentials. For `refresh_token` add `refreshToken`, for `password` add "
        "`username` and `password` beside `authType`:",
        {
            "baseUrl": "https://lms.college.edu/api",
            "authType": "oauth",
            "oauth": {
                "tokenUrl": "https://lms.college.edu/oauth/token",
                "clientId": "hub",
                "clientSecret": "your-secret",
                "scopes": ["roster.readonly"],
            },
        },
    ),
    Shown(
        "**OAuth 1.0a**: each request is signed:",
        {
            "baseUrl": "https://sis.college.edu/ims/oneroster/v1p1",
            "authType": "oauth1",
            "oauth1": {"consumerKey": "hub", "consumerSecret": "your-secret"},
        },
    ),
    Shown(
        "**Logging in** for a token:",
        {
            "baseUrl": "http://biotime.college.edu:8081",
            "authType": "login",
            "username": "admin",
            "password": "your-password",
            "login": {
                "loginRequester": {
                    "path": "/jwt-api-token-auth/",
                    "body": {"username": "{{ username }}", "password": "{{ password }}"},
                },
                "sessionTokenPath": "token",
                "requestAuthentication": {"prefix": "JWT "},
            },
        },
    ),
)

EXAMPLES: Mapping[type[BaseModel], Sequence[dict[str, Any]]] = {
    integrations.IntegrationDraft: (
        {
            "name": "College ERP",
            "type": "generic-rest",
            "baseUrl": "https://erp.college.edu/api",
            "authType": "bearer",
            "headers": {"X-College-ID": "4711"},
            "endpoints": {"students": "/students"},
            "streams": {"terms": {"path": "/terms"}},
            "limits": {"requestsPerMinute": 60},
            "connector": {"name": "generic-rest", "version": 1},
            "webhook": {"scheme": "standard"},
            "timeZone": "Asia/Kolkata",
            "syncInterval": 30,
            "enabled": True,
        },
    ),
    integrations.RateLimits: ({"requestsPerMinute": 60, "concurrency": 2},),
    webhooks.WebhookSettings: (
        {"scheme": "standard", "secret": "whsec_bXktc2VjcmV0LW9mLTMyLWJ5dGVzLWF0LWxlYXN0", "dataType": "attendance"},
        {
            "scheme": "hmac",
            "signature": {"name": "X-Frappe-Webhook-Signature", "encoding": "base64"},
            "syncs": [{"dataTypes": ["attendance"]}],
            "pause": "PT10M",
        },
        {
            "scheme": "token",
            "secretPlacement": {"placement": "body", "name": "token"},
            "allowedNetworks": ["203.0.113.0/24"],
            "syncs": [{}],
        },
        {
            "scheme": "jwt",
            "jwt": {"jwksUrl": "https://vendor.example/jwks", "claims": {"metadata.root_account_uuid": "Vx3...9Q"}},
            "syncs": [{}],
        },
    ),
    webhooks.SignatureHeader: (
        {"name": "X-Frappe-Webhook-Signature", "encoding": "base64"},
        {"name": "X-Hub-Signature-256", "prefix": "sha256="},
    ),
    webhooks.SecretPlacement: (
        {"placement": "body", "name": "token"},
        {"name": "Authorization", "prefix": "Bearer "},
    ),
    webhooks.SignedEvents: (
        {"jwksUrl": "https://vendor.example/jwks", "claims": {"metadata.root_account_uuid": "Vx3...9Q"}},
    ),
    webhooks.SyncOnPush: (
        {"when": [{"path": "doctype", "equals": "Student Attendance"}], "dataTypes": ["attendance"]},
    ),
    integrations.Connector: (
        {"name": "generic-rest", "version": 1, "settings": {"schoolYear": "2026"}, "recognised": ["students: ..."]},
        {"name": "frappe-education", "version": 1, "webhook": "taken"},
    ),
    access.Access: (
        {
            "baseUrl": "https://erp.college.edu/api",
            "authType": "api-key",
            "apiKey": "your-key",
            "apiKeyPlacement": {"name": "X-Token"},
            "extraKeys": [{"name": "X-Vendor", "value": "your-key"}],
        },
        {"baseUrl": "https://a.college.edu", "authType": "basic", "username": "hub", "password": "your-password"},
        {
            "baseUrl": "https://a.college.edu",
            "authType": "oauth",
            "oauth": {"tokenUrl": "https://a.college.edu/token", "clientId": "hub"},
        },
        {"baseUrl": "https://a.college.edu", "authType": "oauth1", "oauth1": {"consumerKey": "hub"}},
        {"baseUrl": "https://a.college.edu", "authType": "login", "login": {"loginRequester": {"path": "/login"}}},
    ),
    auth.Placement: ({"placement": "query", "name": "token", "prefix": "key:", "suffix": ";"},),
    auth.ApiKeyPlacement: ({"name": "Authorization", "prefix": "token "},),
    auth.ExtraKey: ({"placement": "query", "name": "api_secret", "value": "your-secret"},),
    auth.TokenPlacement: ({"name": "X-Access-Token", "prefix": ""},),
    auth.OAuthSettings: (
        {
            "grant": "refresh_token",
            "tokenUrl": "https://oauth2.googleapis.com/token",
            "clientId": "hub",
            "clientSecret": "your-secret",
            "refreshToken": "your-token",
            "scopes": ["classroom.rosters.readonly"],
            "clientAuthentication": "body",
            "extraParams": {"audience": "api"},
            "tokenPlacement": {"prefix": "JWT "},
        },
    ),
    auth.OAuth1Settings: (
        {
            "consumerKey": "hub",
            "consumerSecret": "your-secret",
            "token": "your-token",
            "tokenSecret": "its-secret",
            "signatureMethod": "HMAC-SHA256",
            "realm": "college",
        },
    ),
    auth.LoginSettings: (
        {
            "loginRequester": {"path": "https://id.college.edu/login"},
            "sessionTokenPath": "data.token",
            "expirationDuration": "PT30M",
            "expiryPath": "data.expiresAt",
            "requestAuthentication": {"prefix": "JWT "},
            "allowOtherOrigin": True,
        },
    ),
    auth.LoginRequest: (
        {
            "path": "/api/login/",
            "method": "POST",
            "params": {"user": "{{ username }}"},
            "headers": {"X-App": "hub"},
            "body": {"username": "{{ username }}", "password": "{{ password }}"},
            "bodyType": "form",
        },
    ),
    endpoints.Request: (
        {
            "path": "/courses/{{ parent.id }}/students",
            "params": {"state": ["active", "invited"], "since": "{{ window.start }}"},
            "headers": {"Accept": "application/json"},
            "nesting": "brackets",
            "format": "xml",
            "xmlLists": ["subjects.subject"],
            "recordsPath": "data.*.students",
            "missingRecords": "empty",
            "pagination": {"type": "offset"},
            "responseFilters": [{"httpCodes": [404], "action": "IGNORE"}],
            "maxPages": 5000,
            "maxDuration": "PT2H",
        },
        {
            "path": "/search",
            "method": "POST",
            "body": {"filter": {"from": "{{ window.start }}"}},
            "bodyType": "form",
            "recordsFrom": "values",
        },
        {"path": "/export", "format": "text", "text": {"delimiter": "\t", "columns": ["code", "at"]}},
    ),
    answers.TextFormat: ({"delimiter": ";", "columns": ["code", "at", "direction"], "inside": "Envelope.Body.Log"},),
    answers.ResponseFilter: (
        {
            "httpCodes": [200, 400],
            "when": [{"path": "Error", "equals": True}],
            "errorMessageContains": "no data for",
            "action": "FAIL",
            "failureType": "config_error",
            "errorMessage": "The corporate id is wrong.",
        },
    ),
    pagination.AutoPagination: ({"type": "auto"},),
    pagination.NoPagination: ({"type": "none"},),
    pagination.PagePagination: (
        {
            "type": "page",
            "pageParam": "_page",
            "sizeParam": "_pageSize",
            "pageSize": 200,
            "injectInto": "request_parameter",
            "startFromPage": 0,
            "totalPath": "meta.total",
            "totalPagesPath": "meta.pages",
            "hasMorePath": "meta.hasNextPage",
            "count": {"path": "/students/count"},
        },
    ),
    pagination.CountRequest: ({"path": "/students/count?state=active", "totalPath": "count"},),
    pagination.OffsetPagination: (
        {
            "type": "offset",
            "offsetParam": "AcsEventCond.searchResultPosition",
            "sizeParam": "AcsEventCond.maxResults",
            "pageSize": 30,
            "injectInto": "body",
            "totalPath": "AcsEvent.totalMatches",
            "hasMorePath": "AcsEvent.responseStatusStrg",
            "hasMoreValue": "MORE",
        },
    ),
    pagination.CursorPagination: (
        {
            "type": "cursor",
            "cursorParam": "pageToken",
            "cursorPath": "nextPageToken",
            "sizeParam": "pageSize",
            "pageSize": 100,
            "injectInto": "request_parameter",
            "hasMorePath": "more",
        },
        {"type": "cursor", "cursorHeader": "X-Next-Cursor"},
    ),
    pagination.NextUrlPagination: (
        {
            "type": "next_url",
            "nextUrlPath": "pagination.next",
            "rebuildHost": True,
            "sizeParam": "page_size",
            "pageSize": 100,
            "injectInto": "request_parameter",
        },
    ),
    pagination.LinkHeaderPagination: (
        {
            "type": "link_header",
            "rebuildHost": True,
            "sizeParam": "per_page",
            "pageSize": 100,
            "injectInto": "request_parameter",
        },
    ),
    endpoints.Stream: (
        {
            "path": "/courses/{{ parent.id }}/users",
            "parent": {"stream": "courses"},
            "explode": [{"path": "roles"}],
            "joins": [{"stream": "departments", "left": "dept", "right": "id", "as": "department"}],
            "when": [{"path": "suspended", "equals": True, "not": True}],
            "fields": {"id": "id", "roll": {"from": "idnumber", "do": ["upper"]}},
            "incremental": {"type": "datetime", "startTimeParam": "updatedSince"},
        },
        {"rows": ["CGKK204561", "CGKK204562"]},
    ),
    endpoints.Endpoint: (
        {"path": "/students", "deletes": {"path": "/students/deleted"}, "mapping": {"studentId": "roll_no"}},
        {"source": "punches", "derive": {"type": "punches", "person": "emp_code", "punchedAt": "punch_time"}},
    ),
    endpoints.Deletes: ({"path": "/students/deletes", "mapping": {"studentId": "keyValues.id"}},),
    combining.Parent: (
        {
            "stream": "courses",
            "when": [{"path": "visible", "equals": True}],
            "include": {"course": "idnumber"},
            "onError": "fail",
        },
    ),
    combining.Explode: (
        {
            "path": "attendance_log",
            "as": "entry",
            "keyAs": "student",
            "when": [{"path": "statusid", "exists": True}],
            "onNoRecords": "emit_parent",
        },
    ),
    combining.Join: (
        {
            "stream": "users",
            "left": "userid",
            "right": "id",
            "as": "user",
            "fields": {"roll": "idnumber"},
            "required": True,
            "many": False,
        },
    ),
    combining.GroupBy: ({"type": "group", "by": "userid", "collect": {"subjects": "courseid"}},),
    combining.Punches: (
        {
            "type": "punches",
            "person": "emp_code",
            "punchedAt": "punch_time",
            "datetimeFormat": "%Y-%m-%d %H:%M:%S",
            "timeZone": "Asia/Kolkata",
            "direction": "punch_state",
            "dayStart": "PT4H",
            "duplicateWithin": "PT1M",
            "lateAfter": "09:15",
            "presentFrom": "PT6H",
            "halfDayFrom": "PT3H",
        },
    ),
    incremental.DatetimeIncremental: (
        {
            "type": "datetime",
            "cursorField": "updated_at",
            "startTimeParam": "from",
            "endTimeParam": "to",
            "datetimeFormat": "%d/%m/%Y",
            "timeZone": "Asia/Kolkata",
            "startDatetime": "2026-01-01T00:00:00Z",
            "step": "P7D",
            "cursorGranularity": "P1D",
            "lookbackWindow": "P1D",
            "safetyLag": "PT1M",
            "wholeDays": True,
            "dayStart": "PT4H",
            "apiRetentionPeriod": "P90D",
            "fullEvery": "P30D",
        },
    ),
    incremental.ChangeVersionIncremental: (
        {
            "type": "change_version",
            "versionsPath": "/changeQueries/v1/availableChangeVersions",
            "newestPath": "newestChangeVersion",
            "oldestPath": "oldestChangeVersion",
            "minParam": "minChangeVersion",
            "maxParam": "maxChangeVersion",
            "fullEvery": "P30D",
        },
    ),
    incremental.TokenIncremental: (
        {
            "type": "token",
            "tokenParam": "LastRecord",
            "tokenPath": "MaxRecord",
            "startValue": "012026$0",
            "fullEvery": "P30D",
        },
    ),
    conditions.Condition: (
        {"path": "roles.*.shortname", "equals": "student", "not": True},
        {"path": "state", "oneOf": ["active", "invited"]},
        {"path": "email", "exists": True},
        {"path": "remarks", "contains": "exempt"},
        {"path": "code", "matches": "^CS[0-9]+$"},
    ),
    mappings.Mapping: (
        {
            "rules": [{"to": "studentId", "from": "roll_no"}],
            "only": True,
            "key": ["studentId", "busRoute"],
            "sourceId": "id",
            "updatedAt": {"to": "updatedAt", "from": "modified", "do": [["datetime", "epoch_s"]]},
            "deleted": "is_deleted",
            "deletedWhen": [{"path": "status", "equals": "tobedeleted"}],
            "when": [{"path": "type", "equals": "student"}],
            "timeZone": "Asia/Kolkata",
            "version": 1,
        },
    ),
    mappings.Rule: (
        {"to": "attendance", "from": "mark", "do": [["map", {"P": "present"}]], "default": "absent", "required": True},
        {"to": "source", "const": "erp"},
    ),
    mappings.Candidate: (
        {"const": "exempt", "when": [{"path": "excused", "equals": True}]},
        {"from": ["idnumber", "username"], "do": ["upper"]},
    ),
}
