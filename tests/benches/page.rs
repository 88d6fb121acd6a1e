//! The page: what is generated stands between marks, and everything else is left as people wrote it.

use crate::finding::Finding;
use anyhow::{Context, Result, ensure};
use migos_engine::run::write_whole;
use std::fs;
use std::path::Path;

/// The page in the repository.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");

/// The folder of pictures, as the page names it.
const PICTURES: &str = "pictures";

/// Says something to whoever looks on.
#[expect(clippy::print_stdout, reason = "this is for people")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Puts a finding into the page, and its pictures beside it.
///
/// # Errors
/// If the page has no place for it, or cannot be written.
pub(crate) fn put(finding: &Finding) -> Result<()> {
    put_text(finding.key, &finding.markdown(PICTURES))?;
    let pictures = Path::new(PAGE).with_file_name(PICTURES);
    for (at, bars) in finding.bars.iter().enumerate() {
        write_whole(&pictures.join(finding.picture(at)), bars.svg().as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Puts a text into the page.
///
/// # Errors
/// If the page has no place for it, or cannot be written.
pub(crate) fn put_text(key: &str, text: &str) -> Result<()> {
    let page = fs::read_to_string(PAGE).context("docs/performance.md cannot be read")?;
    Ok(write_whole(Path::new(PAGE), replaced(&page, key, text)?.as_bytes(), 0o644)?)
}

fn replaced(page: &str, key: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench {key} -->\n"), "<!-- end -->");
    let (before, rest) = page.split_once(&begin).with_context(|| format!("no mark for {key}"))?;
    let (old, after) = rest.split_once(end).with_context(|| format!("{key} has no end"))?;
    ensure!(!old.contains("<!-- bench "), "{key} has no end");
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let page = "a\n<!-- bench x -->\nold\n<!-- end -->\nb\n<!-- bench y -->\n<!-- end -->\n";
        let fresh = replaced(page, "x", "new\n").unwrap();
        insta::assert_snapshot!(fresh, @r###"
        a
        <!-- bench x -->

        new

        <!-- end -->
        b
        <!-- bench y -->
        <!-- end -->
        "###);
        assert_eq!(replaced(&fresh, "x", "new").unwrap(), fresh);
        assert!(replaced(page, "z", "new").is_err());
        assert!(replaced("<!-- bench x -->\n<!-- bench y -->\n<!-- end -->", "x", "").is_err());
    }
}
