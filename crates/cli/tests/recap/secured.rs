//! The broker with access control that several tests share.

use anyhow::Result;
use recap_testing::{KafkaAccess, KafkaServer, World};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// The broker, which allows everything where no rule says otherwise.
pub struct Secured {
    pub access: KafkaAccess,
    pub kafka: KafkaServer,
}

static SECURED: OnceCell<Secured> = OnceCell::const_new();

impl Secured {
    pub async fn shared() -> Result<&'static Self> {
        SECURED.get_or_try_init(Self::start).await
    }

    async fn start() -> Result<Self> {
        let access = KafkaAccess::make()?;
        let mut options = access.options()?;
        options
            .settings
            .push(("allow.everyone.if.no.acl.found".to_owned(), "true".to_owned()));
        let kafka = KafkaServer::start_with(options).await?;
        Ok(Self { access, kafka })
    }

    /// Files with the certificates, as an operator mounts them.
    pub fn files(&self) -> Result<TempDir> {
        let dir = tempfile::tempdir()?;
        let client = &self.access.client;
        std::fs::write(dir.path().join("ca.pem"), &self.access.authority.certificate)?;
        std::fs::write(dir.path().join("client.pem"), &client.certificate)?;
        std::fs::write(dir.path().join("client.key"), &client.key)?;
        std::fs::write(
            dir.path().join("both.pem"),
            format!("{}{}", client.key, client.certificate),
        )?;
        Ok(dir)
    }

    pub async fn world(&'static self, name: &str) -> World<'static> {
        World::builder(name).kafka(&self.kafka).build().await
    }
}
