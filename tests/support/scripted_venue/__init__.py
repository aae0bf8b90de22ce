"""A venue for tests: a process of its own, with a durable record of every request that it carried out."""

from tests.support.scripted_venue.client import ScriptedVenue
from tests.support.scripted_venue.record import Recorded, read_record

__all__ = ["Recorded", "ScriptedVenue", "read_record"]
