//! Export over OTLP/http and TLS; one process, for telemetry is set up once per process.
#![expect(dead_code, reason = "the receiver has accessors that other tests use")]

#[path = "otlp/private_authorities.rs"]
mod private_authorities;
#[path = "otlp/receiver.rs"]
mod receiver;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_signal_arrives_where_its_files_fit() -> anyhow::Result<()> {
    private_authorities::each_signal_arrives_where_its_files_fit("http/protobuf").await
}
