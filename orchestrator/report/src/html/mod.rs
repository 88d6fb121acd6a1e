//! Reports as one HTML file each: to mail, to read on a phone, to print. They load nothing, and nothing in them runs.

mod assess;
mod markup;
mod plan;
mod run;
mod timeline;

pub use assess::assess_html;
pub use plan::plan_html;
pub use run::{Told, run_html};
