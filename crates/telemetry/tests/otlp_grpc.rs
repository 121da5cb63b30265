//! Export over OTLP/grpc; one process, for telemetry is set up once per process.
#![expect(dead_code, reason = "the receiver has accessors that other tests use")]

#[path = "otlp/exported.rs"]
mod exported;
#[path = "otlp/receiver.rs"]
mod receiver;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_recorded_arrives_when_telemetry_ends() -> anyhow::Result<()> {
    exported::everything_recorded_arrives_when_telemetry_ends("grpc").await
}
