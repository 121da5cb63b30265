//! A server as a process that is stopped, killed and started again while its directory stays; and programs that run to their end.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    error::{ServerError, tail},
    guard::{Guarded, Spec},
};

/// How often a server that is starting is asked.
const POLL: Duration = Duration::from_millis(30);
/// How long an orderly end may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The process of one server, if it runs just now. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    server: &'static str,
    running: Mutex<Option<Guarded>>,
    spec: Spec,
}

impl ServerProcess {
    pub(crate) fn start(server: &'static str, spec: Spec) -> Result<Self, ServerError> {
        Ok(Self {
            server,
            running: Mutex::new(Some(Guarded::start(spec.clone())?)),
            spec,
        })
    }

    pub(crate) fn pid(&self) -> Result<u32, ServerError> {
        self.with(|running| Ok(running.pid()))
    }

    /// Sends a signal by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) -> Result<(), ServerError> {
        let doing = format!("sending {name} to {}", self.server);
        self.with(|running| running.signal(name).map_err(ServerError::io(doing)))
    }

    /// The error to report if the server has ended by itself.
    pub(crate) fn check(&self) -> Result<(), ServerError> {
        self.with(Guarded::check)
    }

    /// Ends the process by `signal` and waits for its end; its directory stays.
    pub(crate) async fn end(&self, signal: &'static str) {
        let running = self.lock().take();
        if let Some(running) = running {
            // A panic in there is a bug of the guard that the next start would report.
            let _ = tokio::task::spawn_blocking(move || running.end(signal, STOP_TIMEOUT)).await;
        }
    }

    /// Starts again after [`Self::end`], with the same arguments in the same directory.
    pub(crate) fn start_again(&self) -> Result<(), ServerError> {
        let mut running = self.lock();
        if running.is_none() {
            *running = Some(Guarded::start(self.spec.clone())?);
        }
        Ok(())
    }

    /// Waits until the server answers. An error if it ends meanwhile, or does not answer in time.
    pub(crate) async fn until(
        &self,
        answers: impl AsyncFn() -> Result<bool, ServerError>,
        limit: Duration,
    ) -> Result<(), ServerError> {
        let start = Instant::now();
        while !answers().await? {
            self.check()?;
            self.not_after(start, limit)?;
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// The error to report if `limit` is over.
    pub(crate) fn not_after(&self, start: Instant, limit: Duration) -> Result<(), ServerError> {
        if start.elapsed() <= limit {
            return Ok(());
        }
        Err(ServerError::NotReady {
            server: self.server,
            after: limit,
            log: tail(&self.spec.log),
        })
    }

    fn with<T>(&self, action: impl FnOnce(&mut Guarded) -> Result<T, ServerError>) -> Result<T, ServerError> {
        let mut running = self.lock();
        let server = self.server;
        action(running.as_mut().ok_or(ServerError::Stopped { server })?)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Guarded>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(running) = self.lock().take() {
            running.end(self.spec.stop, STOP_TIMEOUT);
        }
    }
}

/// Runs a program to its end, with both outputs in `log`. An error if it fails.
pub(crate) fn run(mut command: Command, program: &str, doing: &str, log: &Path) -> Result<(), ServerError> {
    let output = File::create(log).map_err(ServerError::io(doing))?;
    let errors = output.try_clone().map_err(ServerError::io(doing))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(ServerError::io(doing))?;
    if status.success() {
        return Ok(());
    }
    Err(ServerError::Exited {
        program: program.to_owned(),
        status,
        log: tail(log),
    })
}
