//! A private PostgreSQL cluster from the installed binaries.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    error::ServerError,
    guard::{Spec, User},
    port::free_port,
    postgres_given,
    process::{ServerProcess, run},
    unique::unique_id,
};

const NAME: &str = "PostgreSQL";
const INSTALL: &str = "install PostgreSQL 15 or newer (Debian and Ubuntu: apt-get install postgresql), or put the \
                       directory of its `initdb` and `postgres` on PATH";
const READY: Duration = Duration::from_mins(1);
const PORT_TRIES: usize = 5;

/// How a cluster is set up.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Flush to disk at commit. Off, commits survive a crash of the server but not of the machine, which is all that
    /// tests need; measurements want it on.
    pub fsync: bool,
    /// More settings, as in `postgresql.conf`; the last one of a name wins.
    pub settings: Vec<(String, String)>,
}

/// A running cluster, stopped and removed on drop; or one that is somebody else's.
#[derive(Debug)]
pub struct PostgresServer {
    /// None when the server was given.
    process: Option<ServerProcess>,
    port: u16,
    user: String,
    password: String,
    _dir: Option<TempDir>,
}

static SHARED: OnceCell<PostgresServer> = OnceCell::const_new();

impl PostgresServer {
    /// Starts a cluster for tests, see [`PostgresOptions::default`].
    pub async fn start() -> Result<Self, ServerError> {
        Self::start_with(PostgresOptions::default()).await
    }

    /// Starts a cluster with these options.
    pub async fn start_with(options: PostgresOptions) -> Result<Self, ServerError> {
        let server = tokio::task::spawn_blocking(move || Self::launch(&options))
            .await
            .map_err(|error| ServerError::Io {
                doing: format!("starting {NAME}"),
                source: error.into(),
            })??;
        server.ready().await?;
        Ok(server)
    }

    /// The one cluster of this process, started at its first use, unless the environment names another (`RECAP_TEST_DATABASE_URL`).
    pub async fn shared() -> Result<&'static Self, ServerError> {
        let start = async || Self::given_or(PostgresOptions::default()).await;
        SHARED.get_or_try_init(start).await
    }

    /// The server that the environment names (`RECAP_TEST_DATABASE_URL`), which nothing here can stop; otherwise a cluster with these options.
    pub async fn given_or(options: PostgresOptions) -> Result<Self, ServerError> {
        let Some(url) = postgres_given::url()? else {
            return Self::start_with(options).await;
        };
        Ok(Self {
            process: None,
            port: url.port().unwrap_or_default(),
            user: url.username().to_owned(),
            password: url.password().unwrap_or_default().to_owned(),
            _dir: None,
        })
    }

    /// The URL of a database of the cluster, with superuser rights.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgres://{}:{}@127.0.0.1:{}/{database}?sslmode=disable",
            self.user, self.password, self.port
        )
    }

    /// Creates an empty database under a new name and answers its URL.
    pub async fn create_database(&self) -> Result<String, ServerError> {
        let name = format!("test_{}", unique_id().simple());
        self.create_database_named(&name).await
    }

    /// Creates an empty database and answers its URL.
    pub async fn create_database_named(&self, name: &str) -> Result<String, ServerError> {
        let doing = || format!("creating the database {name}");
        let quoted = name.replace('"', "\"\"");
        let mut connection = self.connect().await.map_err(ServerError::postgres(doing()))?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE \"{quoted}\"")))
            .execute(&mut connection)
            .await
            .map_err(ServerError::postgres(doing()))?;
        connection.close().await.map_err(ServerError::postgres(doing()))?;
        Ok(self.url(name))
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The port on 127.0.0.1; it stays the same over a stop.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the postmaster.
    pub fn pid(&self) -> Result<u32, ServerError> {
        self.process()?.pid()
    }

    /// Sends a signal (`HUP`, `STOP`, `CONT`, …) to the postmaster.
    pub fn signal(&self, name: &str) -> Result<(), ServerError> {
        self.process()?.signal(name)
    }

    /// Stops as `pg_ctl stop -m immediate` does: every session is cut, nothing is written, the next start recovers.
    pub async fn stop_immediate(&self) {
        self.end("QUIT").await;
    }

    /// Stops as `pg_ctl stop -m fast` does: sessions are ended, a checkpoint is written.
    pub async fn stop_fast(&self) {
        self.end("INT").await;
    }

    /// Starts again after a stop, on the same port with the same data, and waits until it answers.
    pub async fn start_again(&self) -> Result<(), ServerError> {
        self.process()?.start_again()?;
        self.ready().await
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url("postgres")).await
    }

    pub(crate) async fn ready(&self) -> Result<(), ServerError> {
        let answers = async || {
            let Ok(connection) = self.connect().await else {
                return Ok(false);
            };
            let _ = connection.close().await;
            Ok(true)
        };
        self.process()?.until(answers, READY).await
    }

    fn process(&self) -> Result<&ServerProcess, ServerError> {
        self.process.as_ref().ok_or(ServerError::Given { server: NAME })
    }

    async fn end(&self, signal: &'static str) {
        if let Some(process) = &self.process {
            process.end(signal).await;
        }
    }

    fn launch(options: &PostgresOptions) -> Result<Self, ServerError> {
        let bin = find_binaries()?;
        let (dir, user) = directory()?;
        let password = unique_id().simple().to_string();
        let data = dir.path().join("data");
        initdb(&bin, dir.path(), &data, &password, user)?;
        Self::serve(dir, &data, &bin, password, user, options)
    }

    /// Runs a server on the cluster in `data`, which is in `dir`.
    pub(crate) fn serve(
        dir: TempDir,
        data: &Path,
        bin: &Path,
        password: String,
        user: Option<User>,
        options: &PostgresOptions,
    ) -> Result<Self, ServerError> {
        let mut last = None;
        for _ in 0..PORT_TRIES {
            let port = free_port().map_err(ServerError::io("finding a free port"))?;
            let spec = Spec {
                program: bin.join("postgres"),
                arguments: arguments(data, dir.path(), port, options),
                dir: dir.path().to_path_buf(),
                log: dir.path().join("log"),
                stop: "QUIT",
                user,
            };
            let process = ServerProcess::start(NAME, spec)?;
            match wait_for_pid_file(&process, data) {
                Ok(()) => {
                    return Ok(Self {
                        process: Some(process),
                        port,
                        user: "recap".to_owned(),
                        password,
                        _dir: Some(dir),
                    });
                }
                // Most likely another process took the port between the search and the start.
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or(ServerError::Stopped { server: NAME }))
    }
}

