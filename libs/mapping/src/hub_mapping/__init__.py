"""Raw record to canonical record, or a list of issues. Pure: no I/O, no clock, no state between batches."""

from hub_mapping.compile import compile_mapping
from hub_mapping.compiled import CompiledMapping, MappedBatch
from hub_mapping.conditions import compile_conditions

__all__ = ["CompiledMapping", "MappedBatch", "compile_conditions", "compile_mapping"]
