//! Finds out how a login becomes root, once for each session.

use crate::connect::Connection;
use crate::exec::{self, Answer, Command, Input, Output};
use crate::timeouts::Timeouts;
use crate::verb::{Rise, exit};
use migos_engine::bandwidth::Meter;
use migos_engine::port::{Root, Target, TransportError};
use std::fmt;
use std::sync::Arc;

/// The way to root.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) rise: Rise,
    password: Option<Arc<str>>,
}

impl Way {
    /// What goes first into standard input.
    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.rise, f)
    }
}

/// Finds the way. A password is tried only where sudo asks for one: where it does not, the line with the
/// password would reach the command.
pub(crate) async fn find(
    connection: &Connection,
    target: &Target,
    timeouts: &Timeouts,
) -> Result<Way, TransportError> {
    let password = match (&target.root, target.user.as_str()) {
        (Root::NotNeeded, _) | (_, "root") => {
            return Ok(Way { rise: Rise::Login, password: None });
        }
        (Root::Passwordless, _) => None,
        (Root::Password(password), _) => Some(password.clone()),
    };
    let silent = Way { rise: Rise::Sudo, password: None };
    let answer = attempt(connection, timeouts, &silent).await?;
    if answer.end == Ok(exit::DONE) {
        return Ok(silent);
    }
    let user = &target.user;
    let Some(password) = password else {
        return Err(TransportError::Root(without_password(user, &answer)));
    };
    let asked = Way { rise: Rise::SudoWithPassword, password: Some(password) };
    let answer = attempt(connection, timeouts, &asked).await?;
    if answer.end == Ok(exit::DONE) {
        return Ok(asked);
    }
    Err(TransportError::Root(format!(
        "sudo refuses {user} with the password given (it says: {}); check `sudo_password` in the \
         inventory, and that {user} may run all commands",
        answer.said
    )))
}

fn without_password(user: &str, answer: &Answer) -> String {
    let said = &answer.said;
    if said.contains("password") || said.contains("authentication") {
        format!(
            "sudo asks {user} for a password; give it as `sudo_password` in the inventory, or put \
             `{user} ALL=(ALL) NOPASSWD: ALL` into /etc/sudoers.d/{user} on the device"
        )
    } else if said.contains("not found") {
        format!("the device has no sudo; log in as root instead of {user}")
    } else {
        format!(
            "sudo refuses {user} (it says: {said}); put `{user} ALL=(ALL) NOPASSWD: ALL` into \
             /etc/sudoers.d/{user} on the device"
        )
    }
}

async fn attempt(
    connection: &Connection,
    timeouts: &Timeouts,
    way: &Way,
) -> Result<Answer, TransportError> {
    let line = format!("{}true", way.rise.prefix());
    let command = Command {
        name: "sudo",
        line: &line,
        password: way.password(),
        input: Input::Nothing,
        output: Output::Kept(4096),
    };
    exec::run(connection, timeouts, &Meter::default(), command).await
}
