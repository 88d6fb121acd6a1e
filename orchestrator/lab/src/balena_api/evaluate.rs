//! What a query finds: filters, links, order and selection over the rows that somebody may see.

use super::check;
use super::odata::{Comparison, Expand, Expression, Options, Order};
use super::query::Actor;
use super::schema::Resource;
use super::state::State;
use super::table::Row;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// A field, link or function that there is not. Real servers answer it with 500 and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown(pub(super) String);

/// All that one actor sees at one moment.
pub(super) struct View<'a> {
    state: &'a State,
    actor: Actor,
    /// Rows that were asked for already.
    rows: RefCell<HashMap<&'static str, Rc<Vec<Row>>>>,
}

/// A row that a condition speaks of, with the name it has there; the outermost has none.
#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    resource: &'static Resource,
    row: &'a Row,
}

impl<'a> View<'a> {
    pub(super) fn new(state: &'a State, actor: Actor) -> Self {
        Self { state, actor, rows: RefCell::default() }
    }

    /// The rows that a query means, whole and in order.
    pub(super) fn find(
        &self,
        resource: &'static Resource,
        key: &[(String, Value)],
        options: &Options,
    ) -> Result<Vec<Row>, Unknown> {
        check::options(resource, options)?;
        if let Some((field, _)) = key.iter().find(|(field, _)| !resource.has(field)) {
            return Err(unknown(resource, field));
        }
        let rows = self.rows(resource);
        let is_it = |row: &&Row| key.iter().all(|(field, value)| row.get(field) == Some(value));
        let meant = rows.iter().filter(is_it);
        self.narrow(resource, meant, options)
    }

    /// Rows as they are answered: with the fields that were selected and the links that were expanded.
    pub(super) fn shown(
        &self,
        resource: &'static Resource,
        rows: &[Row],
        options: &Options,
    ) -> Result<Vec<Value>, Unknown> {
        let all = || resource.fields.iter().chain(resource.links.iter().map(|(link, _)| link));
        let fields: Vec<&str> = match &options.select {
            Some(fields) => fields.iter().map(String::as_str).collect(),
            None => all().copied().collect(),
        };
        if let Some(field) = fields.iter().find(|field| !resource.has(field)) {
            return Err(unknown(resource, field));
        }
        rows.iter().map(|row| self.shown_one(resource, row, &fields, &options.expand)).collect()
    }

    fn shown_one(
        &self,
        resource: &'static Resource,
        row: &Row,
        fields: &[&str],
        expand: &[Expand],
    ) -> Result<Value, Unknown> {
        let mut shown = Row::new();
        for field in fields {
            let value = row.get(*field).cloned().unwrap_or(Value::Null);
            let value = match resource.is_link(field) && !value.is_null() {
                true => json!({ "__id": value }),
                false => value,
            };
            shown.insert((*field).to_owned(), value);
        }
        for Expand { link, count, options } in expand {
            let (to, behind) = self.behind(resource, row, link)?;
            let behind = self.narrow(to, behind.iter(), options)?;
            let value = match count {
                true => json!(behind.len()),
                false => Value::Array(self.shown(to, &behind, options)?),
            };
            shown.insert(link.clone(), value);
        }
        Ok(Value::Object(shown))
    }

