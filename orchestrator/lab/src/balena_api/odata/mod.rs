//! The URL of a query: which rows of which resource are meant, and what is malformed.
//!
//! Real servers take only `%20`, `%24` and `%27` outside string literals; encoded punctuation there,
//! such as `%2C`, makes the URL malformed. So does the lab.
//!
//! ```text
//! token    signs, words and literals        parse    from these to a query
//! ```

mod parse;
mod token;

pub(super) use parse::parse;

use serde_json::Value;

/// The URL is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A query, as `device(uuid='2f')?$select=id`.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    /// The resource, such as `device`.
    pub(super) resource: String,
    /// The fields of the key and what they have to be; a bare number is an `id`.
    pub(super) key: Vec<(String, Value)>,
    /// True for `resource/$count`.
    pub(super) count: bool,
    /// What is said of the rows.
    pub(super) options: Options,
}

/// What is said of the rows of a resource, or of those behind a link.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options {
    /// The fields wanted; all if there is no selection.
    pub(super) select: Option<Vec<String>>,
    /// What has to be true of a row.
    pub(super) filter: Option<Expression>,
    /// The links whose rows are wanted with it.
    pub(super) expand: Vec<Expand>,
    /// By what to order, first things first.
    pub(super) order: Vec<Order>,
    /// How many rows to give at most.
    pub(super) top: Option<usize>,
    /// How many rows to leave out first.
    pub(super) skip: Option<usize>,
}

/// A link whose rows are wanted.
#[derive(Debug, PartialEq)]
pub(super) struct Expand {
    /// The link's name.
    pub(super) link: String,
    /// True for `link/$count`.
    pub(super) count: bool,
    /// What is said of its rows.
    pub(super) options: Options,
}

/// One thing to order by.
#[derive(Debug, PartialEq)]
pub(super) struct Order {
    /// A field, or one behind links.
    pub(super) path: Vec<String>,
    /// True if the last comes first.
    pub(super) descending: bool,
}

/// What a filter says.
#[derive(Debug, PartialEq)]
pub(super) enum Expression {
    /// A text, number, boolean or null.
    Literal(Value),
    /// A field, or one behind links to one row.
    Path(Vec<String>),
    /// A function of these.
    Call(String, Vec<Expression>),
    /// The opposite.
    Not(Box<Expression>),
    /// All of these.
    And(Vec<Expression>),
    /// One of these.
    Or(Vec<Expression>),
    /// Two things compared.
    Compare(Comparison, Box<[Expression; 2]>),
    /// One thing among others.
    In(Box<Expression>, Vec<Expression>),
    /// Whether there is a row behind a link of which the condition is true.
    Any {
        /// The link, or several in a row.
        path: Vec<String>,
        /// The row's name in the condition, and the condition; none if any row will do.
        condition: Option<(String, Box<Expression>)>,
    },
}

/// How two things are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    Unequal,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}
