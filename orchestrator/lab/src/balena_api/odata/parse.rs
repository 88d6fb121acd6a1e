//! From signs, words and literals to a query.

use super::token::{Token, tokens};
use super::{Comparison, Expand, Expression, Malformed, Options, Order, Query};
use serde_json::{Value, json};
use std::iter::Peekable;
use std::vec::IntoIter;

/// How deep conditions and expansions may stand in each other.
const DEEPEST: usize = 32;

/// Takes apart the path and query of a request under `/v7/`.
pub(in crate::balena_api) fn parse(url: &str) -> Result<Query, Malformed> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parser = Parser::new(path.strip_prefix("/v7/").ok_or(Malformed)?)?;
    let resource = parser.word()?;
    let key = if parser.takes('(') { parser.key()? } else { Vec::new() };
    let count = parser.takes('/');
    if count && parser.word()? != "$count" {
        return Err(Malformed);
    }
    parser.end()?;
    let mut options = Options::default();
    // A literal `&` has to be encoded, so every bare one separates options. Those without a dollar sign are no
    // part of the query.
    let is_of_query = |option: &&str| option.starts_with('$') || option.starts_with("%24");
    for option in query.split('&').filter(is_of_query) {
        let mut parser = Parser::new(option)?;
        parser.option(&mut options)?;
        parser.end()?;
    }
    Ok(Query { resource, key, count, options })
}

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn new(raw: &str) -> Result<Self, Malformed> {
        Ok(Self { tokens: tokens(raw)?.into_iter().peekable(), depth: 0 })
    }

    fn takes(&mut self, sign: char) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn sign(&mut self, sign: char) -> Result<(), Malformed> {
        if self.takes(sign) { Ok(()) } else { Err(Malformed) }
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|next| matches!(next, Token::Word(it) if it == word)).is_some()
    }

    fn word(&mut self) -> Result<String, Malformed> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(Malformed),
        }
    }

    fn end(&mut self) -> Result<(), Malformed> {
        if self.tokens.next().is_none() { Ok(()) } else { Err(Malformed) }
    }

    /// One or more of something, with commas between.
    fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let mut items = vec![item(self)?];
        while self.takes(',') {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Goes one level deeper for as long as `what` takes.
    fn deeper<T>(
        &mut self,
        what: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        if self.depth == DEEPEST {
            return Err(Malformed);
        }
        self.depth += 1;
        let done = what(self);
        self.depth -= 1;
        done
    }

    fn key(&mut self) -> Result<Vec<(String, Value)>, Malformed> {
        let key = self.list(|parser| match parser.tokens.next() {
            Some(Token::Word(word)) if parser.takes('=') => Ok((word, parser.literal()?)),
            Some(Token::Word(word)) => Ok(("id".to_owned(), number(&word).ok_or(Malformed)?)),
            _ => Err(Malformed),
        })?;
        self.sign(')')?;
        Ok(key)
    }

    fn literal(&mut self) -> Result<Value, Malformed> {
        match self.primary()? {
            Expression::Literal(value) => Ok(value),
            _ => Err(Malformed),
        }
    }

    /// One option: its name, an equals sign, and what it says.
    fn option(&mut self, options: &mut Options) -> Result<(), Malformed> {
        let name = self.word()?;
        self.sign('=')?;
        match name.as_str() {
            "$select" => options.select = Some(self.list(Self::word)?),
            "$filter" => options.filter = Some(self.either()?),
            "$expand" => options.expand = self.list(Self::expand)?,
            "$orderby" => options.order = self.list(Self::order)?,
            "$top" => options.top = Some(self.word()?.parse().map_err(|_| Malformed)?),
            "$skip" => options.skip = Some(self.word()?.parse().map_err(|_| Malformed)?),
            _ => return Err(Malformed),
        }
        Ok(())
    }

    fn expand(&mut self) -> Result<Expand, Malformed> {
        let mut expand = Expand { link: self.word()?, count: false, options: Options::default() };
        if self.takes('/') {
            expand.count = self.word()? == "$count";
            if !expand.count {
                return Err(Malformed);
            }
        }
        if self.takes('(') {
            self.deeper(|parser| {
                parser.option(&mut expand.options)?;
                while parser.takes(';') {
                    parser.option(&mut expand.options)?;
                }
                parser.sign(')')
            })?;
        }
        Ok(expand)
    }

    fn order(&mut self) -> Result<Order, Malformed> {
        let mut path = vec![self.word()?];
        while self.takes('/') {
            path.push(self.word()?);
        }
        let descending = self.takes_word("desc");
        if !descending {
            self.takes_word("asc");
        }
        Ok(Order { path, descending })
    }

    fn either(&mut self) -> Result<Expression, Malformed> {
        self.deeper(|parser| {
            let mut parts = vec![parser.all()?];
            while parser.takes_word("or") {
                parts.push(parser.all()?);
            }
            Ok(one_or(parts, Expression::Or))
        })
    }

    fn all(&mut self) -> Result<Expression, Malformed> {
        let mut parts = vec![self.comparison()?];
        while self.takes_word("and") {
            parts.push(self.comparison()?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn comparison(&mut self) -> Result<Expression, Malformed> {
        if self.takes_word("not") {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.comparison()?))));
        }
        let left = self.primary()?;
        let Some(Token::Word(word)) = self.tokens.peek() else { return Ok(left) };
        let comparison = match word.as_str() {
            "eq" => Comparison::Equal,
            "ne" => Comparison::Unequal,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            "in" => {
                self.word()?;
                self.sign('(')?;
                let among = self.list(Self::primary)?;
                self.sign(')')?;
                return Ok(Expression::In(Box::new(left), among));
            }
            _ => return Ok(left),
        };
        self.word()?;
        Ok(Expression::Compare(comparison, Box::new([left, self.primary()?])))
    }

    fn primary(&mut self) -> Result<Expression, Malformed> {
        let word = match self.tokens.next().ok_or(Malformed)? {
            Token::Text(text) => return Ok(Expression::Literal(text.into())),
            Token::Sign('(') => {
                let inner = self.either()?;
                self.sign(')')?;
                return Ok(inner);
            }
            Token::Sign(_) => return Err(Malformed),
            Token::Word(word) => word,
        };
        if let Some(Token::Text(_)) = self.tokens.peek() {
            // Dates of one zone compare like the texts that they are written as.
            return if word == "datetime" { self.primary() } else { Err(Malformed) };
        }
        if let Some(value) = constant(&word) {
            return Ok(Expression::Literal(value));
        }
        if self.takes('(') {
            let arguments = self.list(Self::either)?;
            self.sign(')')?;
            return Ok(Expression::Call(word, arguments));
        }
        let mut path = vec![word];
        while self.takes('/') {
            let word = self.word()?;
            if word == "any" && self.takes('(') {
                return Ok(Expression::Any { path, condition: self.condition()? });
            }
            path.push(word);
        }
        Ok(Expression::Path(path))
    }

    fn condition(&mut self) -> Result<Option<(String, Box<Expression>)>, Malformed> {
        if self.takes(')') {
            return Ok(None);
        }
        let name = self.word()?;
        self.sign(':')?;
        let condition = self.either()?;
        self.sign(')')?;
        Ok(Some((name, Box::new(condition))))
    }
}

