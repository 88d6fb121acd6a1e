//! A person's `ssh_config`: what of ssh_config(5) says how a host is reached.
//!
//! The first value of a keyword wins, but for keys, which add up. A `Match` that cannot be judged here counts as one that
//! does not match, with a remark; nothing in it is taken.

mod pattern;
mod read;

use std::sync::Arc;

use self::pattern::matches;
pub use self::read::Included;
use super::keyword;
use super::ssh_args::jump_of;
use super::way::Way;
use crate::problem::{Place, Problem};

/// A person's `ssh_config`, read.
#[derive(Clone, Debug, Default)]
pub struct SshConfig {
    lines: Vec<Line>,
    remarks: Vec<Problem>,
    user: Option<String>,
}

/// What one line means.
#[derive(Clone, Debug)]
enum Line {
    /// What follows holds for hosts of these names.
    Host(Vec<String>),
    /// What follows holds where all this is true.
    Match(Vec<Criterion>),
    /// A setting.
    Set(Set),
    /// Other files, whose own `Host` and `Match` end with them.
    Include(Vec<Vec<Line>>),
}

/// A setting, and where it stands.
#[derive(Clone, Debug)]
struct Set {
    /// In lower case.
    keyword: String,
    words: Vec<String>,
    /// What follows the keyword, as written.
    whole: String,
    file: Arc<str>,
    place: Place,
}

/// What one line says of a host.
#[derive(Debug)]
pub(crate) struct ConfigLine {
    pub(crate) file: Arc<str>,
    pub(crate) place: Place,
    pub(crate) way: Way,
}

/// What a `Match` asks.
#[derive(Clone, Debug)]
enum Criterion {
    /// The name that it comes to.
    Host(Vec<String>, bool),
    /// The name that was given.
    Given(Vec<String>, bool),
    /// The user on the host.
    User(Vec<String>, bool),
    /// The user here.
    LocalUser(Vec<String>, bool),
    /// What cannot be judged here.
    Unknown,
}

impl SshConfig {
    /// The user here, who is also the user there where nobody says otherwise.
    pub fn local_user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// What was passed over although it may matter.
    pub fn remarks(&self) -> &[Problem] {
        &self.remarks
    }

    /// What it says of a host, by the name and user that were given.
    pub fn way(&self, given: &str, user: Option<&str>) -> Way {
        self.look(given, user).finish()
    }

    /// The same, line by line.
    pub(crate) fn lines_for(&self, given: &str, user: Option<&str>) -> Vec<ConfigLine> {
        let mut look = self.look(given, user);
        let heard = std::mem::take(&mut look.heard);
        let mut all = look.finish();
        let line = |set: &Set| {
            let way = keyword::part(&mut all, &set.keyword);
            ConfigLine { file: set.file.clone(), place: set.place, way }
        };
        heard.into_iter().map(line).collect()
    }

    fn look<'a>(&'a self, given: &'a str, user: Option<&'a str>) -> Look<'a> {
        let (local, way) = (self.local_user(), Way::default());
        let mut look = Look { given, user, local, way, heard: Vec::new() };
        look.through(&self.lines, true);
        look
    }
}

/// One host, looked up.
struct Look<'a> {
    given: &'a str,
    user: Option<&'a str>,
    local: Option<&'a str>,
    way: Way,
    /// The settings that said something new.
    heard: Vec<&'a Set>,
}

impl<'a> Look<'a> {
    fn through(&mut self, lines: &'a [Line], holds: bool) {
        let mut active = holds;
        for line in lines {
            match line {
                Line::Host(patterns) => active = holds && matches(patterns, self.given),
                Line::Match(criteria) => {
                    active = holds && criteria.iter().all(|criterion| self.meets(criterion));
                }
                Line::Set(set) if active => {
                    let before = self.way.clone();
                    keyword::take(&mut self.way, &set.keyword, &set.words, &set.whole);
                    if self.way != before {
                        self.heard.push(set);
                    }
                }
                Line::Set(_) => {}
                // Also where this does not hold, so that it is never more than a name away.
                Line::Include(files) => files.iter().for_each(|file| self.through(file, active)),
            }
        }
    }

    fn meets(&self, criterion: &Criterion) -> bool {
        let user = self.user.or(self.way.user.as_deref()).or(self.local).unwrap_or_default();
        let host = match &self.way.host {
            Some(host) => host.replace("%h", self.given),
            None => self.given.to_owned(),
        };
        match criterion {
            Criterion::Host(patterns, wanted) => matches(patterns, &host) == *wanted,
            Criterion::Given(patterns, wanted) => matches(patterns, self.given) == *wanted,
            Criterion::User(patterns, wanted) => matches(patterns, user) == *wanted,
            Criterion::LocalUser(patterns, wanted) => {
                matches(patterns, self.local.unwrap_or_default()) == *wanted
            }
            Criterion::Unknown => false,
        }
    }

    /// Puts in what the tokens stand for, where that does not depend on the network.
    fn finish(self) -> Way {
        let mut way = self.way;
        let host = way.host.take().map(|host| expand(&host, &[('h', self.given)]));
        let user = self.user.or(way.user.as_deref()).or(self.local).unwrap_or_default().to_owned();
        let port = way.port.unwrap_or(22).to_string();
        let (here, reached) =
            (self.local.unwrap_or_default(), host.as_deref().unwrap_or(self.given));
        let tokens = [
            ('d', "~"),
            ('u', here),
            ('h', reached),
            ('n', self.given),
            ('p', &port),
            ('r', &user),
        ];
        for path in way.identities.iter_mut().flatten().chain(&mut way.certificate) {
            *path = expand(path, &tokens);
        }
        if let Some(path) = &mut way.known_hosts {
            *path = expand(path, &tokens);
        }
        if let Some(hop) = way.proxy_command.as_deref().and_then(jump_of) {
            way.jump = Some(vec![hop]);
            way.proxy_command = None;
        }
        Way { host, ..way }
    }
}

fn expand(text: &str, tokens: &[(char, &str)]) -> String {
    let mut expanded = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('%', Some(token)) => {
                rest.next();
                match tokens.iter().find(|(name, _)| *name == token) {
                    Some((_, value)) => expanded.push_str(value),
                    None if token == '%' => expanded.push('%'),
                    None => expanded.extend(['%', token]),
                }
            }
            (c, _) => expanded.push(c),
        }
    }
    expanded
}
