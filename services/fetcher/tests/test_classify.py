"""HTTP statuses become errors of the right class, and waits that make sense."""

from datetime import UTC, datetime

import httpx2
import pytest
from hub_fetcher.responses.classify import error_of
from hub_model.errors import ErrorClass, HubError, RateLimited

NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)


def classify(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> HubError | None:
    return error_of(status, httpx2.Headers(headers), body, label="/students", now=NOW)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, ErrorClass.AUTH),
        (403, ErrorClass.AUTH),
        *[(status, ErrorClass.CONFIG) for status in (400, 404, 405, 410, 413, 414, 417, 418, 422, 301, 304, 308)],
        *[(status, ErrorClass.TRANSIENT) for status in (408, 409, 423, 425, 500, 502, 503, 504, 520, 599)],
        (429, ErrorClass.RATE),
    ],
)
def test_each_status_has_its_class(status: int, expected: ErrorClass) -> None:
    error = classify(status)
    assert error is not None
    assert error.error_class is expected
    assert str(status) in str(error) or status < 400
    assert error.public


@pytest.mark.parametrize("status", [200, 201, 204, 206])
def test_success_is_no_error(status: int) -> None:
    assert classify(status) is None


def test_503_with_retry_after_is_a_rate_limit() -> None:
    error = classify(503, {"Retry-After": "120"})
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 120


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"X-RateLimit-Remaining": "0"}, b""),
        ({}, b"403 Forbidden (Rate Limit Exceeded)"),
        ({}, b'{"error":"Too Many Requests"}'),
    ],
)
def test_403_that_speaks_of_a_rate_limit_is_one(headers: dict[str, str], body: bytes) -> None:
    assert isinstance(classify(403, headers, body), RateLimited)


def test_403_of_a_course_that_may_not_be_seen_is_about_permission_though_it_says_unauthorized() -> None:
    body = b'{"status":"unauthorized","errors":[{"message":"user not authorized to perform that action"}]}'
    error = classify(403, {}, body)
    assert error is not None
    assert error.code == "permission_missing"


def test_403_with_requests_left_is_about_credentials() -> None:
    error = classify(403, {"X-RateLimit-Remaining": "17"}, b'{"message":"no permission"}')
    assert error is not None
    assert error.error_class is ErrorClass.AUTH


def test_a_redirect_to_a_login_page_is_about_credentials() -> None:
    error = classify(302, {"Location": "https://erp.example.edu/login?next=/students"})
    assert error is not None
    assert error.error_class is ErrorClass.AUTH


def test_a_redirect_is_named_without_what_its_path_says_of_anybody() -> None:
    location = {"Location": "https://new.example.edu/api/v2/students/Canary%20Rao/22CANARY101/marks/"}
    error = error_of(308, httpx2.Headers(location), b"", label="/api/students/{{ parent.id }}/marks", now=NOW)
    assert error is not None
    assert "https://new.example.edu/api/v2/students/.../.../marks/" in error.public
    assert "canary" not in (error.public + str(error)).lower()


def test_a_redirect_is_named_without_its_query() -> None:
    error = classify(301, {"Location": "https://new.example.edu/api?api_key=s3cret-canary#frag"})
    assert error is not None
    assert error.code == "redirected"
    assert "https://new.example.edu/api" in error.public
    assert "s3cret-canary" not in error.public + str(error)
