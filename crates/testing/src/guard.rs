//! A child process that cannot outlive the process that started it, however that one ends.
//!
//! Statics are not dropped and SIGKILL runs no destructor, so a guard process beside each server holds the reading end
//! of a pipe whose writing end only this process has. Its end of file means "the starter is gone": the guard stops the
//! server and removes its directory. (`PR_SET_PDEATHSIG` will not do: it fires when the *thread* that forked ends, and
//! tests run on threads of their own.) The same pipe carries signals, so no other `kill` is needed.

use std::{
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    io::{self, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::error::{ServerError, tail};

/// The shell becomes the server (`exec`), so the child's process id is the server's; the guard is forked off before.
const SCRIPT: &str = r#"
dir=$1 stop=$2
shift 2
exec 3<&0 </dev/null
(
  trap '' HUP INT QUIT TERM
  while read -r order <&3; do
    case $order in
      leave) exit 0 ;;
      *) kill -s "$order" $$ ;;
    esac
  done
  kill -s "$stop" $$
  tries=0
  while kill -s 0 $$ && [ $tries -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
  kill -s KILL $$
  rm -rf -- "$dir"
) >/dev/null 2>&1 &
exec 3<&-
exec "$@"
"#;

/// How often a child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// An account to run a server as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What to run and how.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// The working directory; removed by the guard when the starter dies.
    pub dir: PathBuf,
    /// Where both outputs go.
    pub log: PathBuf,
    /// The signal that ends the server when nobody needs its data any more, without `SIG`.
    pub stop: &'static str,
    pub user: Option<User>,
}

/// A running (or just ended) server.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    orders: ChildStdin,
    spec: Spec,
}

impl Guarded {
    pub(crate) fn start(spec: Spec) -> Result<Self, ServerError> {
        let doing = || format!("starting {}", spec.program.display());
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spec.log)
            .map_err(ServerError::io(doing()))?;
        let errors = log.try_clone().map_err(ServerError::io(doing()))?;
        let mut command = Command::new("sh");
        command
            .args([OsStr::new("-c"), OsStr::new(SCRIPT), OsStr::new("sh")])
            .arg(&spec.dir)
            .arg(spec.stop)
            .arg(&spec.program)
            .args(&spec.arguments)
            .current_dir(&spec.dir)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            // Out of the terminal's process group: Ctrl-C is the starter's to handle.
            .process_group(0);
        if let Some(user) = spec.user {
            command.uid(user.uid).gid(user.gid);
        }
        let mut child = command.spawn().map_err(ServerError::io(doing()))?;
        let orders = child.stdin.take().ok_or_else(|| ServerError::Io {
            doing: doing(),
            source: io::ErrorKind::BrokenPipe.into(),
        })?;
        Ok(Self { child, orders, spec })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name without `SIG`.
    pub(crate) fn signal(&mut self, name: &str) -> io::Result<()> {
        self.orders.write_all(format!("{name}\n").as_bytes())?;
        self.orders.flush()
    }

    /// The error to report if the server has ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), ServerError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.exited(status)),
            Err(source) => Err(ServerError::Io {
                doing: format!("waiting for {}", self.spec.program.display()),
                source,
            }),
        }
    }

    pub(crate) fn log(&self) -> String {
        tail(&self.spec.log)
    }

    /// Ends the server by `signal`, after `limit` by SIGKILL, and waits for its end. The directory stays.
    pub(crate) fn end(mut self, signal: &str, limit: Duration) {
        // An error here means that the guard is gone, which leaves SIGKILL.
        if self.signal(signal).is_ok() {
            let start = Instant::now();
            while start.elapsed() < limit {
                match self.child.try_wait() {
                    Ok(None) => std::thread::sleep(POLL),
                    _ => break,
                }
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.signal("leave");
    }

    fn exited(&self, status: ExitStatus) -> ServerError {
        ServerError::Exited {
            program: self.spec.program.display().to_string(),
            status,
            log: self.log(),
        }
    }
}
