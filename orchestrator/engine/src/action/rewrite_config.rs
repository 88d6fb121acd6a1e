//! Rewrite `config.txt`: for boards without one-shot boot. MIGOS puts the original back before anything else;
//! until then a power cut does not lead back to Raspbian.

use super::{Failure, release};
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::{boot_path, job_path};
use migos_events::Learned;
use migos_payload::digest::Sha256;

/// No `config.txt` that a firmware reads is nearly as large.
const LIMIT: u64 = 1 << 20;

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    if release::may_have_left(device).await {
        return Ok(Learned::default());
    }
    release::may_leave(device)?;
    let ours = device.plan().tryboot_txt.clone();
    let [config, original] = paths(device);
    // Both are looked at: the one that boots Raspbian, and, after a cut, the one that boots MIGOS.
    device.verified_identity().await?;
    let session = device.raspbian().await?;
    let found = session.read(&config, LIMIT).await?.unwrap_or_default();
    if found != ours.as_bytes() {
        session.write(&original, 0o644, &found).await?;
        compare(session, &original, Sha256::of(&found)).await?;
        session.write(&config, 0o644, ours.as_bytes()).await?;
    }
    compare(session, &config, Sha256::of(ours.as_bytes())).await?;
    Ok(Learned::default())
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let Some(wanted) = device.plan().boot_sums.get(boot_path::CONFIG).copied() else {
        return Err(Failure::Failed("the plan does not know its config.txt".into()));
    };
    let [config, original] = paths(device);
    // After a power cut our own config.txt has booted MIGOS, which puts the original back and goes.
    let is_refused = matches!(device.raspbian().await, Err(Failure::Refused(_)));
    if is_refused && device.migos().await.is_ok() {
        device.back_on_raspbian().await?;
    }
    let session = device.raspbian().await?;
    // What a cut has left, of ours or of MIGOS's.
    session.remove(&[format!("{config}.new")]).await?;
    let found = session.read(&config, LIMIT).await?;
    if found.is_some_and(|text| Sha256::of(&text) == wanted) {
        return Ok(());
    }
    let kept = session.read(&original, LIMIT).await?.unwrap_or_default();
    if Sha256::of(&kept) != wanted {
        return Err(Failure::Failed("its original config.txt is not where it was kept".into()));
    }
    session.write(&config, 0o755, &kept).await?;
    compare(session, &config, wanted).await
}

async fn compare(session: &impl Session, path: &str, wanted: Sha256) -> Result<(), Failure> {
    match session.sums(&[path.to_owned()]).await?.as_slice() {
        [Some(found)] if *found == wanted => Ok(()),
        _ => Err(Failure::Failed(format!("{path} on the card differs from what was sent"))),
    }
}

fn paths<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> [String; 2] {
    let kept = format!("{}/{}/{}", device.boot_folder(), boot_path::JOB, job_path::ORIGINAL_CONFIG);
    [format!("{}/{}", device.plan().boot_path, boot_path::CONFIG), kept]
}
