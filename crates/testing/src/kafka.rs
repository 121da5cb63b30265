//! A private Apache Kafka broker (KRaft, broker and controller in one process).

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryFuture, FutureProducer, Producer},
};
use recap_log::Cluster;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    acl::Acl,
    error::ServerError,
    guard::Spec,
    kafka_home::{java, libraries},
    kafka_properties::{LOG4J, server_properties},
    port::free_port,
    process::{ServerProcess, run},
    raw_record::RawRecord,
    record::Record,
};

const NAME: &str = "Apache Kafka";
const READY: Duration = Duration::from_mins(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(30);
const PORT_TRIES: usize = 5;
/// Any 16 bytes in unpadded URL-safe base 64; clusters started here never meet.
const CLUSTER_ID: &str = "cmVjYXAtc2VydmVycy10ZQ";

/// How a broker is set up.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Heap of the JVM in MiB.
    pub heap_mib: u32,
    /// Start faster and use fewer threads, at the price of throughput.
    pub quick_start: bool,
    /// More lines for `server.properties`; the last one of a name wins.
    pub settings: Vec<(String, String)>,
    /// Listeners beside the one in plain text, each a name with its protocol.
    pub listeners: Vec<(String, String)>,
    /// More arguments for the formatting of the storage.
    pub format_arguments: Vec<String>,
    /// More arguments for the JVM.
    pub jvm: Vec<String>,
}

impl Default for KafkaOptions {
    fn default() -> Self {
        Self {
            heap_mib: 512,
            quick_start: true,
            settings: Vec::new(),
            listeners: Vec::new(),
            format_arguments: Vec::new(),
            jvm: Vec::new(),
        }
    }
}

/// A running broker, stopped and removed on drop.
pub struct KafkaServer {
    process: ServerProcess,
    bootstrap: String,
    /// Ports of the other listeners, by name.
    listeners: Vec<(String, u16)>,
    producer: Mutex<Option<FutureProducer>>,
    _dir: TempDir,
}

static SHARED: OnceCell<KafkaServer> = OnceCell::const_new();

