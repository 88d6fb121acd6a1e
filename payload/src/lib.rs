//! What is sent: the payload that carries MIGOS, the balenaOS images, and the texts that select MIGOS.
//!
//! - [`digest`] and [`size`]: how contents are named and counted.
//! - [`board`]: which Raspberry Pi it is, told by its revision code.
//! - [`manifest`]: what a payload holds and whom it fits; [`archive`]: the tarball it travels in, and
//!   the [`VerifiedPayload`](archive::VerifiedPayload) that every digest has been checked of.
//! - [`image`]: what is known of a balenaOS image before it is sent.
//! - [`boot_document`]: the device's own `config.txt` and `cmdline.txt`, read without changing a byte.
//! - [`boot_text`]: the texts that are made from them: those that select MIGOS, and those that prove that a
//!   one-shot boot works. [`diff`] shows a change of a file to a person.
//! - [`device_config`]: what makes a flashed card one device on balena; [`device_variables`]: what its `config.txt`
//!   says of its hardware, as configuration variables there.
//! - [`network`]: the device's own network configuration, and what balenaOS and MIGOS are given of it; [`keyfile`]:
//!   a network connection that an operator adds.
//!
//! Everything here is pure: bytes and strings in, values out.

pub mod archive;
pub mod board;
pub mod boot_document;
pub mod boot_text;
pub mod device_config;
pub mod device_variables;
pub mod diff;
pub mod digest;
pub mod image;
pub mod keyfile;
pub mod manifest;
pub mod network;
pub mod size;
