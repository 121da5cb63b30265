//! Publishes the sample log to Kafka with an idempotent producer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use rdkafka::{
    ClientConfig, ClientContext,
    error::KafkaError,
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
    types::RDKafkaErrorCode,
};
use recap_generator::Record;

/// What the brokers said about the records sent so far.
#[derive(Clone, Debug, Default)]
struct Deliveries {
    acknowledged: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = if result.is_ok() {
            &self.acknowledged
        } else {
            &self.refused
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// An idempotent producer that waits while its queue is full.
pub struct Publisher {
    producer: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    sent: u64,
}

impl Publisher {
    pub fn connect(mut config: ClientConfig) -> anyhow::Result<Self> {
        let deliveries = Deliveries::default();
        config
            .set("enable.idempotence", "true")
            .set("linger.ms", "10")
            .set("batch.size", "262144")
            .set("message.max.bytes", "16777216")
            .set("compression.type", "zstd")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "131072");
        let producer = config
            .create_with_context(deliveries.clone())
            .context("the Kafka producer can't start")?;
        Ok(Self {
            producer,
            deliveries,
            sent: 0,
        })
    }

    /// Queues one event; waits for room and reports refusals of earlier records. It is as young as its publication: brokers drop
    /// records by age, and a sample may tell of last year.
    pub fn send(&mut self, record: &Record) -> anyhow::Result<()> {
        self.send_record(
            BaseRecord::to(record.topic.name())
                .key(record.key.as_slice())
                .payload(record.value.as_slice()),
        )
    }

    /// As [`Self::send`], for any record.
    pub fn send_record(&mut self, mut queued: BaseRecord<'_, [u8], [u8]>) -> anyhow::Result<()> {
        loop {
            match self.producer.send(queued) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.producer.poll(Duration::from_millis(10));
                    queued = back;
                }
                Err((error, _)) => return Err(error).context("Kafka refused a record"),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(256) {
            self.producer.poll(Duration::ZERO);
            self.refuse_losses()?;
        }
        Ok(())
    }

    /// Lets a pause go by, then serves the producer's callbacks: waiting in `poll` would wake up for each of them.
    pub fn wait(&self, pause: Duration) {
        std::thread::sleep(pause);
        self.producer.poll(Duration::ZERO);
    }

    /// Returns once the brokers have acknowledged everything sent.
    pub fn flush(&self) -> anyhow::Result<()> {
        self.producer
            .flush(Duration::from_mins(2))
            .context("Kafka has not acknowledged everything")?;
        self.refuse_losses()
    }

    /// Records acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.deliveries.acknowledged.load(Ordering::Relaxed)
    }

    fn refuse_losses(&self) -> anyhow::Result<()> {
        match self.deliveries.refused.load(Ordering::Relaxed) {
            0 => Ok(()),
            refused => bail!("Kafka refused {refused} records"),
        }
    }
}
