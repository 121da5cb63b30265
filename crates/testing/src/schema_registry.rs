//! A private schema registry: Apicurio Registry with Confluent's API, its schemas in memory; fetched once from Maven Central into the user's cache.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    error::ServerError,
    guard::Spec,
    kafka::blocking,
    kafka_home::{cache_directory, java},
    port::free_port,
    process::{ServerProcess, run},
};

const NAME: &str = "Apicurio Registry";
/// The last one that runs on Java 17, as Kafka does, and whose parent is in Maven Central.
const VERSION: &str = "2.6.13.Final";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
const READY: Duration = Duration::from_mins(3);

/// A running registry, stopped and removed on drop. It forgets its schemas when it stops.
pub struct SchemaRegistryServer {
    process: ServerProcess,
    url: String,
    _dir: TempDir,
}

static SHARED: OnceCell<SchemaRegistryServer> = OnceCell::const_new();

impl SchemaRegistryServer {
    /// The one registry of this process, started at its first use.
    pub async fn shared() -> Result<&'static Self, ServerError> {
        SHARED.get_or_try_init(Self::start).await
    }

    async fn start() -> Result<Self, ServerError> {
        let server = blocking(Self::launch).await?;
        let subjects = format!("{}/subjects", server.url);
        let answers = async || {
            Ok(reqwest::get(&subjects)
                .await
                .is_ok_and(|answer| answer.status().is_success()))
        };
        server.process.until(answers, READY).await?;
        Ok(server)
    }

    /// Where Confluent's API is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Registers a schema under a subject and returns its id. `references`: each a name, a subject and a version.
    pub async fn register(
        &self,
        subject: &str,
        schema_type: &str,
        schema: &str,
        references: &[(&str, &str, i64)],
    ) -> Result<u32, ServerError> {
        let references: Vec<Value> = references
            .iter()
            .map(|(name, subject, version)| json!({"name": name, "subject": subject, "version": version}))
            .collect();
        let body = json!({"schemaType": schema_type, "schema": schema, "references": references});
        let url = format!("{}/subjects/{subject}/versions", self.url);
        let doing = || format!("registering {subject}");
        let failed = |error: reqwest::Error| ServerError::io(doing())(std::io::Error::other(error));
        let answer = reqwest::Client::new()
            .post(url)
            .json(&body)
            .send()
            .await
            .map_err(failed)?;
        let answer: Value = answer.json().await.map_err(failed)?;
        let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| ServerError::io(doing())(std::io::Error::other(answer.to_string())))
    }

    fn launch() -> Result<Self, ServerError> {
        let java = java()?;
        let jar = home()?.join(format!("apicurio-registry-app-{VERSION}-runner.jar"));
        let dir = tempfile::Builder::new()
            .prefix("recap-schema-registry-")
            .tempdir()
            .map_err(ServerError::io(format!("preparing a directory for {NAME}")))?;
        let port = free_port().map_err(ServerError::io("finding a free port"))?;
        let arguments = [
            "-Xmx384m".to_owned(),
            "-XX:TieredStopAtLevel=1".to_owned(),
            "-XX:+UseSerialGC".to_owned(),
            "-Dquarkus.http.host=127.0.0.1".to_owned(),
            format!("-Dquarkus.http.port={port}"),
            "-jar".to_owned(),
            jar.display().to_string(),
        ];
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
            url: format!("http://127.0.0.1:{port}/apis/ccompat/v7"),
            _dir: dir,
        })
    }
}

/// The unpacked registry, fetched if it is not in the cache. Blocks, for up to minutes while fetching.
fn home() -> Result<PathBuf, ServerError> {
    let cache = cache_directory()?;
    let home = cache.join(format!("apicurio-registry-{VERSION}"));
    let doing = || format!("fetching {NAME} {VERSION} into {}", home.display());
    if home.is_dir() {
        return Ok(home);
    }
    fs::create_dir_all(&cache).map_err(ServerError::io(doing()))?;
    let lock = File::create(cache.join("apicurio-registry.lock")).map_err(ServerError::io(doing()))?;
    // Released when the file is closed, also by the end of this process.
    lock.lock().map_err(ServerError::io(doing()))?;
    if !home.is_dir() {
        fetch(&cache, &home, &doing())?;
    }
    Ok(home)
}

/// Fetches into a directory beside `home` and renames it, so that `home` is complete or absent.
fn fetch(cache: &Path, home: &Path, doing: &str) -> Result<(), ServerError> {
    tracing::info!(version = VERSION, cache = %cache.display(), "fetching Apicurio Registry from Maven Central");
    let part = tempfile::Builder::new()
        .prefix("apicurio-registry-part-")
        .tempdir_in(cache)
        .map_err(ServerError::io(doing))?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--batch-mode", "--quiet", COPY])
        .arg(format!(
            "-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
        ))
        .arg(format!("-DoutputDirectory={}", part.path().display()))
        .current_dir(part.path());
    run(maven, "mvn", doing, &part.path().join("fetch.log"))?;
    let archive = format!("apicurio-registry-app-{VERSION}-all.tar.gz");
    let mut tar = Command::new("tar");
    tar.args(["-xzf", &archive]).current_dir(part.path());
    run(tar, "tar", doing, &part.path().join("unpack.log"))?;
    fs::remove_file(part.path().join(archive)).map_err(ServerError::io(doing))?;
    fs::rename(part.keep(), home).map_err(ServerError::io(doing))
}
