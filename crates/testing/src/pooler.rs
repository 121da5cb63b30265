//! `PgBouncer` in front of a PostgreSQL server.

use std::{fs, path::PathBuf, time::Duration};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::{
    ServerError,
    guard::Spec,
    port::free_port,
    postgres::{PostgresServer, directory},
    process::ServerProcess,
};

const NAME: &str = "PgBouncer";
const INSTALL: &str = "install PgBouncer (Debian and Ubuntu: apt-get install pgbouncer)";
const READY: Duration = Duration::from_secs(20);

/// A running pooler; stopped and removed on drop.
#[derive(Debug)]
pub struct Pooler {
    process: ServerProcess,
    port: u16,
    _dir: TempDir,
}

impl Pooler {
    /// Starts one; `mode` is `session` or `transaction`. It takes no other settings than an installation has by itself.
    pub async fn start(server: &PostgresServer, mode: &str) -> Result<Self, ServerError> {
        let doing = || format!("preparing {NAME}");
        let (dir, user) = directory()?;
        let port = free_port().map_err(ServerError::io(doing()))?;
        let users = dir.path().join("users.txt");
        fs::write(&users, format!("\"recap\" \"{}\"\n", server.password())).map_err(ServerError::io(doing()))?;
        let config = dir.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\n",
            server.port(),
            users.display(),
        );
        fs::write(&config, text).map_err(ServerError::io(doing()))?;
        let spec = Spec {
            program: find()?,
            arguments: vec![config.into()],
            dir: dir.path().to_path_buf(),
            log: dir.path().join("log"),
            stop: "QUIT",
            user,
        };
        let pooler = Self {
            process: ServerProcess::start(NAME, spec)?,
            port,
            _dir: dir,
        };
        let answers = async || Ok(TcpStream::connect(("127.0.0.1", port)).await.is_ok());
        pooler.process.until(answers, READY).await?;
        Ok(pooler)
    }

    /// A URL with this pooler in place of its server.
    #[must_use]
    pub fn in_url(&self, url: &str, server: &PostgresServer) -> String {
        url.replace(
            &format!("127.0.0.1:{}", server.port()),
            &format!("127.0.0.1:{}", self.port),
        )
    }
}

/// Debian puts it where only root looks.
fn find() -> Result<PathBuf, ServerError> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&on_path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let mut programs = places.map(|place| place.join("pgbouncer"));
    programs.find(|program| program.is_file()).ok_or(ServerError::Missing {
        what: NAME,
        install: INSTALL,
    })
}
