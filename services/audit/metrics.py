"""What the audit service measures of itself."""

from typing import Final, final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_DELAY_BUCKETS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_STREAM_BUCKETS_S: Final = (1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0)
_REQUEST_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


@final
class AuditMetrics:
    """Counters and gauges in the service's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sequence: Final = Gauge("tradebus_replica_sequence", "Last audit tick applied", registry=registry)
        self.lag_events: Final = Gauge(
            "tradebus_replica_lag_events", "Ticks in the journal that are not applied yet", registry=registry
        )
        self.lag_seconds: Final = Gauge(
            "tradebus_replica_lag_seconds", "How much of the journal, in time, is not applied yet", registry=registry
        )
        self.exact: Final = Gauge(
            "tradebus_replica_exact", "1 while nothing speaks against the replica being exact", registry=registry
        )
        self.ticks: Final = Counter("tradebus_replica_ticks", "Audit ticks applied", registry=registry)
        self.batches: Final = Counter("tradebus_replica_batches", "Audit batches read", registry=registry)
        self.bytes: Final = Counter("tradebus_replica_bytes", "Bytes of audit batches read", registry=registry)
        self.checks: Final = Counter(
            "tradebus_replica_hash_checks", "State hashes compared with the engine's", ["result"], registry=registry
        )
        self.breaks: Final = Counter(
            "tradebus_replica_breaks", "Messages that the replica could not take", ["kind"], registry=registry
        )
        self.delay: Final = Histogram(
            "tradebus_replica_delay_seconds",
            "From storing a batch in the stream to its last tick being applied",
            buckets=_DELAY_BUCKETS_S,
            registry=registry,
        )
        self.requests: Final = Histogram(
            "tradebus_api_request_seconds",
            "Duration of API requests by route, streams left out",
            ["route", "status"],
            buckets=_REQUEST_BUCKETS_S,
            registry=registry,
        )
        self.streams: Final = Histogram(
            "tradebus_api_stream_seconds",
            "How long streams of events over HTTP lasted",
            buckets=_STREAM_BUCKETS_S,
            registry=registry,
        )
        self.archive_sequence: Final = Gauge(
            "tradebus_archive_sequence", "Last audit tick that is in the archive and on disk", registry=registry
        )
        self.archive_position: Final = Gauge(
            "tradebus_archive_position", "Last message of the stream that is archived and on disk", registry=registry
        )
        self.archive_bytes: Final = Counter(
            "tradebus_archive_bytes", "Bytes archived, before and after compression", ["form"], registry=registry
        )
        self.archive_sync: Final = Histogram(
            "tradebus_archive_sync_seconds",
            "How long one write to the archive took, compression and sync included",
            buckets=_DELAY_BUCKETS_S,
            registry=registry,
        )
        self.archive_troubles: Final = Counter(
            "tradebus_archive_troubles",
            "What went wrong with the archive: gaps, damage, failed writes, other streams",
            ["kind"],
            registry=registry,
        )
        self.stream_readers: Final = Gauge("tradebus_stream_readers", "Open streams", registry=registry)
        self.stream_events: Final = Counter(
            "tradebus_stream_events", "Events made for streams, each once for all readers", registry=registry
        )
        self.stream_resumes: Final = Counter(
            "tradebus_stream_resumes", "Streams that went on where they were cut", registry=registry
        )
        self.stream_failures: Final = Counter(
            "tradebus_stream_failures", "Ticks and markets that could not be made into events", registry=registry
        )
        self.stream_stalls: Final = Counter(
            "tradebus_stream_stalls", "Streams ended because nothing was taken for too long", registry=registry
        )
        self.stream_resets: Final = Counter(
            "tradebus_stream_resets", "Streams that had to begin again with a snapshot", registry=registry
        )
        self.checkpoints: Final = Counter("tradebus_checkpoints", "Checkpoints written", registry=registry)
        for form in ("plain", "stored"):
            self.archive_bytes.labels(form)
        for result in ("equal", "unequal", "not_verified"):
            self.checks.labels(result)
        self.exact.set(1)
