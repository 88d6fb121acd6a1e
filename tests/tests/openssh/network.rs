//! Several devices at once: each a computer of its own, with an address of its own and SSH's own port, as in the
//! field.

use crate::{Client, target};
use bytes::Bytes;
use migos_engine::port::{Content, Session as _, Source, Target, Transport, TransportError};
use migos_payload::digest::Sha256;
use migos_playbooks::facts::{self, Leaf};
use migos_ssh::Timeouts;
use migos_tests::sshd::{Network, Sshd, Userland};
use std::fs;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const IMAGE: &str = "/var/lib/migos/image";
const LEASE: Duration = Duration::from_secs(3600);
const MIB: u64 = 1 << 20;

/// Bytes that no position repeats, others for each device.
fn content(device: usize, size: u64) -> Content {
    let bytes: Bytes = (0..size / 8)
        .flat_map(|at| (at * 64 + device as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    let sha256 = Sha256::of(&bytes);
    Content { size: bytes.len() as u64, source: Source::Memory(bytes), sha256 }
}

fn is_there(server: &Sshd, content: &Content) -> bool {
    let there = fs::read(server.path(IMAGE)).unwrap();
    (there.len() as u64, Sha256::of(&there)) == (content.size, content.sha256)
}

/// A device with a name of its own and a machine id of its own.
struct Device {
    number: usize,
    server: Sshd,
    machine_id: String,
}

impl Device {
    fn start(network: &mut Network, number: usize) -> Self {
        let userland = if number.is_multiple_of(2) { Userland::Debian } else { Userland::Busybox };
        let server = Sshd::start_on(network, userland).unwrap();
        let machine_id = format!("{number:032x}");
        fs::write(server.path("/etc/machine-id"), format!("{machine_id}\n")).unwrap();
        Device { number, server, machine_id }
    }

    fn target(&self) -> Target {
        let device = format!("pi-{}", self.number).parse().unwrap();
        Target { device, ..target(&self.server) }
    }
}

/// All that is done to a device on Raspbian but for reboots; nobody goes on before all have come as far.
async fn work_on(device: Device, client: Arc<Client>, all: Arc<Barrier>) {
    let content = content(device.number, 4 * MIB);
    let (owner, own) = (format!("run-{}", device.number), device.number.to_string());
    let session = client.ssh.connect(&device.target()).await.unwrap();
    all.wait().await;
    let facts = facts::parse(&session.probe(&[]).await.unwrap()).unwrap();
    assert_eq!(facts.machine_id, device.machine_id);
    assert_eq!(session.identity().await.unwrap().machine_id, device.machine_id);
    let before = session.tree("/boot").await.unwrap();
    all.wait().await;
    session.lock(&owner, LEASE).await.unwrap();
    all.wait().await;
    // The device has the lock, and not its address: somebody else is told so by each of them.
    let other = client.ssh.connect(&device.target()).await.unwrap();
    let busy = other.lock("somebody-else", LEASE).await.unwrap_err();
    assert!(matches!(&busy, TransportError::Busy(by) if by.contains(&owner)), "{busy:?}");
    other.close().await;
    all.wait().await;

    assert_eq!(session.send(&content, IMAGE, &|_| ()).await.unwrap().bytes, content.size);
    session.write("/boot/migos/own", 0o600, own.as_bytes()).await.unwrap();
    let paths = [IMAGE.to_owned(), "/boot/migos/own".to_owned(), "/boot/none".to_owned()];
    let sums = session.sums(&paths).await.unwrap();
    assert_eq!(sums, [Some(content.sha256), Some(Sha256::of(own.as_bytes())), None]);
    assert!(is_there(&device.server, &content));
    assert_eq!(session.read("/boot/migos/own", 9).await.unwrap(), Some(own.into_bytes()));
    let tree = session.tree("/boot").await.unwrap();
    assert_eq!(tree.0.get("migos"), Some(&Leaf::Folder));
    assert_ne!(tree, before);
    all.wait().await;

    session.remove(&[IMAGE.to_owned(), "/boot/migos".to_owned()]).await.unwrap();
    assert_eq!(session.tree("/boot").await.unwrap(), before);
    assert!(!device.server.path(IMAGE).exists());
    session.unlock(&owner).await.unwrap();
    session.lock("somebody-else", LEASE).await.unwrap();
    session.close().await;
}

#[tokio::test]
async fn the_same_verbs_work_on_many_devices_at_once() {
    const DEVICES: usize = 6;
    let mut network = Network::start().unwrap();
    let devices: Vec<Device> = (0..DEVICES).map(|n| Device::start(&mut network, n)).collect();
    let addresses = devices.iter().map(|device| (device.server.address(), device.server.port()));
    let mut addresses: Vec<(Ipv4Addr, u16)> = addresses.collect();
    addresses.dedup();
    assert!(addresses.len() == DEVICES && addresses.iter().all(|(_, port)| *port == 22));

    let (client, all) = (Arc::new(Client::new()), Arc::new(Barrier::new(DEVICES)));
    let mut work = JoinSet::new();
    for device in devices {
        work.spawn(work_on(device, client.clone(), all.clone()));
    }
    // One that fails leaves the others waiting for it, so it ends them.
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    let known = fs::read_to_string(client.folder.path().join("known_hosts")).unwrap();
    for (address, _) in addresses {
        let known = known.lines().filter(|line| line.starts_with(&format!("{address} ")));
        assert_eq!(known.count(), 1, "{address}");
    }
}

#[tokio::test]
async fn a_cable_that_is_pulled_stops_one_upload_and_none_beside_it() {
    let mut network = Network::start().unwrap();
    let pulled = Device::start(&mut network, 0);
    let beside = Device::start(&mut network, 1);
    let client = Client::with(Timeouts {
        connect: Duration::from_secs(1),
        keepalive: Duration::from_millis(500),
        ..Timeouts::default()
    });
    let contents = [content(0, 8 * MIB), content(1, 8 * MIB)];
    let [target, other] = [pulled.target(), beside.target()];
    let session = client.ssh.connect(&target).await.unwrap();
    let session_beside = client.ssh.connect(&other).await.unwrap();
    let pull = |sent| {
        if (2 * MIB..3 * MIB).contains(&sent) {
            network.pull(pulled.server.address()).unwrap();
        }
    };
    let (cut, whole) = tokio::join!(
        session.send(&contents[0], IMAGE, &pull),
        session_beside.send(&contents[1], IMAGE, &|_| ()),
    );
    assert_eq!(cut.unwrap_err(), TransportError::Lost { verb: "receive" });
    assert_eq!(whole.unwrap().bytes, 8 * MIB);
    assert!(is_there(&beside.server, &contents[1]));
    assert!(!pulled.server.path(IMAGE).exists());
    let away = client.ssh.connect(&target).await.unwrap_err();
    assert!(matches!(away, TransportError::Unreachable(_)), "{away:?}");

    // What the kernels still hold of the old connection arrives now, too, while the upload goes on.
    network.put_back(pulled.server.address()).unwrap();
    let session = Client::new().ssh.connect(&target).await.unwrap();
    let first = AtomicU64::new(u64::MAX);
    let note = |at| _ = first.fetch_min(at, Ordering::Relaxed);
    let sent = session.send(&contents[0], IMAGE, &note).await.unwrap();
    assert!(first.into_inner() >= MIB, "what was there is not sent again");
    assert!(sent.bytes <= 7 * MIB, "{} bytes were sent again", sent.bytes);
    assert!(is_there(&pulled.server, &contents[0]));
    session.close().await;
}
