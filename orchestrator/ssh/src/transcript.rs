//! What was done on a device, told line by line.

use migos_inventory::DeviceId;
use std::fmt;
use std::sync::Arc;

/// Takes one line for each event on a device: connected, a verb with its arguments and how it ended.
/// What goes through standard input or output is never told, so no secret is.
pub type Transcript = Arc<dyn Fn(&DeviceId, &str) + Send + Sync>;

/// One device's transcript.
#[derive(Clone)]
pub(crate) struct Log {
    device: DeviceId,
    transcript: Option<Transcript>,
}

impl Log {
    pub(crate) fn new(device: DeviceId, transcript: Option<Transcript>) -> Self {
        Log { device, transcript }
    }

    /// Tells one event.
    pub(crate) fn line(&self, text: &str) {
        tracing::debug!(device = self.device.as_str(), "{text}");
        if let Some(transcript) = &self.transcript {
            transcript(&self.device, text);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.device).finish()
    }
}
