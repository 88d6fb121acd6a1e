//! The verbs, over SSH, on a virtual Pi.

use crate::operator::{Operator, Output, until};
use std::time::Duration;

use migos_lab::{Hindrance, Pace, State};
use migos_payload::digest::Sha256;
use migos_playbooks::facts;

fn failed(code: u32, message: &str) -> Output {
    Output { code: Some(code), stdout: String::new(), stderr: format!("{message}\n") }
}

#[tokio::test]
async fn every_device_answers_the_probe_with_facts_that_are_understood() {
    let operator = Operator::with(30, "").await;
    for pi in operator.lab.devices() {
        until(pi, |life| life.state == State::Raspbian).await;
        let ssh = operator.login(pi).await;
        let facts = facts::parse(&ssh.must("probe", &[], b"").await).unwrap();
        assert_eq!((facts.revision, &facts.serial), (pi.model().revision, &pi.serial()));
        assert_eq!(facts.hostname, pi.name());
        assert_eq!(
            facts.machine == "aarch64",
            facts.kernel.contains("v8") || facts.kernel.contains("2712")
        );

        let boot = facts.boot.unwrap();
        assert_eq!((boot.path.as_str(), boot.partition), (pi.release().boot_path(), Some(1)));
        assert!(boot.file_system.writable && boot.file_system.free.0 > 20_000_000, "{boot:?}");
        assert_eq!(boot.sums["config.txt"], Sha256::of(boot.config_txt.as_bytes()));
        assert_eq!(boot.files.len(), pi.boot_tree().len());
        assert!(facts.root.free.0 > 10_000_000_000);
        assert!(facts.cmdline.contains(&format!("root=PARTUUID={}-02", facts.disk.unwrap().id)));
        assert!(facts.firmware.has["tryboot.txt"].contains("bootcode.bin"));
        assert_eq!(facts.network.interface.as_deref(), Some("eth0"));
        assert!(!facts.network.wireless);
        assert_eq!(facts.network.arrival, None, "nobody has told the verb");

        let identity = facts::parse_identity(&ssh.must("identity", &[], b"").await).unwrap();
        assert_eq!((&identity.machine_id, &identity.sums), (&facts.machine_id, &boot.sums));
    }
}

#[tokio::test]
async fn plain_commands_of_a_person_work() {
    let operator = Operator::with(1, "").await;
    let ssh = operator.login(operator.first().await).await;
    for (line, stdout) in [
        ("true", ""),
        ("sudo -n true", ""),
        ("id -u", "1000\n"),
        ("sudo -S -k -p '' id -u", "0\n"),
        ("sudo -n -- whoami", "root\n"),
        ("hostname", "kiosk-001\n"),
    ] {
        let output = ssh.run(line, b"").await;
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), stdout), "{line}");
    }
    let unknown = ssh.run("rm -rf /boot", b"").await;
    assert_eq!(
        unknown,
        failed(127, "sh: rm: not found (a virtual Pi knows the verbs and little more)")
    );
    assert_eq!(
        ssh.shell().await,
        failed(1, "a virtual Pi has no shell for people; give it a command")
    );
    let shell = ssh.run("true; rm -rf /boot/*", b"").await;
    assert_eq!(shell, failed(2, "sh: a virtual Pi runs no shell: ';' is not quoted"));
}

#[tokio::test]
async fn small_files_are_written_whole_and_read_back() {
    let operator = Operator::with(1, "").await;
    let ssh = operator.login(operator.first().await).await;
    let path = "/var/lib/migos/it's a file";
    ssh.must("write", &[path, "600", "5"], b"hello").await;
    assert_eq!(ssh.must("read", &[path, "5"], b"").await, "hello");

    let larger = ssh.verb("read", &[path, "4"], b"").await;
    assert_eq!(larger, failed(65, "larger than 4 bytes: /var/lib/migos/it's a file"));
    let absent = ssh.verb("read", &["/etc/nothing", "4"], b"").await;
    assert_eq!(absent, failed(66, "no such file or folder: /etc/nothing"));
    let short = ssh.verb("write", &[path, "600", "6"], b"later").await;
    assert_eq!(short, failed(65, "5 of 6 bytes came: /var/lib/migos/it's a file"));
    assert_eq!(ssh.must("read", &[path, "5"], b"").await, "hello", "the old content stays");

    let hello = Sha256::of(b"hello");
    let sums = ssh.must("sums", &[path, "/nothing"], b"").await;
    assert_eq!(sums, format!("{hello} {path}\n- /nothing\n"));
}

