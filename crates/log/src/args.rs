//! The flags and variables that say where Kafka is and what the log is, the same for every program.

use std::{fmt, path::PathBuf, sync::Arc};

use clap::Args;
use recap_events::MaxTimeAhead;
use recap_mapping::Mappings;
use recap_schema_registry::SchemaRegistryArgs;
use secrecy::SecretString;

use crate::{
    Cluster, Log, options,
    topic::{Topic, is_topic_name},
};

/// Where Kafka is, and what else its clients need.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Brokers to begin with, `host:port` separated by commas
    #[arg(
        long = "kafka-bootstrap-servers",
        alias = "bootstrap-servers",
        env = "KAFKA_BOOTSTRAP_SERVERS",
        value_name = "HOSTS"
    )]
    pub bootstrap_servers: Option<String>,

    /// More options of librdkafka for every client, such as TLS and SASL: a Java properties file, as Kafka's own tools read by
    /// `--command-config`
    #[arg(long, env = "RECAP_KAFKA_OPTIONS_FILE", value_name = "FILE")]
    pub kafka_options_file: Option<PathBuf>,

    /// The same here, counting more than the file; a value with a comma stands in quotes, `key="a,b"`
    #[arg(
        long,
        env = "RECAP_KAFKA_OPTIONS",
        value_name = "KEY=VALUE,…",
        hide_env_values = true
    )]
    pub kafka_options: Option<SecretString>,
}

/// The log that recap projects.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub struct LogArgs {
    /// The cluster.
    #[command(flatten)]
    pub kafka: KafkaArgs,

    /// Topics of the log; one that does not exist yet is waited for
    #[arg(long, env = "RECAP_TOPICS", value_name = "NAMES", default_value_t = Topic::default_names())]
    pub topics: String,

    /// Consumer group of the projectors, which share the partitions
    #[arg(
        long,
        env = "RECAP_CONSUMER_GROUP",
        value_name = "NAME",
        default_value = "recap-projector"
    )]
    pub consumer_group: String,

    /// An event is refused whose time is more than this after its record's timestamp, or `off`; the same for all programs, or a rebuild
    /// differs from what it rebuilds
    #[arg(long, env = "RECAP_MAX_TIME_AHEAD", value_name = "DURATION", default_value = "24h")]
    pub max_time_ahead: String,

    /// Folder with a jq program `<topic>.jq` for each topic whose records are no events yet; the same for all programs
    #[arg(long, env = "RECAP_MAPPINGS", value_name = "DIR")]
    pub mappings: Option<PathBuf>,

    /// By whose schemas values are decoded before they are mapped.
    #[command(flatten)]
    pub schema_registry: SchemaRegistryArgs,
}

/// Where events go that break the contract.
#[derive(Clone, Debug, Args)]
pub struct DeadLetterArgs {
    /// Topic of the dead letters
    #[arg(
        long,
        env = "RECAP_DEAD_LETTER_TOPIC",
        value_name = "NAME",
        default_value = "recap.dead-letters"
    )]
    pub dead_letter_topic: String,
}

/// Every mistake in the flags and variables about Kafka, each with the name of its variable. No message quotes a value that
/// may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidKafkaArgs(pub Vec<String>);

impl fmt::Display for InvalidKafkaArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration of Kafka is not valid:")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl KafkaArgs {
    /// The cluster.
    pub fn cluster(&self) -> Result<Cluster, InvalidKafkaArgs> {
        let mut mistakes = Vec::new();
        let cluster = self.read(&mut mistakes);
        valid(cluster, mistakes)
    }

    /// The cluster; every mistake is added to `mistakes`, and the value is of use only when there is none.
    pub fn read(&self, mistakes: &mut Vec<String>) -> Cluster {
        let servers = self.bootstrap_servers.as_deref().unwrap_or_default().trim();
        if servers.is_empty() {
            mistakes.push("KAFKA_BOOTSTRAP_SERVERS: is required, as `host:port,…`".to_owned());
        }
        let options = options::read(
            self.kafka_options_file.as_deref(),
            self.kafka_options.as_ref(),
            mistakes,
        );
        Cluster::with_options(servers, options)
    }
}

impl LogArgs {
    /// The log.
    pub fn log(&self) -> Result<Log, InvalidKafkaArgs> {
        let mut mistakes = Vec::new();
        let log = self.read(&mut mistakes);
        valid(log, mistakes)
    }

    /// The log; every mistake is added to `mistakes`, and the value is of use only when there is none.
    pub fn read(&self, mistakes: &mut Vec<String>) -> Log {
        let cluster = self.kafka.read(mistakes);
        let topics = read_topics(&self.topics, mistakes);
        let group = self.consumer_group.trim();
        if group.is_empty() {
            mistakes.push("RECAP_CONSUMER_GROUP: is required".to_owned());
        }
        let mappings = self.read_mappings(&topics, mistakes);
        let schema_registry = self.schema_registry.read(mistakes);
        Log {
            max_time_ahead: read_max_time_ahead(&self.max_time_ahead, mistakes),
            mappings: if schema_registry.is_some() {
                mappings.with_schemas()
            } else {
                mappings
            },
            schema_registry,
            ..Log::new(cluster, topics, group)
        }
    }
}

