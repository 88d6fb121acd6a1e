//! Splits a line into words as `ssh` and a shell do: quotes hold words together, a backslash takes what follows as it is.

/// The words of a line; nothing if a quote is left open. With `comments`, a word that begins with `#` ends the line.
pub(super) fn split(line: &str, comments: bool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let escaped = rest.next_if(|next| match quote {
                    Some(_) => matches!(next, '"' | '\\'),
                    None => matches!(next, '"' | '\\' | '\'' | ' '),
                });
                word.get_or_insert_default().push(escaped.unwrap_or('\\'));
            }
            (None, '#') if comments && word.is_none() => break,
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_and_backslashes_are_as_in_a_shell() {
        let words = |line| split(line, false).map(|words| words.join("|"));
        assert_eq!(words(r#"-o "A=b c" -J 'x y'z"#).as_deref(), Some("-o|A=b c|-J|x yz"));
        assert_eq!(words(r#"a\ b "c\"d" 'e\f' \g """#).as_deref(), Some(r#"a b|c"d|e\f|\g|"#));
        assert_eq!(words("\"open"), None);
        assert_eq!(split("a#b #c d", true), Some(vec!["a#b".to_owned()]));
    }
}
