"""Say how the engine ended: stopped by somebody, by what it met, or by a mistake of ours."""

from collections.abc import Callable

from services.runtime import Runtime
from tradebus.core.engine.audit.tick import AuditTick


def ending(runtime: Runtime) -> Callable[[AuditTick | Exception], None]:
    """Return what ends the service when the engine has ended, with its last tick or with what made it fail."""

    def ended(cause: AuditTick | Exception) -> None:
        if isinstance(cause, Exception):
            runtime.log.error("the engine failed", exc_info=cause)
            runtime.fail(f"the engine failed: {cause!r}")
        elif cause.errors:
            reasons = "; ".join(repr(error) for error in cause.errors)
            runtime.fail(f"the engine ended at tick {cause.sequence}, it cannot go on after: {reasons}")
        else:
            runtime.finish("the engine was shut down")

    return ended
