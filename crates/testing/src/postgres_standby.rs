//! An asynchronous standby of a server: it may be cut off, and promoted with what it has.

use std::{os::unix::process::CommandExt as _, process::Command, time::Duration};

use sqlx::AssertSqlSafe;

use crate::{
    LIMIT, ServerError, eventually,
    postgres::{PostgresOptions, PostgresServer, directory, find_binaries, program},
    process::run,
};

const DOING: &str = "making a standby of PostgreSQL";

impl PostgresServer {
    /// A copy of this server that follows it; every database and role is there too.
    pub async fn standby(&self) -> Result<Self, ServerError> {
        let (password, port) = (self.password().to_owned(), self.port());
        let made = tokio::task::spawn_blocking(move || launch(port, password)).await;
        let standby = made.map_err(|error| ServerError::Io {
            doing: DOING.to_owned(),
            source: error.into(),
        })??;
        standby.ready().await?;
        Ok(standby)
    }

    /// Waits until a standby has applied everything that was committed here before.
    pub async fn caught_up(&self, standby: &Self) -> Result<(), ServerError> {
        let end: String = self.scalar("SELECT pg_current_wal_flush_lsn()::text").await?;
        let reached = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
        let ask = async || standby.scalar::<bool>(&reached).await.is_ok_and(|reached| reached);
        eventually("the standby's replay", LIMIT, ask, |reached| *reached).await;
        Ok(())
    }

    /// Stops following, and waits until nothing more is received.
    pub async fn stop_following(&self) -> Result<(), ServerError> {
        self.execute("ALTER SYSTEM SET primary_conninfo = ''").await?;
        self.execute("SELECT pg_reload_conf()").await?;
        let receivers = async || {
            self.scalar::<i64>("SELECT count(*) FROM pg_stat_wal_receiver")
                .await
                .unwrap_or(1)
        };
        eventually("the end of following", LIMIT, receivers, |receivers| *receivers == 0).await;
        Ok(())
    }

    /// Makes a standby a primary, with what it has.
    pub async fn promote(&self) -> Result<(), ServerError> {
        let seconds = Duration::from_mins(1).as_secs();
        self.execute(&format!("SELECT pg_promote(true, {seconds})")).await
    }

    async fn execute(&self, statement: &str) -> Result<(), ServerError> {
        let doing = || format!("running {statement}");
        let mut connection = self.connect().await.map_err(ServerError::postgres(doing()))?;
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut connection)
            .await;
        done.map(|_| ()).map_err(ServerError::postgres(doing()))
    }

    pub(crate) async fn scalar<T>(&self, statement: &str) -> Result<T, ServerError>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let doing = || format!("running {statement}");
        let mut connection = self.connect().await.map_err(ServerError::postgres(doing()))?;
        let value = sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut connection)
            .await;
        value.map_err(ServerError::postgres(doing()))
    }
}

fn launch(primary: u16, password: String) -> Result<PostgresServer, ServerError> {
    let bin = find_binaries()?;
    let (dir, user) = directory()?;
    let data = dir.path().join("data");
    let mut command = Command::new(program("pg_basebackup")?);
    command
        .args([
            "--host=127.0.0.1",
            "--username=recap",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
        ])
        .arg(format!("--port={primary}"))
        .arg("--pgdata")
        .arg(&data)
        .env("PGPASSWORD", &password)
        .current_dir(dir.path());
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    run(command, "pg_basebackup", DOING, &dir.path().join("log"))?;
    PostgresServer::serve(dir, &data, &bin, password, user, &PostgresOptions::default())
}
