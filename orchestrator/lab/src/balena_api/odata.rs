//! The URL of a query: what stands in quotes, what stands outside, and what is malformed.
//!
//! Real servers take only `%20`, `%24` and `%27` outside string literals; encoded punctuation there,
//! such as `%2C`, makes the URL malformed. So does the lab.

/// A piece of a query in which every string literal is replaced by `?`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shaped {
    /// The text around the literals, such as `slug eq ?`.
    pub(super) shape: String,
    /// The literals in order, decoded, without their quotes.
    pub(super) literals: Vec<String>,
}

/// A query taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// The path behind `/v7/`, such as `device(uuid=?)`.
    pub(super) resource: Shaped,
    /// The options in order, such as `$select`.
    pub(super) options: Vec<(String, Shaped)>,
}

impl Query {
    /// The option of this name.
    pub(super) fn option(&self, name: &str) -> Option<&Shaped> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The URL is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Takes apart the path and query of a request under `/v7/`.
pub(super) fn parse(url: &str) -> Result<Query, Malformed> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let resource = shaped(path.strip_prefix("/v7/").ok_or(Malformed)?)?;
    let mut options = Vec::new();
    // A literal `&` has to be encoded, so every bare one separates options.
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').ok_or(Malformed)?;
        let name = shaped(name)?;
        if !name.literals.is_empty() {
            return Err(Malformed);
        }
        options.push((name.shape, shaped(value)?));
    }
    Ok(Query { resource, options })
}

fn shaped(raw: &str) -> Result<Shaped, Malformed> {
    let mut shape = Vec::new();
    let mut literals = Vec::new();
    let mut signs = decoded(raw)?.into_iter().peekable();
    while let Some(Sign { byte, encoded }) = signs.next() {
        if byte == b'\'' {
            let mut literal = Vec::new();
            loop {
                let Sign { byte, .. } = signs.next().ok_or(Malformed)?;
                // A doubled quote is a quote, a single one the end.
                if byte == b'\'' && signs.next_if(|sign| sign.byte == b'\'').is_none() {
                    break;
                }
                literal.push(byte);
            }
            literals.push(String::from_utf8(literal).map_err(|_| Malformed)?);
            shape.push(b'?');
        } else if byte == b'?' || (encoded && !matches!(byte, b' ' | b'$')) {
            return Err(Malformed);
        } else {
            shape.push(byte);
        }
    }
    Ok(Shaped { shape: String::from_utf8(shape).map_err(|_| Malformed)?, literals })
}

/// A byte of a URL.
struct Sign {
    byte: u8,
    /// True if it was written with `%`.
    encoded: bool,
}

/// Undoes percent-encoding; `+` is a space.
fn decoded(raw: &str) -> Result<Vec<Sign>, Malformed> {
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(Malformed);
    let mut signs = Vec::new();
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        signs.push(match byte {
            b'%' => {
                let (high, low) = (bytes.next().ok_or(Malformed)?, bytes.next().ok_or(Malformed)?);
                let byte = u8::try_from(digit(high)? * 16 + digit(low)?).map_err(|_| Malformed)?;
                Sign { byte, encoded: true }
            }
            b'+' => Sign { byte: b' ', encoded: false },
            byte => Sign { byte, encoded: false },
        });
    }
    Ok(signs)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn value(raw: &str) -> Result<(String, Vec<String>), Malformed> {
        shaped(raw).map(|shaped| (shaped.shape, shaped.literals))
    }

    #[test]
    fn literals_are_decoded_and_taken_out() {
        let (shape, literals) = value("a/slug%20eq+%27org%2Ffleet%27 or x eq 'it''s %26'").unwrap();
        assert_eq!(shape, "a/slug eq ? or x eq ?");
        assert_eq!(literals, ["org/fleet", "it's &"]);
    }

    #[test]
    fn a_query_is_a_resource_and_its_options() {
        let query = parse("/v7/device(uuid='2f')?%24select=id,uuid&$orderby=id%20asc").unwrap();
        assert_eq!(query.resource.shape, "device(uuid=?)");
        assert_eq!(query.resource.literals, ["2f"]);
        assert_eq!(query.option("$select").unwrap().shape, "id,uuid");
        assert_eq!(query.option("$orderby").unwrap().shape, "id asc");
        assert_eq!(query.option("$top"), None);
    }

    #[test]
    fn encoded_punctuation_outside_literals_is_malformed() {
        for bad in
            ["id%2Cuuid", "any%28a:a", "a%29", "a%2Fslug", "a%3Aa", "x%3D1", "'open", "50%", "%zz"]
        {
            assert_eq!(value(bad), Err(Malformed), "{bad}");
        }
    }
}
