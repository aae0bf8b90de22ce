"""The audit service over gRPC: `service.proto`."""
