//! Texts that have a form of their own. Expressions are in the part of their language that all readers of JSON Schemas
//! have in common.

use schemars::JsonSchema;

/// Declares texts by the expression that each matches.
macro_rules! texts {
    ($($(#[$doc:meta])* $visible:vis $name:ident = $pattern:literal;)+) => {$(
        #[derive(JsonSchema)]
        $(#[$doc])*
        #[schemars(inline, extend("pattern" = $pattern))]
        $visible struct $name(String);
    )+};
}

texts! {
    /// A text on one line.
    pub Text = r"^[^\x00-\x1f\x7f-\x9f]+$";
    /// A text on one line, or an empty one.
    pub(super) AnyText = r"^[^\x00-\x1f\x7f-\x9f]*$";
    /// A text that may be written over several lines.
    pub(super) Reason = r"\S";
    /// The name of a device, or several of them by a range such as `kiosk-[001:060]`.
    pub(super) NameOrRange = r"^(?:[A-Za-z0-9._-]|\[[A-Za-z0-9:,\s-]+\])+$";
    /// A host name or address.
    pub(super) Host =
        r"^(?:[A-Za-z0-9_][A-Za-z0-9._-]*|[A-Fa-f0-9.:]*:[A-Fa-f0-9.:]*(?:%[A-Za-z0-9._:%-]*)?)$";
    /// An IP address.
    pub(super) Address = r"^[A-Fa-f0-9.:]+$";
    /// The name of a user.
    pub(super) UserName = r"^[^\s@:/\\-][^\s@:/\\]*$";
    /// The name of an environment variable.
    pub(super) Variable = r"^[A-Za-z_][A-Za-z0-9_]*$";
    /// A balena fleet, as organisation/name.
    pub(super) FleetName = r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$";
    /// The 16 hexadecimal digits of a board.
    pub(super) SerialNumber = r"^[0-9A-Fa-f]{16}$";
    /// balena's own name of a board.
    pub(super) BoardName = r"^[a-z][a-z0-9-]*$";
    /// The base address of an API.
    pub(super) ApiAddress = r"^https?://[^@\s?#]+$";
    /// The address of a folder of images; without TLS, which MIGOS does not speak.
    pub(super) MirrorAddress = r"^http://[^@\s?#]+$";
    /// The path of a keyfile, whose name has letters, digits, `.`, `-` and `_`.
    pub(super) KeyfilePath =
        r"(?:^|/)[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?$";
    /// An absolute path without `//`, `/./`, `/../` and a `/` at its end.
    pub(super) PlainPath = r"^(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f-\x9f]+)+$";
    /// An absolute path.
    pub(super) WholePath = r"^/[^\x00-\x1f\x7f-\x9f]*$";
    /// A pattern of names, with `*` and `?` in it.
    pub(super) NamePattern = r"^[^/\[\]\\\x00-\x1f\x7f-\x9f]+$";
    /// Two ports from 1024 on, and all between them.
    pub(super) PortRange = r"^\s*\+?[0-9]+\s*-\s*\+?[0-9]+\s*$";
    /// Days of the week: `mon-fri`, `sat,sun`, `daily`.
    pub(super) Days = r"^(?:daily|\s*(?:mon|tue|wed|thu|fri|sat|sun)\s*(?:[,-]\s*(?:mon|tue|wed|thu|fri|sat|sun)\s*)*)$";
    /// A time of day, in quotes: `"22:00"`.
    pub(super) TimeOfDay = r"^\s*(?:[01]?[0-9]|2[0-3]):\s*[0-5]?[0-9]$";
    /// The commit of a release: all its 32 hexadecimal digits.
    pub(super) Commit = r"^(?:[0-9a-f]{32}|[0-9a-f]{40})$";
    /// A line with a public key.
    pub(super) PublicKey = r"^\s*(?:ssh-|ecdsa-|sk-)\S*\s+\S";
    /// A country's two letters.
    pub(super) Country = r"^[A-Z]{2}$";
    /// A name on balena; `{device}`, `{hostname}` and `{serial}` stand for something of the device.
    pub(super) NameOnBalena = r"^(?:[^{}\x00-\x1f\x7f-\x9f]|\{(?:device|hostname|serial)\})+$";
}

/// One line of text with at most 64 characters.
#[derive(JsonSchema)]
#[schemars(inline, extend("pattern" = SITE, "maxLength" = 64))]
pub(super) struct Site(String);

/// Neither begins nor ends with white space.
const SITE: &str = r"^(?!\s)[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f]$";

/// A TCP port.
#[derive(JsonSchema)]
#[schemars(inline, extend("minimum" = 1, "maximum" = 65535))]
pub(super) struct Port(i64);
