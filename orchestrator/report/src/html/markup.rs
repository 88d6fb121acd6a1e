//! HTML that is right by construction: text is escaped on its way in, tags are words of this program.

use std::fmt::Display;

/// A piece of HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(String);

/// Text, whatever it holds. Nothing that steers a reader's terminal or page survives.
pub(super) fn text(text: impl Display) -> Html {
    let mut escaped = String::new();
    for c in text.to_string().chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    Html(escaped)
}

/// Words in which `code` stands between backticks.
pub(super) fn prose(words: impl Display) -> Html {
    let words = words.to_string();
    let parts: Vec<&str> = words.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text(words);
    }
    let part = |(n, part): (usize, &&str)| match n % 2 {
        0 => text(part),
        _ => element("code", *part),
    };
    Html(parts.iter().enumerate().map(part).map(|Html(html)| html).collect())
}

/// An element with what is in it.
pub(super) fn element(tag: &'static str, inner: impl Into<Inner>) -> Html {
    with(tag, &[], inner)
}

/// An element of a class.
pub(super) fn classed(tag: &'static str, class: &'static str, inner: impl Into<Inner>) -> Html {
    with(tag, &[("class", class.to_owned())], inner)
}

/// An element with attributes.
pub(super) fn with(
    tag: &'static str,
    attributes: &[(&'static str, String)],
    inner: impl Into<Inner>,
) -> Html {
    let mut html = format!("<{tag}");
    for (name, value) in attributes {
        html += &format!(" {name}=\"{}\"", text(value).0);
    }
    html.push('>');
    if !matches!(tag, "meta" | "br" | "col") {
        let Inner(inner) = inner.into();
        html += &inner;
        html += &format!("</{tag}>");
    }
    Html(html)
}

/// What stands in an element.
pub(super) struct Inner(String);

impl From<Html> for Inner {
    fn from(Html(html): Html) -> Inner {
        Inner(html)
    }
}

impl From<&str> for Inner {
    fn from(words: &str) -> Inner {
        text(words).into()
    }
}

impl From<String> for Inner {
    fn from(words: String) -> Inner {
        text(words).into()
    }
}

impl<const N: usize> From<[Html; N]> for Inner {
    fn from(parts: [Html; N]) -> Inner {
        Vec::from(parts).into()
    }
}

impl From<Vec<Html>> for Inner {
    fn from(parts: Vec<Html>) -> Inner {
        Inner(parts.into_iter().map(|Html(html)| html).collect())
    }
}

/// A whole page. Nothing in it is loaded from elsewhere, and nothing in it runs.
pub(super) fn page(title: &str, body: Vec<Html>) -> String {
    const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
    let meta = |name: &'static str, value: &str, content: &str| {
        with("meta", &[(name, value.to_owned()), ("content", content.to_owned())], "")
    };
    let head = element(
        "head",
        [
            with("meta", &[("charset", "utf-8".to_owned())], ""),
            meta("http-equiv", "Content-Security-Policy", POLICY),
            meta("name", "viewport", "width=device-width, initial-scale=1"),
            element("title", title),
            Html(format!("<style>{}</style>", include_str!("style.css"))),
        ],
    );
    let Html(html) = with("html", &[("lang", "en".to_owned())], [head, element("body", body)]);
    format!("<!doctype html>\n{html}\n")
}

/// A table with a header, in a box of its own that scrolls where it is too wide.
pub(super) fn table(header: &[&str], rows: Vec<Vec<Html>>) -> Html {
    let head = header.iter().map(|name| element("th", *name)).collect::<Vec<_>>();
    let row = |cells: Vec<Html>| {
        let cells = cells.into_iter().map(|cell| element("td", cell)).collect::<Vec<_>>();
        element("tr", cells)
    };
    let body = rows.into_iter().map(row).collect::<Vec<_>>();
    let table = element("table", [element("thead", element("tr", head)), element("tbody", body)]);
    classed("div", "scroll", table)
}

/// Something that is folded until a reader opens it.
pub(super) fn folded(summary: impl Into<Inner>, inner: impl Into<Inner>) -> Html {
    let inner = classed("div", "inside", inner);
    element("details", [element("summary", summary), inner])
}

/// A number with the word under it.
pub(super) fn tile(number: usize, word: &str, class: &'static str) -> Html {
    let class = format!("tile {class}");
    with("div", &[("class", class)], [element("b", number.to_string()), element("span", word)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_between_backticks_is_set_as_code() {
        let Html(html) = prose("write `data: <none>` into it");
        assert_eq!(html, "write <code>data: &lt;none&gt;</code> into it");
        let Html(html) = prose("a lone ` stays");
        assert_eq!(html, "a lone ` stays");
    }

    #[test]
    fn what_comes_from_outside_is_text_and_nothing_else() {
        let Html(html) = with(
            "p",
            &[("title", "\"><script>".to_owned())],
            "<script>alert('x')</script> & \x1b[2J",
        );
        assert_eq!(
            html,
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp;  [2J</p>"
        );
    }
}