#[tokio::test]
async fn wrong_arguments_and_wrong_users_are_refused() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    for (verb, arguments) in [
        ("read", &["/etc/hostname"][..]),
        ("probe", &["now", "again"]),
        ("write", &["/a", "rw", "1"]),
        ("write", &["a", "600", "1"]),
        ("receive", &["/a/b", "-1", "x"]),
        ("receive", &["/a/b", "1"]),
        ("remove", &[]),
        ("remove", &["/boot"]),
        ("remove", &["/boot/../etc"]),
        ("remove", &["boot/migos"]),
    ] {
        assert_eq!(ssh.verb(verb, arguments, b"").await.code, Some(64), "{verb} {arguments:?}");
    }
    assert_eq!(
        ssh.verb("format", &["/boot"], b"").await,
        failed(127, "a virtual Pi knows no migos-format/1")
    );
    let without_sudo = ssh.run("sh -c 'exit 1' migos-remove/1 /boot/overlays", b"").await;
    assert_eq!(without_sudo, failed(1, "permission denied: this verb is for root"));

    let host_key = pi.raspbian_host_key();
    assert!(crate::operator::connect(pi, "root", &operator.key, host_key.clone()).await.is_err());
    let other = crate::operator::stranger();
    assert!(crate::operator::connect(pi, "pi", &other, host_key).await.is_err());
}

#[tokio::test]
async fn large_files_come_in_pieces() {
    let operator = Operator::with(1, "").await;
    let ssh = operator.login(operator.first().await).await;
    let path = "/var/lib/migos/image";
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let sum = Sha256::of(&content).to_string();
    let arguments = [path, "300000", &sum];
    let input = |offset: usize, bytes: &[u8]| [format!("{offset}\n").as_bytes(), bytes].concat();
    let says = |code, stdout: &str, stderr: &str| Output {
        code: Some(code),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    };

    let cut = ssh.verb("receive", &arguments, &input(0, &content[..150_000])).await;
    let few = "150000 of 300000 bytes are there: /var/lib/migos/image.part\n";
    assert_eq!(cut, says(65, "none\n", few));
    let part = format!("part 150000 {}\n", Sha256::of(&content[..150_000]));
    let gap = ssh.verb("receive", &arguments, &input(150_001, b"")).await;
    let few = "150000 bytes are there, not 150001: /var/lib/migos/image.part\n";
    assert_eq!(gap, says(65, &part, few));
    let nothing = ssh.verb("receive", &arguments, b"").await;
    assert_eq!(nothing, says(1, &part, "nobody told where to go on\n"));
    let rest = input(150_000, &content[150_000..]);
    assert_eq!(ssh.must("receive", &arguments, &rest).await, part);
    assert_eq!(ssh.must("receive", &arguments, b"").await, "whole\n");

    let damaged = ssh.verb("receive", &[path, "1", &sum], b"0\nx").await;
    let differs = "size or SHA-256 differs: /var/lib/migos/image.part\n";
    assert_eq!(damaged, says(65, "none\n", differs));
    ssh.must("remove", &[path], b"").await;
    assert_eq!(ssh.verb("receive", &arguments, b"").await.stdout, "none\n");
}

#[tokio::test]
async fn removing_takes_folders_and_leftovers_and_nothing_else() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    let before = pi.boot_tree();
    let boot = pi.release().boot_path();
    let (folder, file) = (format!("{boot}/migos"), format!("{boot}/tryboot.txt"));
    ssh.must("write", &[&format!("{folder}/job/job.json"), "600", "2"], b"{}").await;
    let cut = [&*file, "2", &Sha256::of(b"xy").to_string()];
    assert_eq!(ssh.verb("receive", &cut, b"0\nx").await.code, Some(65));
    assert_eq!(pi.boot_tree().len(), before.len() + 2);
    ssh.must("remove", &[&folder, &file], b"").await;
    ssh.must("remove", &[&folder, &file], b"").await;
    assert_eq!(pi.boot_tree(), before);
}

#[tokio::test]
async fn a_reboot_drops_sessions_and_gives_a_new_boot_id() {
    let pace = Pace { boot: Duration::from_millis(400), ..Pace::test() };
    let operator = Operator::with_pace(1, "", pace).await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    let before = facts::parse_identity(&ssh.must("identity", &[], b"").await).unwrap();
    ssh.must("write", &["/run/systemd/shutdown/scheduled", "644", "1"], b"\n").await;
    assert_eq!(ssh.verb("arm", &[], b"").await, failed(75, "a shutdown is scheduled"));
    ssh.must("reboot", &["orderly"], b"").await;
    ssh.closed().await;
    assert!(
        crate::operator::connect(pi, "pi", &operator.key, pi.raspbian_host_key()).await.is_err()
    );

    until(pi, |life| life.boots == 2 && life.state == State::Raspbian).await;
    let ssh = operator.login(pi).await;
    let after = facts::parse_identity(&ssh.must("identity", &[], b"").await).unwrap();
    assert_ne!(after.boot_id, before.boot_id);
    assert_eq!(
        (after.serial, after.machine_id, after.sums),
        (before.serial, before.machine_id, before.sums)
    );
    assert_eq!(
        ssh.verb("read", &["/run/systemd/shutdown/scheduled", "9"], b"").await.code,
        Some(66)
    );
}

