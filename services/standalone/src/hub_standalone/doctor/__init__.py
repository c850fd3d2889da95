"""``hub doctor``: looks at everything a hub relies on, and says what to do about what is wrong."""

from hub_standalone.doctor.examination import Finding, Report, Status
from hub_standalone.doctor.examine import examine

__all__ = ["Finding", "Report", "Status", "examine"]