/// An empty directory, and the account that it belongs to when that is not ours.
pub(crate) fn directory() -> Result<(TempDir, Option<User>), ServerError> {
    let doing = || format!("preparing a directory for {NAME}");
    let dir = tempfile::Builder::new()
        .prefix("recap-postgres-")
        .tempdir()
        .map_err(ServerError::io(doing()))?;
    let user = unprivileged_user(dir.path()).map_err(ServerError::io(doing()))?;
    if let Some(user) = user {
        chown(dir.path(), Some(user.uid), Some(user.gid)).map_err(ServerError::io(doing()))?;
    }
    Ok((dir, user))
}

/// The postmaster writes `ready` or `starting` as the last line of its pid file once it listens.
fn wait_for_pid_file(process: &ServerProcess, data: &Path) -> Result<(), ServerError> {
    let start = Instant::now();
    loop {
        process.check()?;
        let lines = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        if lines.lines().nth(7).is_some() {
            return Ok(());
        }
        process.not_after(start, READY)?;
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn arguments(data: &Path, sockets: &Path, port: u16, options: &PostgresOptions) -> Vec<OsString> {
    let switch = |on: bool| if on { "on" } else { "off" };
    let port = port.to_string();
    let sockets = sockets.display().to_string();
    let defaults = [
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        ("unix_socket_directories", sockets.as_str()),
        ("max_connections", "200"),
        ("shared_buffers", "128MB"),
        ("fsync", switch(options.fsync)),
        ("full_page_writes", switch(options.fsync)),
        // The answer to "committed?" has to survive a crash of the server even without fsync.
        ("synchronous_commit", "on"),
        ("jit", "off"),
        ("timezone", "UTC"),
    ];
    let mut arguments = vec![OsString::from("-D"), data.into()];
    let given = options.settings.iter();
    let all = defaults
        .into_iter()
        .chain(given.map(|(name, value)| (name.as_str(), value.as_str())));
    for (name, value) in all {
        arguments.push("-c".into());
        arguments.push(format!("{name}={value}").into());
    }
    arguments
}

fn initdb(bin: &Path, dir: &Path, data: &Path, password: &str, user: Option<User>) -> Result<(), ServerError> {
    use std::os::unix::process::CommandExt;

    let doing = || format!("running initdb in {}", dir.display());
    let secret = dir.join("password");
    fs::write(&secret, password).map_err(ServerError::io(doing()))?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).map_err(ServerError::io(doing()))?;
    let mut command = Command::new(bin.join("initdb"));
    command
        .arg("-D")
        .arg(data)
        .arg("--pwfile")
        .arg(&secret)
        .args(["--username", "recap", "--auth", "scram-sha-256"])
        .args(["--encoding", "UTF8", "--no-locale", "--no-sync"])
        .current_dir(dir);
    if let Some(user) = user {
        chown(&secret, Some(user.uid), Some(user.gid)).map_err(ServerError::io(doing()))?;
        command.uid(user.uid).gid(user.gid);
    }
    let made = run(command, "initdb", &doing(), &dir.join("log"));
    fs::remove_file(&secret).map_err(ServerError::io(doing()))?;
    made
}

/// A program of the PostgreSQL that is installed here, `pgbench` for one.
pub fn program(name: &str) -> Result<PathBuf, ServerError> {
    let bin = find_binaries()?;
    // On PATH there may be links to some of the programs only.
    let linked = fs::canonicalize(bin.join("postgres")).ok();
    let beside = linked.map(|postgres| postgres.with_file_name(name));
    Ok(beside
        .filter(|program| program.is_file())
        .unwrap_or_else(|| bin.join(name)))
}

/// The directory of `initdb` and `postgres`: on PATH, where `pg_config` says, or where Debian puts them (the newest).
pub(crate) fn find_binaries() -> Result<PathBuf, ServerError> {
    let complete = |dir: &Path| dir.join("initdb").is_file() && dir.join("postgres").is_file();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(dir) = std::env::split_paths(&on_path).find(|dir| complete(dir)) {
        return Ok(dir);
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        let dir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if complete(&dir) {
            return Ok(dir);
        }
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| complete(bin))
        .collect();
    found.sort();
    let newest = found.pop().ok_or(ServerError::Missing {
        what: NAME,
        install: INSTALL,
    })?;
    Ok(newest.1)
}

/// PostgreSQL refuses to run as root. Whoever owns a directory made just now is who we are.
fn unprivileged_user(own: &Path) -> std::io::Result<Option<User>> {
    if fs::metadata(own)?.uid() != 0 {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        accounts.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [login, _, uid, gid, ..] = fields.as_slice() else {
                return None;
            };
            let user = User {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            };
            (*login == name).then_some(user)
        })
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .map(Some)
        .ok_or_else(|| std::io::Error::other("no account `postgres` or `nobody` to run it as"))
}