#[tokio::test]
async fn what_is_in_the_way_of_raspbian_is_told() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    pi.set_boot_read_only(true);
    let boot = facts::parse(&ssh.must("probe", &[], b"").await).unwrap().boot.unwrap();
    assert!(!boot.file_system.writable);
    let path = format!("{}/tryboot.txt", boot.path);
    let part = format!("{path}.x");
    ssh.must("write", &[&path, "644", "1"], b"x").await;
    ssh.upload(&part, b"x").await;
    assert!(pi.is_boot_read_only() && pi.boot_tree().contains_key("tryboot.txt"));
    assert_eq!(ssh.verb("write", &[&path, "644", "2"], b"x").await.code, Some(65));
    assert!(pi.is_boot_read_only(), "also where the verb fails");
    ssh.must("remove", &[&path, &part], b"").await;
    assert!(pi.is_boot_read_only() && !pi.boot_tree().contains_key("tryboot.txt"));

    pi.hinder(Some(Hindrance::PackagesLocked));
    assert_eq!(ssh.verb("arm", &[], b"").await, failed(75, "packages are being installed"));
    pi.hinder(Some(Hindrance::RebootFails));
    assert_eq!(ssh.verb("arm", &[], b"").await, failed(1, "failed to talk to init daemon"));
    assert_eq!(pi.file("/run/systemd/reboot-param"), None);
    assert_eq!((pi.boot_count(), pi.life().reboots.len()), (1, 0));
}

#[tokio::test]
async fn a_folder_is_told_copied_and_packed() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    let boot = pi.release().boot_path();
    let tree = ssh.must("tree", &[boot], b"").await;
    let told = facts::parse_tree(&tree).unwrap();
    let files = told.0.iter().filter(|(_, leaf)| matches!(leaf, facts::Leaf::File { .. }));
    assert!(files.map(|(path, _)| path).eq(pi.boot_tree().keys()), "{tree}");
    assert_eq!(told.0["overlays"], facts::Leaf::Folder);

    let to = "/var/lib/migos/backup/boot";
    assert_eq!(ssh.must("backup", &[boot, to], b"").await, tree);
    assert_eq!(ssh.must("tree", &[to], b"").await, tree);
    let writes = pi.writes();
    assert_eq!(ssh.must("backup", &[boot, to], b"").await, tree);
    assert_eq!(pi.writes(), writes, "an equal copy is left alone");
    pi.put_file(&format!("{to}/config.txt"), b"another").unwrap();
    ssh.must("backup", &[boot, to], b"").await;
    assert_eq!(ssh.must("tree", &[to], b"").await, tree);

    ssh.must("write", &["/var/lib/migos/x/a", "600", "3"], b"abc").await;
    ssh.must("write", &["/var/lib/migos/x/b/c", "600", "0"], b"").await;
    let archive = ssh.must("pack", &["/var/lib/migos/x"], b"").await;
    let mut archive = tar::Archive::new(archive.as_bytes());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.path().unwrap().display().to_string(), entry.size())
    });
    let expected = [("a", 3), ("b/", 0), ("b/c", 0)].map(|(path, size)| (path.to_owned(), size));
    assert_eq!(entries.collect::<Vec<_>>(), expected);

    for (verb, arguments, code) in [
        ("tree", &["/nothing"][..], 66),
        ("tree", &["/etc/hostname"], 66),
        ("pack", &["/nothing"], 66),
        ("backup", &["/nothing", to], 66),
        ("backup", &[boot, "/x"], 64),
        ("backup", &["/var/lib/migos", to], 64),
    ] {
        assert_eq!(ssh.verb(verb, arguments, b"").await.code, Some(code), "{verb} {arguments:?}");
    }
}

#[tokio::test]
async fn a_backup_without_room_leaves_nothing() {
    let operator = Operator::with(1, "kiosk-001: [root-full]").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    let to = "/var/lib/migos/boot";
    let full = ssh.verb("backup", &[pi.release().boot_path(), to], b"").await;
    assert_eq!(full.code, Some(73));
    let rest = ssh.must("tree", &["/var/lib/migos"], b"").await;
    assert_eq!(rest, "migos-tree 1\nend ok\n");
}

#[tokio::test]
async fn a_device_is_locked_for_one_owner_until_the_next_boot() {
    let operator = Operator::with(1, "").await;
    let pi = operator.first().await;
    let ssh = operator.login(pi).await;
    ssh.must("lock", &["run-1", "600"], b"").await;
    ssh.must("lock", &["run-1", "900"], b"").await;
    let other = ssh.verb("lock", &["run-2", "600"], b"").await;
    assert_eq!(other.code, Some(75));
    assert!(other.stderr.starts_with("run-1 has the device for "), "{}", other.stderr);
    ssh.must("unlock", &["run-2"], b"").await;
    assert_eq!(ssh.verb("lock", &["run-2", "600"], b"").await.code, Some(75));
    ssh.must("unlock", &["run-1"], b"").await;
    ssh.must("lock", &["run-2", "0"], b"").await;
    ssh.must("lock", &["run-3", "600"], b"").await;
    assert_eq!(ssh.verb("lock", &["run 4", "1"], b"").await.code, Some(64));

    ssh.must("reboot", &["sysrq"], b"").await;
    until(pi, |life| life.boots == 2 && life.state == State::Raspbian).await;
    operator.login(pi).await.must("lock", &["run-4", "600"], b"").await;
}
