//! What happens: facts, steps, playbooks, requirements, policies, the planner, the plan.
//!
//! [`planner::plan`] is a pure function. It takes a fleet, the [`facts`] that a probe found, the payloads
//! and images at hand, what [`balena`] said, a [`playbook`] and a [`policy`]. Each device is held against
//! the [`requirement`]s; those that pass get a [`DevicePlan`](plan::DevicePlan), the others are set aside
//! with a reason and a remedy. The result, a [`Plan`](plan::Plan), leaves no choice to whoever carries it
//! out, and equal inputs give equal bytes. [`assess`](mod@assess) asks the same planner before anything is decided.

pub mod assess;
pub mod balena;
mod digest;
pub mod estimate;
pub mod facts;
pub mod plan;
pub mod planner;
pub mod playbook;
pub mod policy;
pub mod rate;
pub mod requirement;
pub mod schema;
pub mod span;
pub mod step;
pub mod window;
