//! Starts one of the servers, prints its address and process id, and keeps it until standard input ends. `secured-kafka` takes SASL by
//! TLS only and writes a `client.properties` for Kafka's own tools and for recap.

use std::{io::Read, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use recap_testing::{KafkaAccess, KafkaServer, PostgresServer, SCRAM_PASSWORD};

const USAGE: &str = "usage: recap-testing kafka | postgres | secured-kafka DIRECTORY\n\n\
    Starts a private server, prints its process id and address, and keeps it until standard input ends.";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("recap-testing: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("kafka") => {
            let server = KafkaServer::start().await?;
            println!("{} {}", server.pid()?, server.bootstrap());
            wait_for_the_end_of_input().await;
            drop(server);
        }
        Some("postgres") => {
            let server = PostgresServer::start().await?;
            println!("{} {}", server.pid()?, server.url("postgres"));
            wait_for_the_end_of_input().await;
            drop(server);
        }
        Some("secured-kafka") => {
            let dir = PathBuf::from(std::env::args().nth(2).context("secured-kafka DIRECTORY")?);
            let access = KafkaAccess::make()?;
            let mut options = access.options()?;
            let everyone = ("allow.everyone.if.no.acl.found", "true");
            options.settings.push((everyone.0.to_owned(), everyone.1.to_owned()));
            let server = KafkaServer::start_with(options).await?;
            std::fs::write(dir.join("ca.pem"), &access.authority.certificate)?;
            let properties = format!(
                "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\nssl.truststore.location={}\n\
                 sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"recap\" password=\"{SCRAM_PASSWORD}\";\n",
                dir.join("ca.pem").display()
            );
            std::fs::write(dir.join("client.properties"), properties)?;
            let sasl_ssl = server.listener(KafkaAccess::SASL_SSL).context("listener")?;
            println!("{} {sasl_ssl}", server.pid()?);
            wait_for_the_end_of_input().await;
            drop(server);
        }
        Some("--help" | "-h") => println!("{USAGE}"),
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn wait_for_the_end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However it ends, it is over.
    let _ = read.await;
}
