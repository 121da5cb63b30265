//! Tasks that run for as long as their program: one that ends by itself has crashed, and the program fails with it.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// A task that ended although it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the task `{0}` ended by itself")]
pub struct Crashed(pub &'static str);

/// Named tasks; dropping them aborts all.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task that must not end.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The first task that ends, by itself or by a panic. Without tasks it waits for ever.
    pub async fn crashed(&mut self) -> Crashed {
        let id = match self.running.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => std::future::pending().await,
        };
        Crashed(self.names.remove(&id).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("lives", std::future::pending());
        tasks.spawn("panics", async { panic!("as it should in this test") });
        assert_eq!(tasks.crashed().await, Crashed("panics"));
        tasks.spawn("returns", async {});
        assert_eq!(tasks.crashed().await, Crashed("returns"));
    }
}
