"""Every simulator by the name of its preset."""

from collections.abc import Mapping
from types import MappingProxyType

from hub_standalone.demo.simulated.moodle import Moodle
from hub_standalone.demo.simulated.simulator import Simulator
from simulators.biotime import BioTime
from simulators.blackboard import Blackboard
from simulators.canvas import Canvas
from simulators.edfi import EdFi
from simulators.essl import Essl
from simulators.etimeoffice import ETimeOffice
from simulators.fedena import Fedena
from simulators.frappe import Frappe
from simulators.generic import GenericRest
from simulators.google_classroom import GoogleClassroom
from simulators.hikvision import Hikvision
from simulators.linways import Linways
from simulators.oneroster import OneRoster11, OneRoster12
from simulators.openedx import OpenEdx
from simulators.opensis import OpenSis

_ALL: tuple[type[Simulator], ...] = (
    Moodle,
    OneRoster11,
    OneRoster12,
    Canvas,
    EdFi,
    Frappe,
    GoogleClassroom,
    Blackboard,
    BioTime,
    ETimeOffice,
    Essl,
    Hikvision,
    Fedena,
    OpenSis,
    OpenEdx,
    Linways,
    GenericRest,
)
SIMULATORS: Mapping[str, type[Simulator]] = MappingProxyType({each.name: each for each in _ALL})
