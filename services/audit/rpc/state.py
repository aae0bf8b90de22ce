"""The whole state of a fold as gRPC's message, of now as of then."""

from services.audit.fold import Fold
from tradebus.wire.codec.snapshot import snapshot_of, snapshot_to_bytes
from tradebus.wire.pb.v1 import service_pb2, snapshot_pb2


def whole_state(fold: Fold) -> service_pb2.GetStateResponse:
    """Return the state of a fold that has one, as a snapshot."""
    started = fold.replica.started
    assert started is not None, "a replica that can be read has a start record"
    snapshot = snapshot_of(
        started,
        fold.state,
        sequence=fold.sequence,
        time_ns=fold.time_ns,
        epoch=fold.epoch,
        config_fingerprint="",
    )
    checked = fold.verification.last
    return service_pb2.GetStateResponse(
        mode=fold.mode,
        is_exact=fold.is_exact,
        verified_sequence=checked.sequence if checked is not None and checked.is_equal else None,
        snapshot=snapshot_pb2.EngineSnapshot.FromString(snapshot_to_bytes(snapshot)),
    )
