//! Boots whole cards: every board with every release, one-shot boots, and what falls back to what.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod card;
mod fallbacks;
mod releases;
mod tryboot;
