//! MIGOS.

pub mod control;
pub mod dead_man;
pub mod disk;
pub mod flash;
pub mod image;
pub mod switch;
pub mod table;
