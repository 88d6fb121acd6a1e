//! Write the files that prove one-shot boot: Raspbian's own configuration, with one more word on the kernel's
//! command line.

use super::Failure;
use crate::executor::Device;
use crate::port::{BalenaApi, Session, Transport};
use migos_contract::boot_path;
use migos_events::Learned;
use migos_payload::boot_document::CmdlineTxt;
use migos_payload::boot_text::{PROOF_CMDLINE, PROOF_TOKEN, proof_cmdline};
use migos_playbooks::plan::{Boot, Proof};

pub(super) async fn perform<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<Learned, Failure> {
    let proof = proof(device)?;
    let [tryboot, probe] = paths(device);
    let found = CmdlineTxt::parse(proof.cmdline.as_bytes());
    let cmdline = proof_cmdline(&found, &device.secrets.nonce)
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let session = device.raspbian().await?;
    session.write(&probe, 0o644, &cmdline).await?;
    session.write(&tryboot, 0o644, proof.tryboot_txt.as_bytes()).await?;
    Ok(Learned::default())
}

pub(super) async fn undo<T: Transport, B: BalenaApi>(
    device: &mut Device<T, B>,
) -> Result<(), Failure> {
    let folder = device.boot_folder();
    let [tryboot, _] = paths(device);
    Ok(device.raspbian().await?.remove(&[tryboot, folder]).await?)
}

/// The word that only the one-shot file puts on the kernel's command line.
pub(super) fn word<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> String {
    format!("{PROOF_TOKEN}{}", device.secrets.nonce)
}

fn paths<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> [String; 2] {
    let boot = &device.plan().boot_path;
    [format!("{boot}/{}", boot_path::TRYBOOT), format!("{}/{PROOF_CMDLINE}", device.boot_folder())]
}

fn proof<T: Transport, B: BalenaApi>(device: &Device<T, B>) -> Result<Proof, Failure> {
    match &device.plan().boot {
        Boot::OneShot { proof: Some(proof), .. } => Ok(proof.clone()),
        Boot::OneShot { proof: None, .. } | Boot::Rewrite { .. } => {
            Err(Failure::Failed("the plan has no proof for it".into()))
        }
    }
}
