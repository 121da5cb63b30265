//! Records published in a transaction (KIP-98).

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::{
    LIMIT, Record, ServerError,
    kafka::{KafkaServer, blocking},
};

impl KafkaServer {
    /// Publishes in one transaction, which is committed or aborted, and returns once its markers are written: a commit is acknowledged before anybody can read
    /// it. After an error it may be either; publishing again under the same `id` aborts what is open.
    pub async fn publish_in_transaction(
        &self,
        id: &str,
        records: Vec<Record>,
        commit: bool,
    ) -> Result<(), ServerError> {
        let mut config = self.client();
        config.set("transactional.id", id).set("message.max.bytes", "16777216");
        let doing = || ServerError::kafka("publishing in a transaction");
        blocking(move || {
            let producer: BaseProducer = config.create().map_err(doing())?;
            producer.init_transactions(LIMIT).map_err(doing())?;
            producer.begin_transaction().map_err(doing())?;
            for record in &records {
                let mut next: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&record.topic);
                next.key = record.key.as_deref();
                next.payload = record.value.as_deref();
                producer.send(next).map_err(|(error, _)| doing()(error))?;
            }
            producer.flush(LIMIT).map_err(doing())?;
            if commit {
                producer.commit_transaction(LIMIT).map_err(doing())?;
            } else {
                producer.abort_transaction(LIMIT).map_err(doing())?;
            }
            // The next one begins after the markers of the one before.
            let next: BaseProducer = config.create().map_err(doing())?;
            next.init_transactions(LIMIT).map_err(doing())
        })
        .await
    }
}
