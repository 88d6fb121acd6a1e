//! `cmdline.txt`: one line for the kernel, in tokens.

use super::is_decoy;
use super::line::Span;

/// A `cmdline.txt`, or any other bytes read as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CmdlineTxt {
    bytes: Vec<u8>,
    /// Where the kernel's line ends.
    line: usize,
    tokens: Vec<Span>,
}

/// One token of the kernel's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// Where it stands.
    pub span: Span,
    /// All of it, quotes included.
    pub text: &'a [u8],
}

impl CmdlineTxt {
    /// Reads a file. Every sequence of bytes is one.
    ///
    /// Only the first line is for the kernel (Raspberry Pi documentation: kernel command line), and a NUL
    /// ends it. Tokens are told apart as the kernel does: by blanks outside of double quotes.
    pub fn parse(bytes: &[u8]) -> Self {
        let line = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\0'));
        let line = line.unwrap_or(bytes.len());
        let (mut tokens, mut start, mut quoted) = (Vec::new(), None, false);
        for (at, byte) in bytes[..line].iter().enumerate() {
            match (start, is_blank(*byte) && !quoted) {
                (None, false) => start = Some(at),
                (Some(begin), true) => {
                    tokens.push(Span { start: begin, end: at });
                    start = None;
                }
                (None, true) | (Some(_), false) => {}
            }
            quoted ^= *byte == b'"';
        }
        tokens.extend(start.map(|start| Span { start, end: line }));
        CmdlineTxt { bytes: bytes.to_vec(), line, tokens }
    }

    /// The bytes it was read from.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The kernel's line: the first one, without its end and the blanks before that.
    pub fn line(&self) -> &[u8] {
        &self.bytes[..self.tokens.last().map_or(0, |last| last.end)]
    }

    /// What follows the kernel's line; the kernel does not see it.
    pub fn rest(&self) -> &[u8] {
        let rest = &self.bytes[self.line..];
        rest.strip_prefix(b"\n").unwrap_or(rest)
    }

    /// The tokens of the kernel's line.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        self.tokens
            .iter()
            .map(|span| Token { span: *span, text: &self.bytes[span.start..span.end] })
    }

    /// The last token with this key: for most keys, the one that counts.
    pub fn token(&self, key: &str) -> Option<Token<'_>> {
        self.tokens().filter(|token| token.has_key(key)).last()
    }

    /// True if a quote is left open: then whatever is appended belongs to the last token.
    pub fn has_open_quote(&self) -> bool {
        self.bytes[..self.line].iter().filter(|byte| **byte == b'"').count() % 2 == 1
    }

    /// True for the text that stands at `/boot/cmdline.txt` where the real file is in `/boot/firmware`.
    pub fn is_decoy(&self) -> bool {
        is_decoy(&self.bytes)
    }

    /// True if the root file system is read-only under an overlay: `boot=overlay` (buster, bullseye) or
    /// `overlayroot=` (bookworm and later).
    pub fn has_overlay_root(&self) -> bool {
        self.token("overlayroot").is_some()
            || self.tokens().any(|token| token.has_key("boot") && token.value() == Some(b"overlay"))
    }

    /// A new line of those tokens that are wanted, one blank between them.
    pub fn keeping(&self, wanted: impl Fn(Token<'_>) -> bool) -> Self {
        let kept = self.tokens().filter(|token| wanted(*token)).map(|token| token.text);
        Self::of_line(kept.collect::<Vec<_>>().join(&b' '))
    }

    /// A new line without those tokens that are unwanted.
    pub fn dropping(&self, unwanted: impl Fn(Token<'_>) -> bool) -> Self {
        self.keeping(|token| !unwanted(token))
    }

    /// A new line with more behind it; what is there stays byte for byte, further lines are left out.
    pub fn appending(&self, tokens: &[u8]) -> Self {
        let line = self.line();
        let blank: &[u8] = if line.is_empty() || tokens.is_empty() { b"" } else { b" " };
        Self::of_line([line, blank, tokens].concat())
    }

    fn of_line(mut line: Vec<u8>) -> Self {
        line.push(b'\n');
        Self::parse(&line)
    }
}

impl<'a> Token<'a> {
    /// What stands before `=`, or all of it.
    pub fn key(&self) -> &'a [u8] {
        let text = self.text.strip_prefix(b"\"").unwrap_or(self.text);
        let end = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
        let key = &text[..end];
        if end == text.len() { key.strip_suffix(b"\"").unwrap_or(key) } else { key }
    }

    /// What stands behind `=`, without the quotes around it; nothing if there is no `=`.
    pub fn value(&self) -> Option<&'a [u8]> {
        let equals = self.text.iter().position(|byte| *byte == b'=')?;
        let value = &self.text[equals + 1..];
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        Some(value.strip_suffix(b"\"").unwrap_or(value))
    }

    /// True if this is its key; the kernel does not tell `-` from `_`.
    pub fn has_key(&self, key: &str) -> bool {
        let same = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
        self.key().iter().map(same).eq(key.as_bytes().iter().map(same))
    }

    /// True if it means the same everywhere: no quotes, and nothing that a shell would act on, such as the
    /// `;` in what Raspberry Pi Imager leaves behind.
    pub fn is_plain(&self) -> bool {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._,:=+/@-".contains(byte);
        !self.text.is_empty() && self.text.iter().all(plain)
    }
}

