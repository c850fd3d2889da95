"""What the transformer does with a message."""

from collections.abc import Sequence

import structlog
from hub_messaging.handling import Context
from hub_model.messages import BatchFetched, BatchTransformed, Message

from hub_transformer.fitting import fit_rejects
from hub_transformer.mappings import Mappings

log = structlog.get_logger(__name__)


async def transform_batch(batch: BatchFetched, _context: Context, *, mappings: Mappings) -> Sequence[Message]:
    """Map, clean and validate the raw records of one batch.

    Every record is accounted for: canonical, rejected with its issues, or dropped for a newer copy in the batch.
    Raises PermanentError if there is no mapping to use, so that the run fails visibly and nothing is stored.
    """
    mapping = await mappings.find(batch)
    mapped = mapping.compiled.map_batch(
        batch.records, observed_at=batch.observed_at, is_partial=batch.origin.is_partial
    )
    log.debug(
        "batch.transformed",
        data_type=batch.data_type,
        sequence=batch.sequence,
        records=len(mapped.records),
        rejected=len(mapped.rejects),
        duplicates=mapped.duplicates,
    )
    return [
        # Not validated: what was mapped is right, and validating would copy every record.
        BatchTransformed.model_construct(
            college_id=batch.college_id,
            integration_id=batch.integration_id,
            run_id=batch.run_id,
            data_type=batch.data_type,
            sequence=batch.sequence,
            origin=batch.origin,
            observed_at=batch.observed_at,
            records=mapped.records,
            rejects=fit_rejects(mapped.records, mapped.rejects),
            duplicates=mapped.duplicates,
            skipped=mapped.skipped,
            mapping_version=mapping.version,
            expected_records=batch.expected_records,
        )
    ]