fn one_or(mut parts: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            several(parts)
        }
    }
}

fn constant(word: &str) -> Option<Value> {
    match word {
        "true" => Some(json!(true)),
        "false" => Some(json!(false)),
        "null" => Some(Value::Null),
        word => number(word),
    }
}

fn number(word: &str) -> Option<Value> {
    if !word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return None;
    }
    match word.parse::<i64>() {
        Ok(whole) => Some(json!(whole)),
        Err(_) => word.parse::<f64>().ok().map(|number| json!(number)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_query_is_a_resource_and_its_options() {
        let query = parse("/v7/device(uuid='2f')?%24select=id,uuid&$orderby=id%20asc&apikey=a%2Cb")
            .unwrap();
        assert_eq!(query.resource, "device");
        assert_eq!(query.key, [("uuid".to_owned(), json!("2f"))]);
        assert_eq!(query.options.select.unwrap(), ["id", "uuid"]);
        assert_eq!(query.options.order[0].path, ["id"]);
        assert_eq!(query.options.top, None);
        assert_eq!(parse("/v7/device(7)").unwrap().key, [("id".to_owned(), json!(7))]);
        assert!(parse("/v7/device/$count?$filter=id gt 3").unwrap().count);
    }

    #[test]
    fn expansions_have_options_of_their_own() {
        let query = parse(
            "/v7/application?$expand=owns__release($select=id;$filter=a eq 1 and not (b in ('x','y') or c);\
             $expand=tag),owns__device/$count",
        );
        let expand = query.unwrap().options.expand;
        assert_eq!((expand[0].link.as_str(), expand[0].count), ("owns__release", false));
        assert_eq!(expand[0].options.expand[0].link, "tag");
        assert!(
            matches!(&expand[0].options.filter, Some(Expression::And(parts)) if parts.len() == 2)
        );
        assert_eq!((expand[1].link.as_str(), expand[1].count), ("owns__device", true));
    }

    #[test]
    fn what_does_not_parse_is_malformed() {
        for bad in [
            "/v6/device",
            "/v7/device(uuid=)",
            "/v7/device/id",
            "/v7/device?$top=abc",
            "/v7/device?$select=id,",
            "/v7/device?$filter=id eq",
            "/v7/device?$filter=(id eq 1",
            "/v7/device?$filter=a/any(x)",
            "/v7/device?$colour=red",
            &format!("/v7/device?$filter={}1{}", "(".repeat(99), ")".repeat(99)),
        ] {
            assert_eq!(parse(bad), Err(Malformed), "{bad}");
        }
    }
}