/// The kernel's `isspace`, for which 0xa0 is one, too.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0xa0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(cmdline: &CmdlineTxt) -> Vec<String> {
        cmdline.tokens().map(|token| String::from_utf8_lossy(token.text).into_owned()).collect()
    }

    #[test]
    fn the_first_line_is_split_as_the_kernel_does() {
        let text =
            b"  console=tty1\troot=/dev/sda2  dyndbg=\"file a.c +p\" \"x=a b\" last \r\nroot=b\n";
        let cmdline = CmdlineTxt::parse(text);
        let expected =
            ["console=tty1", "root=/dev/sda2", "dyndbg=\"file a.c +p\"", "\"x=a b\"", "last"];
        assert_eq!(words(&cmdline), expected);
        assert_eq!(cmdline.rest(), b"root=b\n");
        assert_eq!(cmdline.to_bytes(), text);
        assert_eq!(cmdline.token("dyndbg").unwrap().value(), Some(&b"file a.c +p"[..]));
        assert_eq!(cmdline.token("x").unwrap().value(), Some(&b"a b"[..]));
        assert_eq!(cmdline.token("last").unwrap().value(), None);
        assert_eq!(cmdline.token("root").unwrap().span, Span { start: 15, end: 29 });
        assert_eq!(cmdline.token("rootwait"), None);
    }

    #[test]
    fn damaged_files_are_read_too() {
        assert_eq!(words(&CmdlineTxt::parse(b"a=1\0b=2\n")), ["a=1"]);
        assert!(words(&CmdlineTxt::parse(b"\0\0\0\0")).is_empty());
        assert!(words(&CmdlineTxt::parse(b"\nroot=x")).is_empty());
        let open = CmdlineTxt::parse(b"a \"b c\n");
        assert_eq!((words(&open), open.has_open_quote()), (vec!["a".into(), "\"b c".into()], true));
    }

    #[test]
    fn keys_are_compared_as_the_kernel_does_and_the_last_one_counts() {
        let cmdline = CmdlineTxt::parse(b"usb-storage.quirks=a usb_storage.quirks=b");
        assert_eq!(cmdline.token("usb-storage.quirks").unwrap().value(), Some(&b"b"[..]));
    }

    #[test]
    fn new_lines_are_made_of_old_ones() {
        let cmdline = CmdlineTxt::parse(b"a  b=1\tc ds=nocloud;i=1 \nsecond\n");
        let text = |cmdline: CmdlineTxt| String::from_utf8(cmdline.to_bytes()).unwrap();
        assert_eq!(text(cmdline.keeping(|token| token.has_key("b"))), "b=1\n");
        assert_eq!(text(cmdline.dropping(|token| token.has_key("b"))), "a c ds=nocloud;i=1\n");
        assert_eq!(text(cmdline.keeping(|token| token.is_plain())), "a b=1 c\n");
        assert_eq!(text(cmdline.appending(b"x=1 y")), "a  b=1\tc ds=nocloud;i=1 x=1 y\n");
        assert_eq!(text(CmdlineTxt::parse(b"").appending(b"x")), "x\n");
    }

    #[test]
    fn files_that_are_not_what_they_seem_are_told() {
        assert!(CmdlineTxt::parse(b"DO NOT EDIT THIS FILE\n").is_decoy());
        assert!(CmdlineTxt::parse(b"boot=overlay console=tty1").has_overlay_root());
        assert!(CmdlineTxt::parse(b"overlayroot=tmpfs console=tty1").has_overlay_root());
        let plain = CmdlineTxt::parse(b"console=tty1 boot=local");
        assert!(!plain.has_overlay_root() && !plain.is_decoy());
    }
}
