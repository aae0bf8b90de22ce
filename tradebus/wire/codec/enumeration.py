"""Carry enums: the numbers on the wire are the values of the core's enums."""

from enum import Enum
from typing import Final, Generic, TypeVar, cast

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from tradebus.wire.codec.error import UnknownEnum

E = TypeVar("E", bound=Enum)
P = TypeVar("P", bound=int)


class EnumCodec(Generic[E, P]):
    """Translates between one enum of the core and the contract's enum of the same name.

    Made when a module is imported; refuses enums whose names or numbers differ, so that no message can be misread.
    """

    def __init__(self, kind: type[E], generated: type[P]) -> None:
        described = cast("EnumTypeWrapper", generated).DESCRIPTOR
        start = "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(described.name)).upper()
        wanted = {f"{start}_{member.name}": member.value for member in kind} | {f"{start}_UNSPECIFIED": 0}
        found = {value.name: value.number for value in described.values}
        if wanted != found:
            raise TypeError(f"{kind.__name__} is not {described.full_name}: {wanted.items() ^ found.items()}")
        self._kind: Final = kind
        self.numbers: Final[dict[str, P]] = {member.name: cast("P", member.value) for member in kind}
        self.members: Final[dict[int, E]] = {member.value: member for member in kind}

    def to_pb(self, member: E) -> P:
        """Return the number of a member."""
        return self.numbers[member.name]

    def from_pb(self, number: int, path: str) -> E:
        """Return the member with this number; raises UnknownEnum for 0 and for numbers that have none."""
        member = self.members.get(number)
        if member is None:
            raise UnknownEnum(f"expected a {self._kind.__name__} from 1 to {len(self.members)}, found {number}", path)
        return member
