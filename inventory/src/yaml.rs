//! YAML in which every value knows its place, read strictly.
//!
//! [`load`] gives a tree of [`Node`]s. A [`Field`] is a node with the path of keys that leads to
//! it; its typed readers give a value or note a [`Problem`](crate::Problem) in a
//! [`Report`](crate::Report) and go on, so that one pass finds everything that is wrong:
//!
//! ```
//! use migos_inventory::{Report, yaml};
//!
//! const GATE: yaml::Keys = yaml::Keys { known: &["tolerate", "pause"], refused: &[] };
//!
//! let mut report = Report::new("policy.yaml");
//! let root = yaml::load("tolarate: 2", &mut report).expect("valid YAML");
//! let gate = yaml::Field::root(&root, "gate").mapping(&GATE, &mut report);
//! assert!(gate.get("tolerate").is_none());
//! assert_eq!(
//!     report.into_problems().to_string(),
//!     "policy.yaml:1:1: gate.tolarate: unknown key\n  hint: did you mean `tolerate`?",
//! );
//! ```
//!
//! Scalars follow the core schema of YAML 1.2: `yes` and `on` are texts. Anchors that nothing
//! refers to are ignored; aliases, merge keys and tags are refused, because with them a value has
//! no single place any more.
//!
//! `load_as_ansible` reads the same trees as Ansible does: YAML 1.1 scalars, aliases, merge keys, Ansible's tags.

mod field;
mod load;
mod mapping;
mod node;
mod path;
mod scalar;
mod syntax;
mod tolerant;
mod yaml_1_1;

pub use field::Field;
pub use load::load;
pub use mapping::{Keys, Mapping, Member, Refused};
pub use node::{Entry, Kind, Node};
pub use path::KeyPath;
pub use scalar::Number;
pub(crate) use tolerant::{UNSAFE, VAULT, load_as_ansible};

pub(crate) use path::{plain, quote};