    fn narrow<'r>(
        &self,
        resource: &'static Resource,
        rows: impl Iterator<Item = &'r Row>,
        options: &Options,
    ) -> Result<Vec<Row>, Unknown> {
        let mut meant = Vec::new();
        for row in rows {
            let fits = match &options.filter {
                None => true,
                Some(filter) => {
                    self.value(filter, &[Named { name: "", resource, row }])? == json!(true)
                }
            };
            if fits {
                meant.push(row.clone());
            }
        }
        for Order { path, descending } in options.order.iter().rev() {
            let mut keyed = Vec::new();
            for row in meant {
                let key = self.path(path, &[Named { name: "", resource, row: &row }])?;
                keyed.push((key, row));
            }
            keyed.sort_by(|(left, _), (right, _)| {
                let order = order(left, right).unwrap_or(Ordering::Equal);
                if *descending { order.reverse() } else { order }
            });
            meant = keyed.into_iter().map(|(_, row)| row).collect();
        }
        let skipped = meant.into_iter().skip(options.skip.unwrap_or(0));
        Ok(skipped.take(options.top.unwrap_or(usize::MAX)).collect())
    }

    fn rows(&self, resource: &'static Resource) -> Rc<Vec<Row>> {
        let mut at_hand = self.rows.borrow_mut();
        let rows = at_hand.entry(resource.name);
        Rc::clone(rows.or_insert_with(|| Rc::new(self.state.rows(resource, self.actor))))
    }

    /// The rows behind a link, of which there is one at most unless it leads backward.
    fn behind(
        &self,
        resource: &'static Resource,
        row: &Row,
        link: &str,
    ) -> Result<(&'static Resource, Vec<Row>), Unknown> {
        let (to, here, there) = resource.link(link).ok_or_else(|| unknown(resource, link))?;
        let wanted = row.get(here).filter(|id| !id.is_null());
        let rows = self.rows(to);
        let behind = rows.iter().filter(|row| wanted.is_some() && row.get(there) == wanted);
        Ok((to, behind.cloned().collect()))
    }

    fn value(&self, expression: &Expression, rows: &[Named<'_>]) -> Result<Value, Unknown> {
        let holds = |part| Ok(self.value(part, rows)? == json!(true));
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Path(path) => self.path(path, rows)?,
            Expression::Not(inner) => json!(!holds(inner)?),
            // Both sides are looked at always, so that an unknown field shows whatever the data are.
            Expression::And(parts) => {
                let parts: Vec<bool> = parts.iter().map(holds).collect::<Result<_, _>>()?;
                json!(parts.iter().all(|part| *part))
            }
            Expression::Or(parts) => {
                let parts: Vec<bool> = parts.iter().map(holds).collect::<Result<_, _>>()?;
                json!(parts.iter().any(|part| *part))
            }
            Expression::Compare(comparison, sides) => {
                let [left, right] = &**sides;
                json!(compare(*comparison, &self.value(left, rows)?, &self.value(right, rows)?))
            }
            Expression::In(left, among) => {
                let left = self.value(left, rows)?;
                let among: Vec<Value> =
                    among.iter().map(|one| self.value(one, rows)).collect::<Result<_, _>>()?;
                json!(among.iter().any(|one| compare(Comparison::Equal, &left, one)))
            }
            Expression::Call(function, arguments) => {
                let arguments: Vec<Value> =
                    arguments.iter().map(|one| self.value(one, rows)).collect::<Result<_, _>>()?;
                call(function, &arguments)?
            }
            Expression::Any { path, condition } => {
                json!(self.any(path, condition.as_ref(), rows)?)
            }
        })
    }

    fn any(
        &self,
        path: &[String],
        condition: Option<&(String, Box<Expression>)>,
        rows: &[Named<'_>],
    ) -> Result<bool, Unknown> {
        let (resource, behind) = self.walk(path, rows)?;
        let Some((name, condition)) = condition else { return Ok(!behind.is_empty()) };
        for row in &behind {
            let mut inner = rows.to_vec();
            inner.push(Named { name, resource, row });
            if self.value(condition, &inner)? == json!(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value at the end of a path through links to one row each.
    fn path(&self, path: &[String], rows: &[Named<'_>]) -> Result<Value, Unknown> {
        let Some((field, links)) = path.split_last() else { return Ok(Value::Null) };
        let (resource, ends) = self.walk(links, rows)?;
        if field == "$count" {
            return Ok(json!(ends.len()));
        }
        if !resource.has(field) {
            return Err(unknown(resource, field));
        }
        Ok(ends.first().and_then(|row| row.get(field)).cloned().unwrap_or(Value::Null))
    }

    /// The rows at the end of links, beginning at a named row or at the outermost one.
    fn walk(
        &self,
        path: &[String],
        rows: &[Named<'_>],
    ) -> Result<(&'static Resource, Vec<Row>), Unknown> {
        let named = path.first().and_then(|first| {
            rows.iter().rev().find(|row| !row.name.is_empty() && row.name == first)
        });
        let (start, links) = match named {
            Some(named) => (named, path.get(1..).unwrap_or_default()),
            None => (rows.first().ok_or_else(|| Unknown(path.join("/")))?, path),
        };
        let (mut resource, mut ends) = (start.resource, vec![start.row.clone()]);
        for link in links {
            let mut next = Vec::new();
            for row in &ends {
                next.extend(self.behind(resource, row, link)?.1);
            }
            resource = resource.link(link).ok_or_else(|| unknown(resource, link))?.0;
            ends = next;
        }
        Ok((resource, ends))
    }
}

pub(super) fn unknown(resource: &Resource, name: &str) -> Unknown {
    Unknown(format!("{}/{name}", resource.name))
}

/// Null equals null only, and is neither greater nor less than anything.
fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    let order = order(left, right);
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::Unequal => order != Some(Ordering::Equal),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn call(function: &str, arguments: &[Value]) -> Result<Value, Unknown> {
    let texts: Vec<&str> = arguments.iter().map(|one| one.as_str().unwrap_or_default()).collect();
    Ok(match (function, texts.as_slice()) {
        ("startswith", [text, start]) => json!(text.starts_with(start)),
        ("endswith", [text, end]) => json!(text.ends_with(end)),
        ("contains", [text, part]) | ("substringof", [part, text]) => json!(text.contains(part)),
        ("tolower", [text]) => json!(text.to_lowercase()),
        ("toupper", [text]) => json!(text.to_uppercase()),
        _ => return Err(Unknown(format!("{function}()"))),
    })
}
