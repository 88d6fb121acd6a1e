//! MIGOS.

pub mod disk;
pub mod flash;
pub mod image;
pub mod table;
