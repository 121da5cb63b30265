//! Everything that one test of several parts has to itself, on servers that it shares or not.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what a test cannot do in its world fails that test"
)]

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use crate::{KafkaServer, LIMIT, PostgresServer, Program, TestDatabase, TestLog, eventually, port::free_port};

/// A log and a migrated database of one test's own, and programs that work on them.
pub struct World<'s> {
    /// The topics, and the consumer group of the projectors.
    pub log: TestLog<'s>,
    /// The database, migrated.
    pub database: TestDatabase<'s>,
}

/// What a test means to have, see [`World::builder`].
pub struct WorldBuilder<'s> {
    test: String,
    partitions: i32,
    kafka: Option<&'s KafkaServer>,
    postgres: Option<&'s PostgresServer>,
}

impl<'s> WorldBuilder<'s> {
    /// Partitions of every topic; 2 unless said otherwise, 0 for topics that do not exist yet.
    #[must_use]
    pub fn partitions(self, partitions: i32) -> Self {
        Self { partitions, ..self }
    }

    /// A broker of the test's own, to stop or kill.
    #[must_use]
    pub fn kafka(self, kafka: &'s KafkaServer) -> Self {
        Self {
            kafka: Some(kafka),
            ..self
        }
    }

    /// A PostgreSQL server of the test's own, to stop or kill.
    #[must_use]
    pub fn postgres(self, postgres: &'s PostgresServer) -> Self {
        Self {
            postgres: Some(postgres),
            ..self
        }
    }

    /// Starts the servers that do not run yet, and makes the topics and the database.
    pub async fn build(self) -> World<'s> {
        let kafka = match self.kafka {
            Some(kafka) => kafka,
            None => KafkaServer::shared().await.unwrap(),
        };
        let postgres = match self.postgres {
            Some(postgres) => postgres,
            None => PostgresServer::shared().await.unwrap(),
        };
        let world = World {
            log: TestLog::named(kafka, &self.test),
            database: TestDatabase::migrated(postgres).await,
        };
        if self.partitions > 0 {
            world.create_topics(self.partitions).await;
        }
        world
    }
}

impl<'s> World<'s> {
    /// A world of the test of this name, on the servers that all tests of the process share.
    #[must_use]
    pub fn builder(test: &str) -> WorldBuilder<'s> {
        WorldBuilder {
            test: test.to_owned(),
            partitions: 2,
            kafka: None,
            postgres: None,
        }
    }

    /// Creates every topic, also while brokers come and go.
    pub async fn create_topics(&self, partitions: i32) {
        for topic in self.log.topics() {
            let create = async || self.log.kafka().topic(&topic, partitions).await;
            eventually(&topic, LIMIT, create, Result::is_ok).await.unwrap();
        }
    }

    /// Publishes to the topics they name; a record with an empty key has none.
    pub async fn publish(&self, records: &[recap_generator::Record]) {
        self.log.publish(records).await.unwrap();
    }

    /// Records that the projectors have not committed yet.
    pub async fn lag(&self) -> u64 {
        self.log.lag(self.log.group()).await.unwrap()
    }

    /// Waits until every record is committed, which it is only after the database has it. Brokers that come and go, and topics that were just created
    /// anew, may have no answer yet.
    pub async fn caught_up(&self, limit: Duration) {
        eventually(
            "records not committed",
            limit,
            async || self.log.lag(self.log.group()).await,
            |lag| matches!(lag, Ok(0)),
        )
        .await
        .unwrap();
    }

    /// Starts a projector as a process; see [`Self::projector_flags`] for `more`.
    #[must_use]
    pub fn projector(&self, program: &str, more: &[&str]) -> Program {
        let admin = format!("127.0.0.1:{}", free_port().unwrap());
        let mut command = Command::new(program);
        command
            .args(self.projector_flags(more))
            .arg(format!("--admin-addr={admin}"))
            .arg("--log=warn,recap_projector=info");
        Program::start(command, admin)
    }

    /// The flags of a projector from this log to this database: short timeouts and a dynamic member of its group,
    /// where `more` does not say otherwise.
    #[must_use]
    pub fn projector_flags(&self, more: &[&str]) -> Vec<String> {
        let usual = [
            ("database-url", self.database.url.clone()),
            ("kafka-bootstrap-servers", self.log.kafka().bootstrap().to_owned()),
            ("topics", self.log.topics().join(",")),
            ("consumer-group", self.log.group().to_owned()),
            ("dead-letter-topic", self.log.dead_letters()),
            ("group-instance-id", String::new()),
            ("topic-refresh", "500ms".to_owned()),
            ("session-timeout", "6s".to_owned()),
            ("drain-timeout", "4s".to_owned()),
            ("offset-commit-interval", "100ms".to_owned()),
        ];
        let given = |name: &str| more.iter().any(|flag| flag.starts_with(&format!("--{name}=")));
        let usual = usual.iter().filter(|(name, _)| !given(name));
        let usual = usual.map(|(name, value)| format!("--{name}={value}"));
        usual.chain(more.iter().map(|&flag| flag.to_owned())).collect()
    }

    /// A program whose environment names this log and this database; killed when dropped.
    #[must_use]
    pub fn command(&self, program: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(program);
        command
            .env("DATABASE_URL", &self.database.url)
            .env("KAFKA_BOOTSTRAP_SERVERS", self.log.kafka().bootstrap())
            .env("RECAP_TOPICS", self.log.topics().join(","))
            .env("RECAP_CONSUMER_GROUP", self.log.group())
            .env("RECAP_DEAD_LETTER_TOPIC", self.log.dead_letters())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a program to its end.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = self.command(program);
        let output = tokio::time::timeout(LIMIT, command.args(arguments).output());
        output.await.unwrap().unwrap()
    }
}
