"""What goes wrong between bytes and values, one class per cause.

Reading foreign bytes raises DecodeError and nothing else. Its ``path`` names the field, as in
``ticks[3].outputs[0].requests_decided.opens_sent[1].price``; it is built while the error travels up, so that reading
what is right costs nothing.
"""

from typing import Final


class CodecError(Exception):
    """Base of what this package raises."""


class EncodeError(CodecError):
    """A value of ours that the contract cannot carry: our mistake, nothing was sent."""


class DecodeError(CodecError):
    """Bytes that are not what the contract says; ``message`` says what was expected and found, ``path`` where."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message, path)
        self.message: Final = message
        self.path = path

    def prefix(self, name: str) -> None:
        """Put the name of the enclosing field before the path."""
        if not self.path:
            self.path = name
        elif self.path.startswith("["):
            self.path = name + self.path
        else:
            self.path = f"{name}.{self.path}"

    def __str__(self) -> str:
        """Show path and message."""
        return f"{self.path}: {self.message}" if self.path else self.message


class Malformed(DecodeError):
    """The bytes are not a message of this kind at all."""


class MissingField(DecodeError):
    """A part that must be there is not: a message, an id, the alternative of a oneof."""


class UnknownEnum(DecodeError):
    """An enum value that means nothing: unspecified, or not known to this version."""


class InvalidNumber(DecodeError):
    """Text that is not an acceptable number."""


class IndexOutOfRange(DecodeError):
    """The number of an exchange, asset or instrument that the index does not have."""


class ForeignIndex(DecodeError):
    """A batch whose numbers belong to another index: reading it would misname every instrument."""


class Inconsistent(DecodeError):
    """Parts that contradict each other, or a value outside of what its field allows."""


class UnknownVersion(DecodeError):
    """Bytes of a version that this reader does not know, such as a later one."""


class HashMismatch(DecodeError):
    """What was read back does not have the hash that was recorded when it was written."""


class DataNotRestored(DecodeError):
    """A strategy's class did not take back what it remembered; the message says which and how it failed."""
