//! The one place where tasks are started.

use std::future::Future;

use tokio::task::JoinSet;

/// Owns tasks; when it is dropped, all of them are aborted where they stand.
///
/// A virtual Pi without power must not do anything any more, so nothing in this crate runs without
/// such an owner.
#[derive(Debug, Default)]
pub(crate) struct Tasks(JoinSet<()>);

impl Tasks {
    /// Starts a task.
    pub(crate) fn start(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // The finished ones are let go first, or a listener would collect one for each connection
        // ever made.
        while self.0.try_join_next().is_some() {}
        self.0.spawn(task);
    }
}
