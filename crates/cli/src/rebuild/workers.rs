//! The processes of `recap rebuild --workers N`: this program again, with the same command line, as workers.

use std::{
    io::{self, Read as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use object_store::ObjectStore;
use recap_replay::{Observer, Phase, Replay, Workers};

use super::progress::Progress;

/// How often processes are looked at that joined a rebuild.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Workers of this machine. They end with this process, however it ends: each has an end of its standard input, and nothing is ever written there.
pub struct Processes {
    count: u16,
    children: Mutex<Vec<Child>>,
}

impl Processes {
    /// So many, not yet started.
    pub const fn new(count: u16) -> Self {
        Self {
            count,
            children: Mutex::new(Vec::new()),
        }
    }

    /// Waits until all have ended; how many failed.
    async fn failed(&self) -> io::Result<usize> {
        while self.running() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = 0;
        for child in children.iter_mut() {
            failed += usize::from(!child.wait()?.success());
        }
        Ok(failed)
    }
}

impl Workers for Processes {
    fn start(&self) -> io::Result<()> {
        let program = std::env::current_exe()?;
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..self.count {
            let mut command = Command::new(&program);
            command.args(std::env::args_os().skip(1)).arg("--as-worker");
            children.push(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
        }
        Ok(())
    }

    fn running(&self) -> usize {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children
            .iter_mut()
            .filter_map(|child| child.try_wait().ok())
            .filter(Option::is_none)
            .count()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let children = self.children.get_mut().unwrap_or_else(PoisonError::into_inner);
        for child in children {
            // Those that have ended already cannot be killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends this process when the one that started it is gone.
pub fn end_with_standard_input() {
    std::thread::spawn(|| {
        // Whatever it is that ends it.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
}

/// Fills what is left of a rebuild that was begun elsewhere, by so many processes.
pub async fn join(
    replay: &Replay,
    workers: u16,
    archive: Option<&Arc<dyn ObjectStore>>,
    progress: &Progress,
) -> anyhow::Result<()> {
    if workers > 1 {
        let processes = Processes::new(workers);
        processes.start()?;
        match processes.failed().await? {
            0 => println!("all of it is filled: the rebuild that was joined goes on by itself"),
            failed => bail!("{failed} of {workers} workers failed: see above what they said"),
        }
        return Ok(());
    }
    let (generation, shares) = replay.join(archive).await?;
    progress.finish();
    let shares = match shares {
        1 => String::from("1 share"),
        shares => format!("{shares} shares"),
    };
    println!("generation {generation} is filled, {shares} of it here: the rebuild that was joined goes on by itself");
    Ok(())
}

/// Of a worker whose rebuild shows how all of them get on.
pub struct Unseen;

impl Observer for Unseen {
    fn phase(&self, _phase: Phase, _records: Option<u64>) {}

    fn read(&self, _records: u64, _events: u64) {}
}
