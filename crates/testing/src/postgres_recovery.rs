//! Point-in-time recovery: a base backup of a server that archives its write-ahead log, and a server recovered from both to a moment.

use std::{fs::File, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::{
    LIMIT, ServerError, eventually,
    guard::User,
    postgres::{PostgresOptions, PostgresServer, directory, find_binaries, program},
    process::run,
};

/// A folder that servers archive the segments of their write-ahead log in.
#[derive(Debug)]
pub struct WalArchive(TempDir);

/// A copy of a server as `pg_basebackup` makes it, without any of its write-ahead log.
#[derive(Debug)]
pub struct BaseBackup {
    dir: TempDir,
    data: PathBuf,
    user: Option<User>,
    password: String,
}

impl WalArchive {
    /// An empty one.
    pub fn new() -> Result<Self, ServerError> {
        Ok(Self(directory()?.0))
    }

    /// How a server is started that archives here.
    #[must_use]
    pub fn options(&self) -> PostgresOptions {
        let archive = format!("cp %p {}/%f", self.0.path().display());
        PostgresOptions {
            settings: settings([("archive_mode", "on".to_owned()), ("archive_command", archive)]),
            ..PostgresOptions::default()
        }
    }

    /// Waits until everything is here that `server` has committed.
    pub async fn holds_all_of(&self, server: &PostgresServer) -> Result<(), ServerError> {
        let last: String = server.scalar("SELECT pg_walfile_name(pg_switch_wal())").await?;
        let archived = async || {
            let last = server.scalar::<Option<String>>("SELECT last_archived_wal FROM pg_stat_archiver");
            last.await.ok().flatten()
        };
        eventually("the last archived segment", LIMIT, archived, |archived| {
            archived.as_ref() >= Some(&last)
        })
        .await;
        Ok(())
    }
}

impl PostgresServer {
    /// A base backup, which the archive is needed with.
    pub async fn base_backup(&self) -> Result<BaseBackup, ServerError> {
        let (password, port) = (self.password().to_owned(), self.port());
        in_background("making a base backup", move || back_up(port, password)).await
    }

    /// The moment by the server's clock: later commits are later.
    pub async fn now(&self) -> Result<String, ServerError> {
        self.scalar("SELECT clock_timestamp()::text").await
    }
}

impl BaseBackup {
    /// A server with everything that was committed until `moment`, on a timeline of its own.
    pub async fn recover(self, archive: &WalArchive, moment: &str) -> Result<PostgresServer, ServerError> {
        let restore = format!("cp {}/%f %p", archive.0.path().display());
        let options = PostgresOptions {
            settings: settings([
                ("restore_command", restore),
                ("recovery_target_time", moment.to_owned()),
                ("recovery_target_action", "promote".to_owned()),
            ]),
            ..PostgresOptions::default()
        };
        let doing = "starting the recovery";
        let server = in_background(doing, move || {
            File::create(self.data.join("recovery.signal")).map_err(ServerError::io(doing))?;
            PostgresServer::serve(
                self.dir,
                &self.data,
                &find_binaries()?,
                self.password,
                self.user,
                &options,
            )
        })
        .await?;
        server.ready().await?;
        let recovers = async || {
            server
                .scalar::<bool>("SELECT pg_is_in_recovery()")
                .await
                .unwrap_or(true)
        };
        eventually("the recovery", LIMIT, recovers, |recovers| !recovers).await;
        Ok(server)
    }
}

fn settings<const N: usize>(given: [(&str, String); N]) -> Vec<(String, String)> {
    given.map(|(name, value)| (name.to_owned(), value)).into()
}

async fn in_background<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T, ServerError> + Send + 'static,
) -> Result<T, ServerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ServerError::Io {
        doing: doing.to_owned(),
        source: error.into(),
    })?
}

fn back_up(port: u16, password: String) -> Result<BaseBackup, ServerError> {
    let (dir, user) = directory()?;
    let data = dir.path().join("data");
    let mut command = Command::new(program("pg_basebackup")?);
    command
        .args(["--host=127.0.0.1", "--username=recap", "--wal-method=none"])
        .args(["--checkpoint=fast", "--no-sync"])
        .arg(format!("--port={port}"))
        .arg("--pgdata")
        .arg(&data)
        .env("PGPASSWORD", &password)
        .current_dir(dir.path());
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    run(
        command,
        "pg_basebackup",
        "making a base backup",
        &dir.path().join("log"),
    )?;
    Ok(BaseBackup {
        dir,
        data,
        user,
        password,
    })
}
