"""The vocabulary of a rule's ``do``: pure functions with an example each, and nothing that can loop or grow."""

from collections.abc import Mapping
from types import MappingProxyType

from hub_mapping.transforms.joining import JOINING_TRANSFORMS
from hub_mapping.transforms.lists import LIST_TRANSFORMS
from hub_mapping.transforms.numbers import NUMBER_TRANSFORMS
from hub_mapping.transforms.step import Step, Transform
from hub_mapping.transforms.texts import TEXT_TRANSFORMS
from hub_mapping.transforms.times import TIME_TRANSFORMS
from hub_mapping.transforms.words import WORD_TRANSFORMS

__all__ = ["TRANSFORMS", "Step", "Transform"]

TRANSFORMS: Mapping[str, Transform] = MappingProxyType(
    {
        transform.name: transform
        for transform in (
            *TEXT_TRANSFORMS,
            *WORD_TRANSFORMS,
            *NUMBER_TRANSFORMS,
            *TIME_TRANSFORMS,
            *JOINING_TRANSFORMS,
            *LIST_TRANSFORMS,
        )
    }
)
