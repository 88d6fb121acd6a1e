//! The SSH server of a virtual Pi.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
    run_stream,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet, Preferred, cipher};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::stream::{Cable, Meter};
use crate::tasks::Tasks;

/// How long a server without file descriptors waits for some to come free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What answers the commands that come in over SSH.
pub(crate) trait Shell: Send + Sync + 'static {
    /// May this user log in with this key?
    fn accepts(&self, user: &str, key: &PublicKey) -> bool;

    /// What answers on a connection that has just been made.
    fn session(self: Arc<Self>) -> Arc<dyn Shell>;

    /// Runs a command line.
    fn run(self: Arc<Self>, line: &str) -> Run;
}

/// A command that was started.
pub(crate) enum Run {
    /// It wanted no input and has ended.
    Ended(Answer),
    /// It reads its input.
    Reading(Box<dyn Program>),
}

/// A command that reads its input.
pub(crate) trait Program: Send {
    /// Takes the next piece of input; an answer if the command ends before its input does.
    fn take(&mut self, input: &[u8]) -> Option<Answer>;

    /// What it has printed since this was asked last, while it waits for input.
    fn prints(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// The input has ended.
    fn end(self: Box<Self>) -> Answer;
}

/// What a command leaves behind.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Answer {
    /// Done, with nothing to say.
    pub(crate) fn done() -> Self {
        Self::default()
    }

    /// Done, with this to say.
    pub(crate) fn print(stdout: impl Into<Vec<u8>>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    /// Not done.
    pub(crate) fn fail(code: u32, message: impl std::fmt::Display) -> Self {
        Self { code, stdout: Vec::new(), stderr: format!("{message}\n") }
    }
}

/// Serves until it is dropped, or until `power` is lost. Connections do not outlive a change of the board.
pub(crate) async fn serve(
    listener: TcpListener,
    host_key: PrivateKey,
    shell: Arc<dyn Shell>,
    meter: Arc<Meter>,
    power: watch::Receiver<()>,
    board: watch::Receiver<bool>,
) {
    let config = Arc::new(config(host_key));
    let mut connections = Tasks::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, say; the connection is lost, as with a real server.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be late");
        }
        let mut board = board.clone();
        board.mark_unchanged();
        let cable = Cable::new(stream, Arc::clone(&meter), power.clone(), board);
        let connection =
            Connection { shell: Arc::clone(&shell).session(), programs: HashMap::new() };
        let config = Arc::clone(&config);
        connections.start(async move {
            // The session lives in a task of its own; when the cable breaks, it ends.
            let ended = match run_stream(config, cable, connection).await {
                Ok(session) => session.await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection was lost");
            }
        });
    }
}

fn config(host_key: PrivateKey) -> Config {
    let mut ciphers = Preferred::DEFAULT.cipher.to_vec();
    // OpenSSH offers it and so do we; russh's own list leaves it out.
    ciphers.push(cipher::AES_128_GCM);
    Config {
        keys: vec![host_key],
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        nodelay: true,
        auth_rejection_time: Duration::from_millis(10),
        auth_rejection_time_initial: Some(Duration::ZERO),
        preferred: Preferred { cipher: Cow::Owned(ciphers), ..Preferred::DEFAULT },
        ..Config::default()
    }
}

/// One connection.
struct Connection {
    shell: Arc<dyn Shell>,
    programs: HashMap<ChannelId, Box<dyn Program>>,
}

impl Connection {
    fn judge(&self, user: &str, key: &PublicKey) -> Auth {
        if self.shell.accepts(user, key) { Auth::Accept } else { Auth::reject() }
    }

    fn print(
        channel: ChannelId,
        program: &mut dyn Program,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match program.prints() {
            nothing if nothing.is_empty() => Ok(()),
            said => session.data(channel, said),
        }
    }

    fn answer(
        channel: ChannelId,
        answer: Answer,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if !answer.stdout.is_empty() {
            session.data(channel, answer.stdout)?;
        }
        if !answer.stderr.is_empty() {
            session.extended_data(channel, 1, answer.stderr.into_bytes())?;
        }
        session.exit_status_request(channel, answer.code)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(user, key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        match Arc::clone(&self.shell).run(&String::from_utf8_lossy(line)) {
            Run::Ended(answer) => Self::answer(channel, answer, session),
            Run::Reading(mut program) => {
                Self::print(channel, program.as_mut(), session)?;
                self.programs.insert(channel, program);
                Ok(())
            }
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        let answer = Answer::fail(1, "a virtual Pi has no shell for people; give it a command");
        Self::answer(channel, answer, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        // Input for a command that has ended is thrown away.
        let Some(program) = self.programs.get_mut(&channel) else { return Ok(()) };
        let Some(answer) = program.take(data) else {
            return Self::print(channel, program.as_mut(), session);
        };
        self.programs.remove(&channel);
        Self::answer(channel, answer, session)
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.programs.remove(&channel) {
            Some(program) => Self::answer(channel, program.end(), session),
            None => Ok(()),
        }
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.programs.remove(&channel);
        Ok(())
    }
}
