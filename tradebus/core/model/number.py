"""Own the number representation: one decimal context, one strict parser, one text form.

Every price, quantity, balance and fee is a ``decimal.Decimal`` computed under one context:
29 significant digits and half-even rounding, so that the reference's largest value
(79228162514264337593543950335) is exact. Mixing in a float raises, and so do NaN, infinity
and division by zero: money is never silently wrong.
"""

from collections.abc import MutableMapping
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    InvalidOperation,
    Overflow,
    getcontext,
    setcontext,
)
from operator import attrgetter
from typing import Final, final

from mypy_extensions import mypyc_attr

PRECISION: Final = 29
ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
DECIMAL_MAX: Final = Decimal(79228162514264337593543950335)
DECIMAL_MIN: Final = Decimal(-79228162514264337593543950335)
EXPONENT_MAX: Final = 28
TEXT_LENGTH_MAX: Final = 64
PLAIN_LENGTH_MAX: Final = 28
COMPUTED_LENGTH_MAX: Final = 100
COMPUTED_EXPONENT_MAX: Final = 500


@final
class _Watch:
    """Tells whether an attribute of the engine's context was set since it was last found intact."""

    def __init__(self) -> None:
        self.is_touched = False


_watch: Final = _Watch()


@mypyc_attr(native_class=False)
class _EngineContext(Context):
    """A context that notices when somebody sets its attributes: reading them all to compare costs ten times more."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set the attribute and take note."""
        _watch.is_touched = True
        super().__setattr__(name, value)


_current: Final = getcontext  # a name of another module is looked up at every call
ENGINE_CONTEXT: Final[Context] = _EngineContext(
    prec=PRECISION,
    rounding=ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)
# Views of what stands in the contexts: they change without an attribute being set. By name: the attribute is declared a
# dict and is none, which compiled code does not let pass.
_TRAPS: Final[MutableMapping[type[ArithmeticError], bool]] = attrgetter("traps")(ENGINE_CONTEXT)
# The copy is kept: a view does not keep its context alive.
_INTACT_CONTEXT: Final = Context.copy(ENGINE_CONTEXT)
_TRAPS_INTACT: Final[MutableMapping[type[ArithmeticError], bool]] = attrgetter("traps")(_INTACT_CONTEXT)
_SETTINGS: Final = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
_settings: Final = attrgetter(*_SETTINGS)


@mypyc_attr(native_class=False)
class NumberError(ValueError):
    """A text or value that is not an acceptable number; the message says what was found."""


def enter_engine_context() -> Context:
    """Make the engine's decimal context current in this thread and return the one before it."""
    before = getcontext()
    if before is not ENGINE_CONTEXT:
        setcontext(ENGINE_CONTEXT)
    return before


def context_is_intact() -> bool:
    """Tell whether the current context is the engine's and nobody changed its settings."""
    if _current() is not ENGINE_CONTEXT or _TRAPS != _TRAPS_INTACT:
        return False
    if _watch.is_touched:
        _watch.is_touched = bool(_settings(ENGINE_CONTEXT) != _settings(_INTACT_CONTEXT))
    return not _watch.is_touched


def restore_engine_context() -> None:
    """Undo what user code did to the decimal context: precision, rounding, limits, traps, or another context."""
    for name in _SETTINGS:
        setattr(ENGINE_CONTEXT, name, getattr(_INTACT_CONTEXT, name))
    for signal, is_trapped in _TRAPS_INTACT.items():
        _TRAPS[signal] = is_trapped
    _watch.is_touched = False
    setcontext(ENGINE_CONTEXT)


def parse_decimal(text: str) -> Decimal:
    """Return the number written in ``text``, strictly: ASCII digits, one optional point, sign, exponent.

    What ``Decimal`` itself would accept and a venue never means (NaN, Infinity, underscores,
    spaces, other scripts' digits, exponents beyond 28) is refused.

    Raises NumberError naming the text.
    """
    if len(text) <= PLAIN_LENGTH_MAX and text.isascii() and _is_plain(text):
        # What venues write nearly always; so short a text cannot break any limit, and a full check costs far more.
        return Decimal(text)
    if len(text) > TEXT_LENGTH_MAX or not text.isascii():
        raise NumberError(
            f"expected a decimal number of at most {TEXT_LENGTH_MAX} ASCII characters, found {text!r:.80}"
        )
    digits = text[1:] if text[:1] in ("-", "+") else text
    whole, point, fraction = digits.partition(".")
    if not (whole.isdigit() and (fraction.isdigit() or not point)):
        return _parse_exponent(text, digits)
    number = Decimal(text)
    return check_decimal(number)


def _is_plain(text: str) -> bool:
    return text[:1] != "." and text[-1:] != "." and text.replace(".", "", 1).isdigit()


def _parse_exponent(text: str, digits: str) -> Decimal:
    mantissa, mark, exponent = digits.lower().partition("e")
    whole, point, fraction = mantissa.partition(".")
    exponent_digits = exponent[1:] if exponent[:1] in ("-", "+") else exponent
    plain = whole.isdigit() and (fraction.isdigit() or not point)
    if not (mark and plain and exponent_digits.isdigit() and len(exponent_digits) <= 2):
        raise NumberError(f"expected a decimal number like -12.5 or 1e-8, found {text!r}")
    return check_decimal(Decimal(text))


def check_decimal(value: Decimal) -> Decimal:
    """Return ``value`` if it is a finite Decimal of at most 29 digits and a scale of at most 28.

    Raises NumberError for anything else: a float or int where a Decimal belongs, NaN, infinity,
    absurd exponents.
    """
    if type(value) is not Decimal:
        raise NumberError(f"expected a Decimal, found {type(value).__name__} {value!r:.80}")
    text = str(value)
    if len(text) <= PLAIN_LENGTH_MAX and _is_plain(text):
        return value  # so short a number cannot break any limit
    if not value.is_finite():
        raise NumberError(f"expected a finite number, found {value}")
    parts = value.as_tuple()
    exponent = parts.exponent
    if value.adjusted() > EXPONENT_MAX or (
        isinstance(exponent, int) and (exponent < -EXPONENT_MAX or exponent > EXPONENT_MAX)
    ):
        raise NumberError(f"expected at most 29 digits and 28 decimals, found {value}")
    if len(parts.digits) > PRECISION:
        raise NumberError(f"expected at most {PRECISION} significant digits, found {value}")
    return value


def check_computed(value: object) -> Decimal:
    """Return ``value`` if it is a finite Decimal that can be written down: what user code computed.

    Wider than what a venue may write, because a quotient has as many decimals as the context gives it. Raises
    NumberError for anything else.
    """
    if not isinstance(value, Decimal) or type(value) is not Decimal:
        raise NumberError(f"expected a Decimal, found {type(value).__name__} {value!r:.80}")
    if not value.is_finite():
        raise NumberError(f"expected a finite number, found {value}")
    if len(str(value)) > COMPUTED_LENGTH_MAX or abs(value.adjusted()) > COMPUTED_EXPONENT_MAX:
        raise NumberError(
            f"expected at most {COMPUTED_LENGTH_MAX} characters and an exponent of at most {COMPUTED_EXPONENT_MAX}, "
            f"found {value!s:.80}"
        )
    return value


def decimal_text(value: Decimal) -> str:
    """Return the canonical text of a number: no exponent, no trailing zeros, ``-0`` is ``0``.

    ``1.0``, ``1`` and ``1E0`` give the same text, so hashes do not depend on how a venue writes a number.
    """
    if not value:
        return "0"
    text = str(value)
    if "E" in text or "e" in text:
        text = format(value, "f")
    if text[-1] == "0" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text
