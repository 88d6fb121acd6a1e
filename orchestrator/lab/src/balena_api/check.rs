//! Whether a query speaks of fields and links that there are, before any row is looked at.
//!
//! A real server makes SQL of the whole query first, so an unknown name is an error however few rows there are.

use super::evaluate::{Unknown, unknown};
use super::odata::{Expression, Options};
use super::schema::Resource;

/// The resource of a row that a condition speaks of, with the name it has there; the outermost has none.
type Named<'a> = (&'a str, &'static Resource);

/// Checks what is said of the rows of a resource, and of those behind its links.
pub(super) fn options(resource: &'static Resource, options: &Options) -> Result<(), Unknown> {
    let selected = options.select.iter().flatten();
    if let Some(field) = selected.into_iter().find(|field| !resource.has(field)) {
        return Err(unknown(resource, field));
    }
    if let Some(filter) = &options.filter {
        expression(filter, &[("", resource)])?;
    }
    for order in &options.order {
        value_at(&order.path, &[("", resource)])?;
    }
    for expand in &options.expand {
        let (to, ..) =
            resource.link(&expand.link).ok_or_else(|| unknown(resource, &expand.link))?;
        self::options(to, &expand.options)?;
    }
    Ok(())
}

fn expression(it: &Expression, rows: &[Named<'_>]) -> Result<(), Unknown> {
    match it {
        Expression::Literal(_) => Ok(()),
        Expression::Path(path) => value_at(path, rows),
        Expression::Not(inner) => expression(inner, rows),
        Expression::And(parts) | Expression::Or(parts) | Expression::Call(_, parts) => {
            parts.iter().try_for_each(|part| expression(part, rows))
        }
        Expression::Compare(_, sides) => sides.iter().try_for_each(|side| expression(side, rows)),
        Expression::In(left, among) => {
            expression(left, rows)?;
            among.iter().try_for_each(|one| expression(one, rows))
        }
        Expression::Any { path, condition } => {
            let resource = row_at(path, rows)?;
            let Some((name, condition)) = condition else { return Ok(()) };
            let mut inner = rows.to_vec();
            inner.push((name, resource));
            expression(condition, &inner)
        }
    }
}

fn value_at(path: &[String], rows: &[Named<'_>]) -> Result<(), Unknown> {
    let Some((field, links)) = path.split_last() else { return Ok(()) };
    let resource = row_at(links, rows)?;
    match field == "$count" || resource.has(field) {
        true => Ok(()),
        false => Err(unknown(resource, field)),
    }
}

fn row_at(path: &[String], rows: &[Named<'_>]) -> Result<&'static Resource, Unknown> {
    let named = path
        .first()
        .and_then(|first| rows.iter().rev().find(|(name, _)| !name.is_empty() && name == first));
    let (start, links) = match (named, rows.first()) {
        (Some((_, named)), _) => (*named, path.get(1..).unwrap_or_default()),
        (None, Some((_, outermost))) => (*outermost, path),
        (None, None) => return Err(Unknown(path.join("/"))),
    };
    links.iter().try_fold(start, |at, link| {
        at.link(link).map(|(to, ..)| to).ok_or_else(|| unknown(at, link))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::balena_api::{odata, schema};

    fn check(query: &str) -> Result<(), String> {
        let query = odata::parse(&format!("/v7/{query}")).unwrap();
        let resource = schema::resource(&query.resource).unwrap();
        options(resource, &query.options).map_err(|Unknown(what)| what)
    }

    #[test]
    fn names_are_looked_up_where_they_are_used() {
        assert_eq!(
            check("device?$filter=belongs_to__application/any(a:a/slug eq device_name)"),
            Ok(())
        );
        assert_eq!(
            check("device?$orderby=belongs_to__application/slug desc,device_tag/$count"),
            Ok(())
        );
        let deep = "device?$expand=belongs_to__application($expand=owns__release($select=colour))";
        assert_eq!(check(deep), Err("release/colour".to_owned()));
        assert_eq!(check("device?$filter=not(colour eq 1)"), Err("device/colour".to_owned()));
        let inside = "device?$filter=device_tag/any(t:t/colour eq 1 or t/tag_key eq 'a')";
        assert_eq!(check(inside), Err("device_tag/colour".to_owned()));
        assert_eq!(check("device?$orderby=id,slug"), Err("device/slug".to_owned()));
        assert_eq!(check("device?$select=device_tag"), Err("device/device_tag".to_owned()));
    }
}
