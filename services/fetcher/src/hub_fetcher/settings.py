"""What an operator may set for the fetcher."""

from pathlib import Path

from hub_runtime.egress_settings import EgressSettings
from pydantic import Field, SecretStr


class FetcherSettings(EgressSettings):
    """Settings of the fetcher, beside those of every process."""

    fetcher_keys_file: Path = Field(
        default=Path(".hub/keys/fetcher.json"),
        description="File with the private keys that open API credentials; readable by this service only.",
    )
    fetcher_keys: SecretStr | None = Field(
        default=None, description="The text of that file, where a process gets its keys from the environment."
    )
    request_deadline_s: float = Field(
        default=60.0, gt=0, le=600, description="Seconds one request to a source may take, body included."
    )
    max_response_bytes: int = Field(
        default=32 * 1024 * 1024, ge=1024, description="Bytes a source's response may have, decompressed."
    )
    requests_per_origin: int = Field(
        default=16, ge=1, le=100, description="Requests this process sends to one source at a time."
    )
    pages_ahead: int = Field(
        default=16,
        ge=1,
        le=100,
        description="Pages of one stream that are requested before their turn, at most; fewer where that is enough or "
        "slows the source.",
    )
    stretch_pages: int = Field(default=200, ge=1, description="Pages one message covers at most.")
    stretch_s: float = Field(default=20.0, gt=0, le=300, description="Seconds one message covers, about.")
    stretches: int = Field(default=8, ge=1, le=64, description="Streams this process fetches at a time.")
    table_rows: int = Field(
        default=2_000_000, ge=1000, description="Rows that a stream read for others may have, per sync."
    )
    table_bytes: int = Field(
        default=256 * 1024 * 1024, ge=1024, description="Bytes of JSON that the rows of such a stream may take."
    )
    lookup_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024,
        description="Memory for streams that records are joined with, kept between messages.",
    )
    probe_deadline_s: float = Field(
        default=18.0, gt=0, le=120, description="Seconds a connection test may take; below what its asker waits."
    )
