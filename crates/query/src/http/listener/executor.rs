//! Runs the tasks of HTTP/2 streams.

use super::super::taking::Stream;

/// A runtime whose tasks end when their stream's client takes nothing.
#[derive(Clone, Copy)]
pub(super) struct StreamExecutor;

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        tokio::spawn(Stream::run(task));
    }
}