impl LogArgs {
    fn read_mappings(&self, topics: &[Arc<str>], mistakes: &mut Vec<String>) -> Mappings {
        // A variable that is set to nothing is not set.
        let Some(folder) = self.mappings.as_deref().filter(|folder| !folder.as_os_str().is_empty()) else {
            return Mappings::default();
        };
        Mappings::load(folder, topics).unwrap_or_else(|found| {
            mistakes.extend(found.0.into_iter().map(|mistake| format!("RECAP_MAPPINGS: {mistake}")));
            Mappings::default()
        })
    }
}

impl DeadLetterArgs {
    /// The topic of the dead letters, which is none of the log's; every mistake is added to `mistakes`.
    pub fn read(&self, log: &[Arc<str>], mistakes: &mut Vec<String>) -> String {
        let topic = self.dead_letter_topic.trim();
        if !is_topic_name(topic) {
            mistakes.push(format!("RECAP_DEAD_LETTER_TOPIC: `{topic}` is not a topic name"));
        }
        if log.iter().any(|known| **known == *topic) {
            mistakes.push(format!("RECAP_DEAD_LETTER_TOPIC: `{topic}` is one of RECAP_TOPICS"));
        }
        topic.to_owned()
    }
}

fn read_max_time_ahead(text: &str, mistakes: &mut Vec<String>) -> MaxTimeAhead {
    let text = text.trim();
    if text == "off" {
        return MaxTimeAhead::OFF;
    }
    humantime::parse_duration(text).map_or_else(
        |_| {
            mistakes.push(format!(
                "RECAP_MAX_TIME_AHEAD: `{text}` is neither a duration such as `24h` nor `off`"
            ));
            MaxTimeAhead::OFF
        },
        MaxTimeAhead::new,
    )
}

fn read_topics(text: &str, mistakes: &mut Vec<String>) -> Vec<Arc<str>> {
    let mut topics: Vec<Arc<str>> = Vec::new();
    for topic in text.split(',').map(str::trim).filter(|topic| !topic.is_empty()) {
        if !is_topic_name(topic) {
            mistakes.push(format!("RECAP_TOPICS: `{topic}` is not a topic name"));
        } else if !topics.iter().any(|known| **known == *topic) {
            topics.push(topic.into());
        }
    }
    if topics.is_empty() {
        mistakes.push("RECAP_TOPICS: names no topic".to_owned());
    }
    topics
}

fn valid<T>(value: T, mistakes: Vec<String>) -> Result<T, InvalidKafkaArgs> {
    if mistakes.is_empty() {
        Ok(value)
    } else {
        Err(InvalidKafkaArgs(mistakes))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use std::time::Duration;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        log: LogArgs,
    }

    fn read(arguments: &[&str]) -> Result<Log, InvalidKafkaArgs> {
        let all = ["recap"].iter().chain(arguments);
        Command::try_parse_from(all).unwrap().log.log()
    }

    #[test]
    fn the_defaults_are_the_contracts_topics_and_the_projectors_group() {
        let log = read(&["--kafka-bootstrap-servers=kafka:9092"]).unwrap();
        assert_eq!(log.topics.len(), Topic::ALL.len());
        assert_eq!(&*log.group, "recap-projector");
        assert_eq!(log.cluster.bootstrap_servers(), "kafka:9092");
        assert_eq!(log.max_time_ahead, MaxTimeAhead::default());
    }

    #[test]
    fn times_ahead_have_a_limit_or_none() {
        let limit = |text: &str| {
            let limit = format!("--max-time-ahead={text}");
            read(&["--bootstrap-servers=k:1", &limit]).unwrap().max_time_ahead
        };
        assert_eq!(limit("90m"), MaxTimeAhead::new(Duration::from_mins(90)));
        assert_eq!(limit("24h"), MaxTimeAhead::default());
        assert_eq!(limit("off"), MaxTimeAhead::OFF);
    }

    #[test]
    fn topics_are_trimmed_and_named_once() {
        let log = read(&["--bootstrap-servers=k:1", "--topics= a ,b,,a"]).unwrap();
        let topics: Vec<&str> = log.topics.iter().map(AsRef::as_ref).collect();
        assert_eq!(topics, ["a", "b"]);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let error = read(&[
            "--topics=a b",
            "--consumer-group= ",
            "--kafka-options=group.id=x",
            "--max-time-ahead=soon",
            "--mappings=/nowhere",
        ])
        .unwrap_err();
        let text = error.to_string();
        for variable in [
            "KAFKA_BOOTSTRAP_SERVERS",
            "RECAP_TOPICS: `a b`",
            "RECAP_TOPICS: names no topic",
            "RECAP_CONSUMER_GROUP",
            "RECAP_KAFKA_OPTIONS",
            "RECAP_MAX_TIME_AHEAD: `soon`",
            "RECAP_MAPPINGS: /nowhere",
        ] {
            assert!(text.contains(variable), "{variable} is not in: {text}");
        }
    }
}
