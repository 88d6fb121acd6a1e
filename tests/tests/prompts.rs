//! What a person is asked in a real terminal, and that nothing of the answers is seen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use migos_lab::Pace;
use migos_tests::fleet::{Bench, Home, program};
use migos_tests::sshd::Sshd;
use migos_tests::terminal::Terminal;
use std::process::Command;

/// What stands on the screen once the program has ended in order: its exit code, and whether what is typed is shown.
const SHOWS_AGAIN: &str = "code 130, it shows what is typed";

/// Looks at one device of the lab, after which the shell tells the exit code, and how it finds the terminal.
fn probing<'a>(home: &'a Home, inventory: &str, flags: &str) -> Terminal<'a> {
    let program = program().unwrap().display();
    // A shell that does not end with Ctrl-C itself, and leaves the terminal as it finds it.
    let job = format!(
        "trap : INT; sh -c 'echo $$ >pid; exec env -i TERM=tmux-256color {program} probe {inventory} {flags}'; echo \"code $?, it \
         $(stty -a | grep -q -- ' -echo ' && echo hides || echo shows) what is typed\""
    );
    Terminal::running(home, 120, &job).unwrap()
}

fn bench(faults: &str) -> Bench {
    Bench::start(1, faults, Pace::test()).unwrap()
}

fn answer(terminal: &Terminal<'_>, question: &str, text: &str) -> Vec<String> {
    terminal.until(question).unwrap();
    terminal.types(&["-l", text]).unwrap();
    terminal.types(&["Enter"]).unwrap();
    let rows = terminal.until("it shows what is typed").unwrap();
    assert!(!rows.concat().contains(text), "the answer is shown: {rows:#?}");
    rows
}

fn one_line(rows: &[String]) -> String {
    rows.iter().map(|row| row.trim()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_password_of_sudo_is_asked_for_and_a_wrong_one_is_told() {
    let bench = bench("kiosk-001: [sudo-asks]");
    for (password, words) in
        [("raspberry", "1 of 1 devices answered"), ("blackberry", "0 of 1 devices answered")]
    {
        let terminal = probing(&bench.home, "lab/inventory.yaml", "-K");
        let rows = answer(&terminal, "sudo password on the devices:", password);
        let told = one_line(&rows);
        assert!(told.contains(words), "{rows:#?}");
        assert_eq!(told.contains("sudo refuses pi"), password != "raspberry", "{rows:#?}");
    }
}

#[test]
fn the_password_of_logins_is_asked_for_and_a_wrong_one_is_told() {
    let server = Sshd::start_with("PasswordAuthentication yes").unwrap();
    let home = Home::new().unwrap();
    let inventory = format!(
        "migos: 1\ndefaults: {{ ssh: {{ user: asks, agent: false, host_keys: accept-new, config: none }} }}\n\
         devices: {{ kiosk-1: {{ host: {}, ssh: {{ port: {} }} }} }}\n",
        server.address(),
        server.port()
    );
    home.write("fleet.yaml", inventory).unwrap();
    let terminal = probing(&home, "fleet.yaml", "-k");
    let rows = answer(&terminal, "password on the devices:", "blackberry");
    assert!(one_line(&rows).contains("login refused"), "{rows:#?}");
    assert!(one_line(&rows).contains("with the password"), "{rows:#?}");
}

/// Gives the key of the lab a passphrase.
fn protect(bench: &Bench) {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-p", "-P", "", "-N", "sesame", "-f"]);
    let folder = bench.home.path().join("lab");
    let inventory = bench.home.read("lab/inventory.yaml").unwrap();
    let key = inventory.split("identity: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert!(keygen.arg(folder.join(key)).status().unwrap().success());
}

#[test]
fn the_passphrase_of_a_key_is_asked_for_and_a_wrong_one_is_told() {
    let bench = bench("");
    protect(&bench);
    for (passphrase, words) in
        [("sesame", "1 of 1 devices answered"), ("barley", "the passphrase does not open this key")]
    {
        let terminal = probing(&bench.home, "lab/inventory.yaml", "");
        let rows = answer(&terminal, "Passphrase of the key ", passphrase);
        assert!(one_line(&rows).contains(words), "{rows:#?}");
    }
}

#[test]
fn who_is_interrupted_at_a_prompt_gets_the_terminal_back() {
    let bench = bench("");
    protect(&bench);
    for (flags, question) in [
        ("-k", "password on the devices:"),
        ("-K", "sudo password on the devices:"),
        ("", "Passphrase of the key "),
    ] {
        let terminal = probing(&bench.home, "lab/inventory.yaml", flags);
        terminal.until(question).unwrap();
        terminal.types(&["C-c"]).unwrap();
        let rows = terminal.until("what is typed").unwrap();
        assert!(rows.iter().any(|row| row == SHOWS_AGAIN), "{rows:#?}");
    }
}

#[test]
fn who_is_terminated_at_a_prompt_gives_the_terminal_back() {
    let bench = bench("");
    let terminal = probing(&bench.home, "lab/inventory.yaml", "-K");
    terminal.until("sudo password on the devices:").unwrap();
    // It waits for us, so its number is still its own.
    let pid = bench.home.read("pid").unwrap();
    assert!(Command::new("kill").args(["-s", "TERM", pid.trim()]).status().unwrap().success());
    let rows = terminal.until("what is typed").unwrap();
    assert!(rows.iter().any(|row| row == SHOWS_AGAIN), "{rows:#?}");
}

#[test]
fn where_nobody_can_be_asked_the_remedy_is_told() {
    let bench = bench("");
    let said = |args: &[&str]| {
        let args = [&["probe", "lab/inventory.yaml"], args].concat();
        let ended = bench.home.run(&args).unwrap();
        format!("{}exit code {:?}", ended.stderr, ended.code)
    };
    insta::assert_snapshot!(said(&["-k"]), @r"
    error: nobody is there to be asked for the password
    hint: run it in a terminal, or set MIGOS_SSH_PASSWORD
    exit code Some(2)
    ");
    insta::assert_snapshot!(said(&["-K"]), @r"
    error: nobody is there to be asked for the sudo password
    hint: run it in a terminal, or set MIGOS_SUDO_PASSWORD
    exit code Some(2)
    ");
    protect(&bench);
    let told = said(&[]);
    assert!(told.contains("0 of 1 devices answered"), "{told}");
}
