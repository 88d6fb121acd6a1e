//! The operator's SSH agent: it shows its keys, and signs with them.

use migos_engine::port::TransportError;
use russh::keys::HashAlg;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// An agent that asks a person for each signature needs time; one that hangs must not hold a fleet.
const PATIENCE: Duration = Duration::from_secs(60);

/// The agents by their sockets, each opened once.
#[derive(Default)]
pub(crate) struct Agents(Mutex<HashMap<PathBuf, Agent>>);

/// One agent. It answers one question at a time, so devices take turns.
#[derive(Clone)]
pub(crate) struct Agent {
    client: Arc<Mutex<AgentClient<UnixStream>>>,
    identities: Arc<[AgentIdentity]>,
}

impl Agents {
    /// The agent behind a socket.
    ///
    /// # Errors
    /// [`TransportError::Local`] if it does not answer.
    pub(crate) async fn open(&self, socket: &Path) -> Result<Agent, TransportError> {
        let mut agents = self.0.lock().await;
        if let Some(agent) = agents.get(socket) {
            return Ok(agent.clone());
        }
        let failed = |why: String| TransportError::Local {
            path: socket.display().to_string(),
            message: format!(
                "the SSH agent does not answer ({why}); start one with `eval $(ssh-agent)`, or set \
                 `ssh: {{ agent: false }}` in the inventory"
            ),
        };
        let opening = async {
            let mut client = AgentClient::connect_uds(socket).await?;
            let identities = client.request_identities().await?;
            Ok::<_, russh::keys::Error>((client, identities))
        };
        let (client, identities) = match timeout(PATIENCE, opening).await {
            Ok(opened) => opened.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed(format!("nothing within {} s", PATIENCE.as_secs()))),
        };
        let agent = Agent { client: Arc::new(Mutex::new(client)), identities: identities.into() };
        agents.insert(socket.to_owned(), agent.clone());
        Ok(agent)
    }
}

impl Agent {
    /// The keys and certificates that it has.
    pub(crate) fn identities(&self) -> &[AgentIdentity] {
        &self.identities
    }
}

/// Why an agent did not sign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// The connection to the device is gone.
    #[error("the connection was lost")]
    Lost(#[from] russh::SendError),
    /// The agent refused or failed.
    #[error("{0}")]
    Agent(#[from] russh::keys::Error),
    /// It said nothing.
    #[error("the agent did not answer within {} s", PATIENCE.as_secs())]
    Silent,
}

impl russh::Signer for Agent {
    type Error = SigningError;

    async fn auth_sign(
        &mut self,
        key: &AgentIdentity,
        hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SigningError> {
        let mut client = self.client.lock().await;
        let signing = client.sign_request(key, hash, to_sign);
        timeout(PATIENCE, signing).await.map_err(|_| SigningError::Silent)?.map_err(Into::into)
    }
}