impl KafkaServer {
    /// Starts a broker for tests, see [`KafkaOptions::default`].
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_with(KafkaOptions::default()).await
    }

    /// Starts a broker with these options; fetches Apache Kafka first where it is not cached.
    pub async fn start_with(options: KafkaOptions) -> Result<Self, ServerError> {
        let mut last = None;
        for _ in 0..PORT_TRIES {
            let options = options.clone();
            let server = blocking(move || Self::launch(&options)).await?;
            match server.ready().await {
                Ok(()) => return Ok(server),
                // Most likely another process took a port between the search and the start.
                Err(error @ ServerError::Exited { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(ServerError::Stopped { server: NAME }))
    }

    /// The one broker of this process, started at its first use.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// The value for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The value for `bootstrap.servers` at another listener than the one in plain text.
    #[must_use]
    pub fn listener(&self, name: &str) -> Option<String> {
        let (_, port) = self.listeners.iter().find(|(known, _)| known == name)?;
        Some(format!("127.0.0.1:{port}"))
    }

    /// The cluster that is this broker.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        Cluster::at(self.bootstrap.as_str())
    }

    /// A client configuration that names this broker.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        self.cluster().client_with(|config| {
            // One broker that is away for a while is what fault tests do: try again soon.
            config.set("reconnect.backoff.max.ms", "1000");
        })
    }

    /// The process id of the broker.
    pub fn pid(&self) -> Result<u32, ServerError> {
        self.process.pid()
    }

    /// Sends a signal (`STOP`, `CONT`, …) to the broker.
    pub fn signal(&self, name: &str) -> Result<(), ServerError> {
        self.process.signal(name)
    }

    /// Shuts the broker down in order; its data stay.
    pub async fn stop(&self) {
        self.process.end("TERM").await;
    }

    /// Kills the broker by SIGKILL; its data stay.
    pub async fn kill(&self) {
        self.process.end("KILL").await;
    }

    /// Starts again after a stop, on the same port with the same data, and waits until it answers.
    pub async fn start_again(&self) -> Result<(), ServerError> {
        self.process.start_again()?;
        self.ready().await
    }

    /// Creates a topic, if it is not there, and waits until every partition has a leader.
    pub async fn topic(&self, name: &str, partitions: i32) -> Result<(), ServerError> {
        self.topic_with(name, partitions, &[]).await
    }

    /// As [`Self::topic`], with settings of its own.
    pub async fn topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<(), ServerError> {
        let doing = || format!("creating the topic {name}");
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = settings
            .iter()
            .fold(topic, |topic, (name, value)| topic.set(name, value));
        let results = self
            .admin()?
            .create_topics([&topic], &within_request_timeout())
            .await
            .map_err(ServerError::kafka(doing()))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => {
                    return Err(ServerError::kafka(doing())(KafkaError::AdminOp(code)));
                }
            }
        }
        self.led(name, partitions).await
    }

    /// Raises the number of partitions of a topic to `partitions` and waits until every one has a leader.
    pub async fn add_partitions(&self, name: &str, partitions: i32) -> Result<(), ServerError> {
        let doing = || format!("adding partitions to the topic {name}");
        let count = usize::try_from(partitions).unwrap_or_default();
        let results = self
            .admin()?
            .create_partitions([&NewPartitions::new(name, count)], &within_request_timeout())
            .await
            .map_err(ServerError::kafka(doing()))?;
        for result in results {
            match result {
                // It has them since an earlier try whose answer was lost.
                Ok(_) | Err((_, RDKafkaErrorCode::InvalidPartitions)) => {}
                Err((_, code)) => return Err(ServerError::kafka(doing())(KafkaError::AdminOp(code))),
            }
        }
        self.led(name, partitions).await?;
        // The producer would refuse the new partitions until it next asks for metadata by itself.
        let producer = self.producer()?;
        let topic = name.to_owned();
        let doing = doing();
        blocking(move || {
            let metadata = producer.client().fetch_metadata(Some(&topic), REQUEST_TIMEOUT);
            metadata.map(|_| ()).map_err(ServerError::kafka(doing))
        })
        .await
    }

    /// Publishes with an idempotent producer, in this order per partition, and returns once every record is
    /// acknowledged.
    pub async fn publish<'a>(&self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), ServerError> {
        let producer = self.producer()?;
        let mut pending: std::collections::VecDeque<DeliveryFuture> = std::collections::VecDeque::new();
        for record in records {
            let doing = || format!("publishing to {}", record.topic);
            let mut next = record.borrow();
            loop {
                match producer.send_result(next) {
                    Ok(delivery) => break pending.push_back(delivery),
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        next = back;
                        match pending.pop_front() {
                            Some(oldest) => acknowledged(oldest, doing).await?,
                            None => tokio::time::sleep(POLL).await,
                        }
                    }
                    Err((error, _)) => return Err(ServerError::kafka(doing())(error)),
                }
            }
        }
        for delivery in pending {
            acknowledged(delivery, || "publishing".to_owned()).await?;
        }
        Ok(())
    }

    /// Publishes one record that no client library would send, and returns once it is acknowledged.
    pub async fn publish_raw(&self, record: &RawRecord<'_>) -> Result<(), ServerError> {
        let doing = format!("publishing bytes to {}", record.topic);
        let published = record.publish(&self.bootstrap).await;
        published.map_err(ServerError::io(doing))
    }

    /// Makes a rule of access control.
    pub async fn allow(&self, rule: Acl<'_>) -> Result<(), ServerError> {
        rule.create(&self.bootstrap)
            .await
            .map_err(ServerError::io("making a rule"))
    }

    pub(crate) fn admin(&self) -> Result<AdminClient<DefaultClientContext>, ServerError> {
        self.client()
            .create()
            .map_err(ServerError::kafka("creating an admin client"))
    }

    fn producer(&self) -> Result<FutureProducer, ServerError> {
        let mut kept = self.kept_producer();
        if let Some(producer) = &*kept {
            return Ok(producer.clone());
        }
        let producer: FutureProducer = self
            .client()
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("message.max.bytes", "16777216")
            .create()
            .map_err(ServerError::kafka("creating a producer"))?;
        *kept = Some(producer.clone());
        Ok(producer)
    }

    /// The next publication is another producer's: this one may know leaders that are no more, or no broker at all.
    pub fn forget_producer(&self) {
        *self.kept_producer() = None;
    }

    fn kept_producer(&self) -> MutexGuard<'_, Option<FutureProducer>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the broker knows a leader for each of that many partitions.
    async fn led(&self, topic: &str, partitions: i32) -> Result<(), ServerError> {
        let doing = format!("waiting for the leaders of {topic}");
        let expected = usize::try_from(partitions).unwrap_or_default();
        let admin = self.admin()?;
        let topic = topic.to_owned();
        blocking(move || {
            let start = Instant::now();
            loop {
                let metadata = admin.inner().fetch_metadata(Some(&topic), REQUEST_TIMEOUT);
                let led = metadata.as_ref().is_ok_and(|metadata| {
                    metadata.topics().iter().any(|found| {
                        found.name() == topic
                            && found.partitions().len() >= expected
                            && found.partitions().iter().all(|part| part.leader() >= 0)
                    })
                });
                if led {
                    return Ok(());
                }
                if start.elapsed() > READY {
                    let error = metadata
                        .err()
                        .unwrap_or(KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable));
                    return Err(ServerError::kafka(doing)(error));
                }
                std::thread::sleep(POLL);
            }
        })
        .await
    }

    /// Waits until the broker answers a request for metadata with itself.
    async fn ready(&self) -> Result<(), ServerError> {
        let answers = async || {
            // librdkafka complains aloud about refused connections: knock first.
            let knock = tokio::net::TcpStream::connect(&self.bootstrap).await;
            Ok(knock.is_ok() && self.answers().await?)
        };
        self.process.until(answers, READY).await
    }

    async fn answers(&self) -> Result<bool, ServerError> {
        let admin = self.admin()?;
        blocking(move || {
            let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(5));
            Ok(metadata.is_ok_and(|metadata| !metadata.brokers().is_empty()))
        })
        .await
    }

    fn launch(options: &KafkaOptions) -> Result<Self, ServerError> {
        let doing = || format!("preparing a directory for {NAME}");
        let java = java()?;
        let classes = libraries()?.join("*");
        let dir = tempfile::Builder::new()
            .prefix("recap-kafka-")
            .tempdir()
            .map_err(ServerError::io(doing()))?;
        let port = free_port().map_err(ServerError::io("finding a free port"))?;
        let controller = free_port().map_err(ServerError::io("finding a free port"))?;
        let properties = dir.path().join("server.properties");
        let log4j = dir.path().join("log4j2.properties");
        let listeners = options
            .listeners
            .iter()
            .map(|(name, _)| Ok((name.clone(), free_port()?)));
        let listeners: Vec<_> = listeners
            .collect::<std::io::Result<_>>()
            .map_err(ServerError::io("finding a free port"))?;
        fs::write(
            &properties,
            server_properties(dir.path(), port, controller, &listeners, options),
        )
        .and_then(|()| fs::write(&log4j, LOG4J))
        .map_err(ServerError::io(doing()))?;

        let mut arguments = vec![format!("-Xmx{}m", options.heap_mib)];
        if options.quick_start {
            arguments.extend(["-XX:TieredStopAtLevel=1".into(), "-XX:+UseSerialGC".into()]);
        }
        arguments.push(format!("-Dlog4j2.configurationFile={}", log4j.display()));
        arguments.extend_from_slice(&options.jvm);
        arguments.extend(["-cp".into(), classes.display().to_string()]);

        format_storage(&java, &arguments, &properties, &options.format_arguments, dir.path())?;
        arguments.extend(["kafka.Kafka".into(), properties.display().to_string()]);
        let spec = Spec {
            program: java,
            arguments: arguments.into_iter().map(Into::into).collect(),
            dir: dir.path().to_path_buf(),
            log: dir.path().join("log"),
            stop: "KILL",
            user: None,
        };
        Ok(Self {
            process: ServerProcess::start(NAME, spec)?,
            bootstrap: format!("127.0.0.1:{port}"),
            listeners,
            producer: Mutex::default(),
            _dir: dir,
        })
    }
}

impl Drop for KafkaServer {
    fn drop(&mut self) {
        if let Some(producer) = &*self.kept_producer() {
            let _ = producer.flush(Duration::ZERO);
        }
    }
}

pub(crate) async fn blocking<T, F>(work: F) -> Result<T, ServerError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ServerError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ServerError::Io {
            doing: format!("working with {NAME}"),
            source: error.into(),
        })?
}

async fn acknowledged(delivery: DeliveryFuture, doing: impl FnOnce() -> String) -> Result<(), ServerError> {
    match delivery.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(ServerError::kafka(doing())(error)),
        Err(_) => Err(ServerError::kafka(doing())(KafkaError::Canceled)),
    }
}

fn within_request_timeout() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(REQUEST_TIMEOUT))
        .operation_timeout(Some(REQUEST_TIMEOUT))
}

fn format_storage(
    java: &Path,
    arguments: &[String],
    properties: &Path,
    more: &[String],
    dir: &Path,
) -> Result<(), ServerError> {
    let mut command = Command::new(java);
    command
        .args(arguments)
        .args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
        .arg(properties)
        .args(more);
    run(
        command,
        "kafka.tools.StorageTool",
        "formatting the storage of Apache Kafka",
        &dir.join("format.log"),
    )
}
