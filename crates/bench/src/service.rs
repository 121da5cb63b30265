//! recap's services as processes of their own, as in production: what they use is theirs alone.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::cpu;

/// A running service.
pub struct Service {
    child: Child,
    name: &'static str,
}

impl Service {
    /// Starts the program of that name that lies beside this one, with these variables on top of the defaults.
    pub fn start(name: &'static str, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()
            .context("where is this program?")?
            .with_file_name(name);
        let mut command = Command::new(&program);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        for (key, _) in std::env::vars_os() {
            let ours = key
                .to_str()
                .is_some_and(|key| key.starts_with("RECAP_") || key.starts_with("CLERK_"));
            if ours {
                command.env_remove(key);
            }
        }
        command.env("RUST_LOG", "warn");
        command.envs(variables.iter().copied());
        let child = command.spawn().with_context(|| {
            format!(
                "{} cannot start: build every program with `cargo build --release`",
                program.display()
            )
        })?;
        Ok(Self { child, name })
    }

    /// Fails when the service has ended by itself.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended: {status}", self.name),
        }
    }

    /// Seconds of processor time that it has used.
    pub fn cpu(&self) -> f64 {
        cpu::of_process(self.child.id())
    }

    /// From now on the most ever is what comes.
    pub fn reset_peak(&self) -> anyhow::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").context("resetting the peak of memory")
    }

    /// Resident memory in MiB: now, and the most ever.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path)?;
        let field = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line
                .and_then(|line| line.trim().split(' ').next())
                .and_then(|kib| kib.parse::<f64>().ok());
            kib.unwrap_or(0.0) / 1_024.0
        };
        Ok(Memory {
            now: field("VmRSS:"),
            peak: field("VmHWM:"),
        })
    }

    /// Stops it as an orchestrator does, by SIGTERM.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .context("kill is missing")?;
        let deadline = Instant::now() + Duration::from_secs(40);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the {} does not stop", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already gone after `stop`; otherwise the benchmark has failed and nothing of it shall stay.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}
