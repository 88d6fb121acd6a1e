//! The world outside: clock, environment, randomness, and how the engine reaches devices and balena.

use crate::failure::{Failure, Kind};
use crate::input::Sources;
use crate::prompt;
use jiff::Timestamp;
use migos_balena::{Authority, Balena, Token};
use migos_engine::bandwidth::Meter;
use migos_engine::executor::Provisions;
use migos_engine::port::{
    Cipher, Clock, Credentials, Entropy, HostKey, LoginKey, Root, Target, TransportError,
};
use migos_engine::run::Holder;
use migos_inventory::{
    Agent, Bastion, DeviceId, HostKeys, Login, SecretSource, SecretUse, Secrets, ValueSource,
};
use migos_playbooks::plan::Plan;
use migos_ssh::{Ssh, Timeouts, Transcript};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fmt, fs};

/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A secret in a file has at most so many bytes.
const SECRET_LIMIT: u64 = 64 * 1024;

/// The computer's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's randomness.
pub(crate) struct SystemEntropy;

impl SystemEntropy {
    /// Makes sure that the system gives randomness at all.
    pub(crate) fn open() -> Result<Self, Failure> {
        match getrandom::fill(&mut [0; 32]) {
            Ok(()) => Ok(SystemEntropy),
            Err(error) => Err(Failure::internal("the system gives no randomness", &error)),
        }
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        // It was asked for when this was made. A key that is not random is worse than none, so should the
        // system stop giving randomness, this waits for it.
        while getrandom::fill(buffer).is_err() {
            std::thread::yield_now();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// True if the user wants no colours: see no-color.org.
pub(crate) fn no_color() -> bool {
    variable("NO_COLOR").is_some()
}

/// The terminal's width as the shell tells it.
pub(crate) fn columns() -> Option<u16> {
    variable("COLUMNS")?.parse().ok()
}

/// The folder for what can be had again.
pub(crate) fn cache_folder() -> Option<PathBuf> {
    let home = || variable("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(home).map(|base| base.join("migos-fleet"))
}

/// The folder for a person's settings: see the XDG Base Directory Specification.
pub(crate) fn settings_folder() -> Option<PathBuf> {
    let home = || variable("HOME").map(|home| Path::new(&home).join(".config"));
    let base = variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    base.or_else(home)
}

/// What the environment says in place of a flag; the name begins with `MIGOS_`.
pub(crate) fn preset(name: &str) -> Option<String> {
    variable(name)
}

/// What a variable says in place of Ansible's configuration, or in a path that stands in it.
pub(crate) fn ansible_variable(name: &str) -> Option<String> {
    variable(name)
}

/// The folders a shell looks for programs in.
pub(crate) fn search_path() -> Vec<PathBuf> {
    variable("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// A path as the user wrote it: `~` is home, and other relative paths start at `base`.
pub(crate) fn resolve(base: &Path, written: &str) -> PathBuf {
    match (written.strip_prefix("~/"), variable("HOME")) {
        (Some(rest), Some(home)) => Path::new(&home).join(rest),
        _ => base.join(written),
    }
}

/// The bytes of memory that can be had without swapping; `None` where the kernel does not tell.
pub(crate) fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Who gives this command, and on which computer.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: String,
    pub(crate) host: String,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// Who gives this command: behind `sudo` the person who typed it.
pub(crate) fn person() -> Person {
    let uid = rustix::process::getuid().as_raw();
    let user = Some("SUDO_USER").filter(|_| uid == 0).and_then(variable);
    let user = user.or_else(|| login(&fs::read_to_string("/etc/passwd").ok()?, uid));
    let user = user.or_else(|| variable("LOGNAME")).or_else(|| variable("USER"));
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = Some(host.trim().to_owned()).filter(|host| !host.is_empty());
    Person {
        user: user.unwrap_or_else(|| format!("uid {uid}")),
        host: host.unwrap_or_else(|| "localhost".to_owned()),
    }
}

/// The login of this user in a file of the form of `/etc/passwd`.
fn login(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let is_it = |line: &&str| line.split(':').nth(2) == Some(&uid);
    passwd.lines().find(is_it)?.split(':').next().map(str::to_owned)
}

/// This process, as the holder of a run.
pub(crate) fn holder() -> Result<Holder, Failure> {
    let mut token = [0; 16];
    SystemEntropy::open()?.fill(&mut token);
    let Person { user, host } = person();
    Ok(Holder {
        user,
        host,
        pid: std::process::id(),
        since: SystemClock.now(),
        token: token.iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

/// Reads a secret from where the inventory says it is.
pub(crate) fn secret(base: &Path, source: &SecretSource, what: &str) -> Result<String, Failure> {
    let text = match source {
        SecretSource::Env(name) => variable(name).ok_or_else(|| {
            Failure::new(Kind::Input, format!("the variable {name} is not set; it holds {what}"))
                .hint(format!("read -rs {name} && export {name}"))
        })?,
        SecretSource::File(path) => {
            let path = resolve(base, path);
            let mut text = String::new();
            fs::File::open(&path)
                .and_then(|file| file.take(SECRET_LIMIT).read_to_string(&mut text))
                .map_err(|error| {
                    let what = format!("failed to read {what} from {}", path.display());
                    Failure::at(Kind::Input, what, &error)
                })?;
            text
        }
        SecretSource::Inventory => {
            let hint = "start from the inventory, or give it with --ask-pass or --ask-become-pass";
            return Err(Failure::new(Kind::Input, format!("{what} is kept in the inventory only"))
                .hint(hint));
        }
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A client of the balena API.
pub(crate) fn balena(
    api: &str,
    base: &Path,
    token: Option<&SecretSource>,
    ca: Option<&str>,
) -> Result<Balena, Failure> {
    let Some(source) = token else {
        let hint = "write `token: { env: BALENA_TOKEN }` under `balena:` in the inventory";
        return Err(Failure::new(Kind::Input, "the inventory names no balena token").hint(hint));
    };
    let text = secret(base, source, "the balena token")?;
    let token = Token::new(&text)
        .map_err(|error| Failure::at(Kind::Input, "the balena token cannot be used", &error))?;
    let pem = ca.map(|ca| certificates(base, ca)).transpose()?;
    let authority = pem.as_deref().map_or(Authority::Public, Authority::Own);
    Balena::new(
        api,
        authority,
        token,
        VERSION,
        migos_balena::Timeouts::default(),
        Arc::new(SystemClock),
    )
    .map_err(|error| Failure::of(Kind::Input, &error))
}

/// The certificates of the API's own authority.
pub(crate) fn certificates(base: &Path, written: &str) -> Result<String, Failure> {
    let path = resolve(base, written);
    fs::read_to_string(&path).map_err(|error| {
        let what =
            format!("failed to read the certificates of balena's API from {}", path.display());
        Failure::at(Kind::Input, what, &error).hint("correct `balena: { ca: … }` in the inventory")
    })
}

/// What devices get on balena and in their `config.json`, and what does not stand in the plan.
pub(crate) fn provisions(
    plan: &Plan,
    sources: &Sources,
    change: Option<String>,
) -> Result<Provisions, Failure> {
    let mut environment: BTreeMap<DeviceId, BTreeMap<String, String>> = BTreeMap::new();
    for (id, device) in &plan.devices {
        for (name, source) in &device.identity.environment {
            let source = match source {
                ValueSource::Literal(_) | ValueSource::Device(_) => continue,
                ValueSource::Env(name) => SecretSource::Env(name.clone()),
                ValueSource::File(path) => SecretSource::File(path.clone()),
            };
            let value = secret(&sources.base, &source, &format!("the value of {name} for {id}"))?;
            environment.entry(id.clone()).or_default().insert(name.clone(), value);
        }
    }
    let ca = sources.ca.as_ref().map(|ca| certificates(&sources.base, ca)).transpose()?;
    Ok(Provisions { change, ca, environment })
}

/// The way to devices. New hosts are written down beside the runs, for all of them.
pub(crate) fn ssh(runs: &Path, transcript: Option<Transcript>) -> Result<Ssh, Failure> {
    fs::create_dir_all(runs).map_err(|error| {
        Failure::at(Kind::NotStarted, format!("failed to make {}", runs.display()), &error)
    })?;
    Ok(Ssh::new(runs.join("known_hosts"), Timeouts::default(), transcript))
}

/// Asks for the passphrases of keys that need one.
pub(crate) async fn unlock<'a>(
    ssh: &Ssh,
    targets: impl IntoIterator<Item = &'a Target>,
) -> Result<(), Failure> {
    let ask = |path: &Path| prompt::passphrase(path).map_err(Box::new);
    match ssh.unlock(targets, |path| ask(path).map_err(Unlocking::Asking)).await {
        Ok(()) => Ok(()),
        Err(Unlocking::Asking(failure)) => Err(*failure),
        Err(Unlocking::Key(error)) => Err(Failure::of(Kind::Input, &error)),
    }
}

/// Why keys were not opened.
enum Unlocking {
    Asking(Box<Failure>),
    Key(TransportError),
}

impl From<TransportError> for Unlocking {
    fn from(error: TransportError) -> Self {
        Unlocking::Key(error)
    }
}

/// Writes each device's transcript into its own file.
pub(crate) fn transcripts(
    path: impl Fn(&DeviceId) -> PathBuf + Send + Sync + 'static,
) -> Transcript {
    let turn = Mutex::new(());
    Arc::new(move |device, line| {
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemClock.now();
        // A transcript that cannot be written harms nobody; the journal is what counts.
        let _ = fs::File::options()
            .create(true)
            .append(true)
            .open(path(device))
            .and_then(|mut file| writeln!(file, "{now:.3} {line}"));
    })
}

/// Passwords that hold for all devices of which the inventory says nothing, and those that stand in it.
#[derive(Clone, Default)]
pub(crate) struct Passwords {
    /// For logins.
    pub(crate) login: Option<Arc<str>>,
    /// For sudo.
    pub(crate) sudo: Option<Arc<str>>,
    /// Those of single devices.
    pub(crate) own: Secrets,
}

impl Passwords {
    fn of(
        &self,
        base: &Path,
        device: &DeviceId,
        source: Option<&SecretSource>,
        what_for: SecretUse,
    ) -> Result<Option<Arc<str>>, Failure> {
        let (asked, name) = match what_for {
            SecretUse::Login => (&self.login, "the password"),
            SecretUse::Sudo => (&self.sudo, "the sudo password"),
        };
        match (source, self.own.get(device, what_for)) {
            (None, _) => Ok(asked.clone()),
            (Some(SecretSource::Inventory), Some(own)) => Ok(Some(own.into())),
            (Some(SecretSource::Inventory), None) if asked.is_some() => Ok(asked.clone()),
            (Some(source), _) => {
                Ok(Some(secret(base, source, &format!("{name} of {device}"))?.into()))
            }
        }
    }
}

/// How to reach a device on Raspbian.
pub(crate) fn target(
    base: &Path,
    device: &DeviceId,
    login: &Login,
    passwords: &Passwords,
) -> Result<Target, Failure> {
    let mut via = None;
    for hop in &login.jump {
        // A password that was asked for is that of the devices.
        let mut target = host(base, device, hop, &Passwords::default())?;
        target.root = Root::NotNeeded;
        target.via = via;
        via = Some(Arc::new(target));
    }
    Ok(Target { via, ..host(base, device, login, passwords)? })
}

fn host(
    base: &Path,
    device: &DeviceId,
    login: &Login,
    passwords: &Passwords,
) -> Result<Target, Failure> {
    let operator = match &login.known_hosts {
        Some(path) => Some(resolve(base, path)),
        None => Some(resolve(base, "~/.ssh/known_hosts")).filter(|path| path.is_file()),
    };
    let sudo = login.sudo_password.as_ref();
    let root = match passwords.of(base, device, sudo, SecretUse::Sudo)? {
        Some(password) => Root::Password(password),
        None => Root::Passwordless,
    };
    let credentials = credentials(base, device, login, passwords)?;
    Ok(Target {
        device: device.clone(),
        host: login.host.clone(),
        port: login.port,
        user: login.user.clone(),
        key: LoginKey::Operator(Arc::new(credentials)),
        host_key: HostKey::Known { operator, accept_new: login.host_keys == HostKeys::AcceptNew },
        root,
        via: None,
        proxy_command: login.proxy_command.as_deref().map(Into::into),
        old_algorithms: login.old_algorithms,
        cipher: Cipher::default(),
        meter: Meter::default(),
    })
}

fn credentials(
    base: &Path,
    device: &DeviceId,
    login: &Login,
    passwords: &Passwords,
) -> Result<Credentials, Failure> {
    let agent = match &login.agent {
        Agent::Running => running_agent(),
        Agent::None => None,
        Agent::Socket(path) => Some(resolve(base, path)),
    };
    let password = passwords.of(base, device, login.password.as_ref(), SecretUse::Login)?;
    let keys: Vec<PathBuf> = match login.identities.is_empty() {
        false => login.identities.iter().map(|path| resolve(base, path)).collect(),
        true => default_keys(),
    };
    if keys.is_empty() && agent.is_none() && password.is_none() {
        let what = format!("no key to log in to {device} with");
        let hint = "write `ssh: { identity: ~/.ssh/… }` under `defaults:` in the inventory, or load a key with `ssh-add`";
        return Err(Failure::new(Kind::Input, what).hint(hint));
    }
    if let Some(missing) = keys.iter().find(|key| !key.is_file()) {
        let what =
            format!("the key {} to log in to {device} with does not exist", missing.display());
        return Err(Failure::new(Kind::Input, what).hint("correct `ssh: { identity: … }`"));
    }
    Ok(Credentials {
        keys,
        certificate: login.certificate.as_ref().map(|path| resolve(base, path)),
        agent,
        identities_only: login.identities_only,
        password,
    })
}

/// The socket of the agent that runs for this person.
pub(crate) fn running_agent() -> Option<PathBuf> {
    variable("SSH_AUTH_SOCK").map(PathBuf::from).filter(|socket| socket.exists())
}

/// The password for logins that the environment holds.
pub(crate) fn password_variable(name: &str) -> Option<Arc<str>> {
    variable(name).map(Into::into)
}

/// The person's own ssh_config, if there is one.
pub(crate) fn default_ssh_config() -> Option<PathBuf> {
    let path = PathBuf::from(variable("HOME")?).join(".ssh/config");
    Some(path).filter(|path| path.is_file())
}

/// How to reach the bastion that a device calls. Its host key must be known already, because the device is told of it.
pub(crate) fn bastion(
    base: &Path,
    device: &DeviceId,
    bastion: &Bastion,
) -> Result<Target, Failure> {
    let reach = bastion.reach();
    let login = Login {
        host: reach.host,
        port: reach.port,
        user: bastion.user.clone(),
        identities: bastion.identity.iter().cloned().collect(),
        known_hosts: bastion.known_hosts.clone(),
        host_keys: HostKeys::Strict,
        ..Login::at("")
    };
    Ok(Target { root: Root::NotNeeded, ..host(base, device, &login, &Passwords::default())? })
}

/// The keys that ssh itself would use.
fn default_keys() -> Vec<PathBuf> {
    let Some(home) = variable("HOME").map(PathBuf::from) else { return Vec::new() };
    let names = ["id_ed25519", "id_ecdsa", "id_rsa"].iter();
    names.map(|name| home.join(".ssh").join(name)).filter(|path| path.is_file()).collect()
}
