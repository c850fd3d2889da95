"""What the transformer does with a message."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from hub_mapping import CompiledMapping, MappedBatch
from hub_messaging.handling import Context
from hub_model.messages import BatchFetched, BatchTransformed, Message, Reject

from hub_transformer.fitting import fit_rejects
from hub_transformer.mappings import Mappings

log = structlog.get_logger(__name__)


async def transform_batch(batch: BatchFetched, _context: Context, *, mappings: Mappings) -> Sequence[Message]:
    """Map, clean and validate the raw records of one batch.

    Every record is accounted for: canonical, rejected with its issues, or dropped for a newer copy in the batch.
    Raises PermanentError if there is no mapping to use, so that the run fails visibly and nothing is stored.
    """
    mapping = await mappings.find(batch)
    mapped = _mapped(mapping.compiled, batch)
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
            overruled=mapped.overruled,
            undecided=mapped.undecided,
            skipped=mapped.skipped,
            mapping_version=mapping.version,
            expected_records=batch.expected_records,
            edition=batch.edition,
        )
    ]


def _mapped(mapping: CompiledMapping, batch: BatchFetched) -> MappedBatch:
    """The batch mapped, but for what was found wanting before: that is rejected as it is."""
    wanting = {fault.index: fault for fault in batch.faults}
    kept = [index for index in range(len(batch.records)) if index not in wanting] if wanting else None
    records = batch.records if kept is None else [batch.records[index] for index in kept]
    mapped = mapping.map_batch(records, observed_at=batch.observed_at, is_partial=batch.origin.is_partial)
    if kept is None:
        return mapped
    rejects = [reject.model_copy(update={"index": kept[reject.index]}) for reject in mapped.rejects]
    for index, fault in wanting.items():
        issues = [{"pointer": "", "code": fault.code, "message": fault.message}]
        rejects.append(Reject.model_construct(index=index, raw=batch.records[index], issues=issues))
    return replace(mapped, rejects=sorted(rejects, key=lambda reject: reject.index))
