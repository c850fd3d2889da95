"""What webhook settings may say together: each scheme has its own parts, and nothing that would never work is taken."""

from typing import Any

import pytest
from hub_model.webhooks import WebhookScheme, WebhookSettings
from pydantic import ValidationError

SYNCS: list[dict[str, Any]] = [{}]
SIGNATURE = {"name": "X-Frappe-Webhook-Signature", "encoding": "base64"}
IN_HEADER = {"name": "X-Gitlab-Token"}
IN_BODY = {"placement": "body", "name": "token"}
IN_ADDRESS = {"placement": "address"}
JWT = {"jwksUrl": "https://keys.example.com/set", "claims": {"metadata.root_account_uuid": "a-1"}}
OF_SCHEME: dict[str, dict[str, Any]] = {
    "legacy": {},
    "standard": {},
    "hmac": {"signature": SIGNATURE},
    "token": {"secretPlacement": IN_HEADER, "syncs": SYNCS},
    "jwt": {"jwt": JWT, "syncs": SYNCS},
}


def webhook(scheme: str = "legacy", **changes: Any) -> WebhookSettings:
    given = {"scheme": scheme, **OF_SCHEME[scheme], **changes}
    return WebhookSettings.model_validate({name: value for name, value in given.items() if value is not ...})


def refusal(scheme: str = "legacy", **changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        webhook(scheme, **changes)
    return str(caught.value)


@pytest.mark.parametrize("scheme", WebhookScheme)
def test_each_scheme_is_complete_with_its_own_parts(scheme: WebhookScheme) -> None:
    made = webhook(scheme)
    assert made.scheme is scheme
    assert made.has_secret is (scheme is not WebhookScheme.JWT)
    assert (made.is_in_address, made.secret_field) == (False, None)
    # What is stored names every field, and is read again.
    assert WebhookSettings.model_validate(made.model_dump(by_alias=True)) == made


@pytest.mark.parametrize(("scheme", "part"), [("hmac", "signature"), ("token", "secretPlacement"), ("jwt", "jwt")])
def test_a_scheme_needs_its_part_and_no_other_scheme_takes_it(scheme: str, part: str) -> None:
    assert f"the scheme {scheme} needs '{part}'" in refusal(scheme, **{part: ...})
    for other in OF_SCHEME:
        if other != scheme:
            told = refusal(other, syncs=SYNCS, **{part: OF_SCHEME[scheme][part]})
            assert f"'{part}' belongs to the scheme {scheme}" in told


@pytest.mark.parametrize("scheme", ["token", "jwt"])
def test_what_does_not_prove_the_body_stores_nothing_of_it(scheme: str) -> None:
    assert '"syncs": [{}]' in refusal(scheme, syncs=...)
    assert '"syncs": [{}]' in refusal(scheme, syncs=[])


@pytest.mark.parametrize("scheme", ["legacy", "standard", "hmac"])
def test_a_signed_body_may_bring_records_or_news_but_not_both(scheme: str) -> None:
    assert webhook(scheme, dataType="marks").data_type == "marks"
    assert webhook(scheme, syncs=SYNCS).syncs[0].data_types == []
    assert "'dataType' is for pushes of records" in refusal(scheme, syncs=SYNCS, dataType="marks")


def test_a_secret_in_the_address_needs_the_networks_it_may_come_from() -> None:
    for networks in ([], ["0.0.0.0/0"], ["203.0.113.7", "::/0"], ["0.0.0.0/1", "128.0.0.0/1"]):
        assert "needs 'allowedNetworks'" in refusal("token", secretPlacement=IN_ADDRESS, allowedNetworks=networks)
    made = webhook("token", secretPlacement=IN_ADDRESS, allowedNetworks=["203.0.113.7", "2001:db8::/32"])
    assert (made.is_in_address, made.secret_field) == (True, None)


def test_the_scheme_of_keys_has_no_secret() -> None:
    assert "has no secret" in refusal("jwt", secret="a secret of sixteen")


def test_a_field_of_the_body_is_known_by_its_path() -> None:
    made = webhook("token", secretPlacement={"placement": "body", "name": "auth.token"})
    assert (made.secret_field, made.is_in_address) == ("auth.token", False)


@pytest.mark.parametrize(
    "network",
    ["", "college", "203.0.113.5/24", "203.0.113.0/33", "203.0.113.0/-1", " 203.0.113.0/24", "1.2.3", "::1/129", "*"],
)
def test_a_network_that_is_none_is_named(network: str) -> None:
    assert f"{network!r} is not a network; write one such as" in refusal(allowedNetworks=[network])


@pytest.mark.parametrize(
    "placement",
    [
        {},
        {"placement": "header"},
        IN_BODY | {"name": ""},
        IN_ADDRESS | {"name": "token"},
        IN_ADDRESS | {"prefix": "Bearer "},
        IN_BODY | {"prefix": "Bearer "},
        {"placement": "query", "name": "token"},
        IN_HEADER | {"encoding": "hex"},
    ],
)
def test_a_secret_stands_in_one_place_that_has_a_name_if_it_can(placement: dict[str, Any]) -> None:
    refusal("token", secretPlacement=placement, allowedNetworks=["203.0.113.0/24"])


NO_HEADER_NAMES = [
    "",
    "X Token",
    "X-Token ",
    " X-Token",
    "X-Token\r\nX-Other",
    "X-Token\n",
    "X:Token",
    "Tökén",
    "x" * 65,
]


@pytest.mark.parametrize("name", NO_HEADER_NAMES)
def test_a_signature_is_in_a_header_that_can_be_sent(name: str) -> None:
    refusal("hmac", signature={"name": name})


@pytest.mark.parametrize("name", NO_HEADER_NAMES)
def test_a_token_in_a_header_that_nobody_can_send_is_refused(name: str) -> None:
    refusal("token", secretPlacement={"placement": "header", "name": name})


@pytest.mark.parametrize("prefix", [" Bearer", "Bearer\n", "a\0", "x" * 33])
def test_a_prefix_that_no_value_can_begin_with_is_refused(prefix: str) -> None:
    refusal("hmac", signature=SIGNATURE | {"prefix": prefix})
    refusal("token", secretPlacement=IN_HEADER | {"prefix": prefix})


@pytest.mark.parametrize("prefix", ["", "Bearer ", "sha256=", "v1:"])
def test_usual_prefixes_are_taken(prefix: str) -> None:
    webhook("hmac", signature=SIGNATURE | {"prefix": prefix})
    webhook("token", secretPlacement=IN_HEADER | {"prefix": prefix})


@pytest.mark.parametrize(
    "jwt",
    [
        {**JWT, "jwksUrl": ""},
        {**JWT, "jwksUrl": "https://x/" + "a" * 2000},
        {**JWT, "claims": {}},
        {"jwksUrl": JWT["jwksUrl"]},
        {**JWT, "claims": {"a": ""}},
        {**JWT, "claims": {"": "a"}},
        {**JWT, "claims": {"a": 12}},
        {**JWT, "claims": {"a": True}},
        {**JWT, "claims": {str(number): "a" for number in range(11)}},
        {**JWT, "claims": {"a": "x" * 257}},
        {**JWT, "algorithms": ["none"]},
    ],
)
def test_events_that_anybody_may_sign_must_say_whose_they_are(jwt: dict[str, Any]) -> None:
    refusal("jwt", jwt=jwt)


@pytest.mark.parametrize(
    "rule",
    [
        {"dataTypes": ["grades"]},
        {"dataTypes": ["marks"] * 20},
        {"when": [{"path": "doctype"}]},
        {"when": [{"path": "a", "equals": 1}] * 21},
        {"then": []},
    ],
)
def test_a_rule_of_syncs_that_says_nothing_is_refused(rule: dict[str, Any]) -> None:
    refusal(syncs=[rule])
    assert webhook(syncs=[{"when": [{"path": "doctype", "equals": None}], "dataTypes": ["marks", "students"]}]).syncs
