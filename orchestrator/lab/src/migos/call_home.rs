//! A MIGOS that nobody can call: it calls a host that the controller reaches, and is reached through that.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use migos_contract::Bastion;
use russh::Channel;
use russh::client::{self, ChannelOpenHandle, Handler, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::device::VirtualPi;
use crate::stream::Cable;
use crate::tasks::Tasks;

/// A bastion that does not answer is called again after this long.
const RETRY: Duration = Duration::from_millis(500);

/// Calls the bastion for as long as MIGOS runs. `server` is where MIGOS itself listens.
pub(super) async fn call(
    pi: Arc<VirtualPi>,
    bastion: Bastion,
    key: PrivateKey,
    server: SocketAddr,
    power: watch::Receiver<()>,
) {
    loop {
        if let Err(error) = one_call(&pi, &bastion, &key, server, &power).await {
            tracing::debug!(device = pi.name, %error, "a call home has ended");
        }
        sleep(RETRY).await;
    }
}

async fn one_call(
    pi: &VirtualPi,
    bastion: &Bastion,
    key: &PrivateKey,
    server: SocketAddr,
    power: &watch::Receiver<()>,
) -> Result<(), russh::Error> {
    let stream = TcpStream::connect((bastion.host.as_str(), bastion.port)).await?;
    let cable =
        Cable::new(stream, Arc::clone(&pi.meter), power.clone(), pi.other_board.subscribe());
    let home = Home { host_key: bastion.host_key.clone(), server, streams: Tasks::default() };
    let config = client::Config {
        // Of all keys that the bastion has, it is to show the one that is known.
        preferred: russh::Preferred {
            key: PublicKey::from_openssh(&bastion.host_key)
                .map(|key| vec![key.algorithm()].into())
                .unwrap_or(russh::Preferred::DEFAULT.key),
            ..russh::Preferred::DEFAULT
        },
        ..client::Config::default()
    };
    let mut call = client::connect_stream(Arc::new(config), cable, home).await?;
    let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
    if !call.authenticate_publickey(&bastion.user, key).await?.success() {
        return Err(russh::Error::NotAuthenticated);
    }
    call.tcpip_forward("127.0.0.1", bastion.listen.into()).await?;
    call.await
}

/// One call.
struct Home {
    /// The host key that the bastion must have.
    host_key: String,
    server: SocketAddr,
    streams: Tasks,
}

impl Handler for Home {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        offered: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let expected = PublicKey::from_openssh(&self.host_key).map_err(russh::Error::from)?;
        Ok(expected.key_data() == offered.public_key().key_data())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        let server = self.server;
        self.streams.start(async move {
            let mut channel = channel.into_stream();
            let passed = match TcpStream::connect(server).await {
                Ok(mut stream) => copy_bidirectional(&mut channel, &mut stream).await,
                Err(error) => Err(error),
            };
            if let Err(error) = passed {
                tracing::debug!(%error, "a connection through the bastion was lost");
            }
        });
        Ok(())
    }
}
